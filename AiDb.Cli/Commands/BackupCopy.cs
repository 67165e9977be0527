using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Cli.Data;
using AiDb.Client;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Engine;

namespace AiDb.Cli.Commands;

/// <summary>What is copied out of a backup.</summary>
/// <param name="Table">Only this table; null: all.</param>
/// <param name="Into">Its name in the database; null: the same.</param>
/// <param name="Prefix">Only keys that begin so; empty: all.</param>
/// <param name="Overwrite">Whether tables with keys in them may be written to.</param>
internal sealed record CopyRequest(string? Table, string? Into, byte[] Prefix, bool Overwrite);

/// <summary>Copies tables of a backup into a running database through its front door: a table or a range of keys into a
/// live one, or all shards of a cluster into one with another number of shards, since the gateway deals the keys out
/// anew.</summary>
internal sealed class BackupCopy(IBlobStore store, AiDbClient client, TimeProvider time)
{
    private const int BatchOperations = 500;
    private const int BatchBytes = 1 << 20;

    private readonly HashSet<string> _checked = new(StringComparer.Ordinal);

    public async Task<long> RunAsync(
        uint shard, RestoreTarget target, CopyRequest request, string scratch, ProgressReport progress,
        CancellationToken cancellationToken)
    {
        string folder = Path.Combine(scratch, $"shard-{shard}");
        bool isOurs = !Directory.Exists(scratch);
        try
        {
            RestoreResult result = await new Restorer(new ArchiveReader(store, shard))
                .RunAsync(target, folder, null, cancellationToken).ConfigureAwait(false);
            using var export = new MemoryStream(result.HostState.ToArray(), writable: false);
            IReadOnlyList<TableDescriptor> tables =
                await MetadataTransfer.ReadTablesAsync(export, cancellationToken).ConfigureAwait(false);
            List<TableDescriptor> wanted = [.. tables.Where(
                table => request.Table is null || string.Equals(table.Name, request.Table, StringComparison.Ordinal))];
            if (wanted.Count == 0)
            {
                throw new AiDbException(
                    AiDbErrorKind.NotFound,
                    $"The backup of shard {shard} has no table '{request.Table}' then; it has "
                    + $"{string.Join(", ", tables.Select(static table => table.Name))}.");
            }

            Database database = Database.Open(folder, new DatabaseOptions { CreateIfMissing = false, MinFreeDiskBytes = 0 });
            await using (database.ConfigureAwait(false))
            {
                long copied = 0;
                foreach (TableDescriptor table in wanted)
                    copied += await CopyAsync(database, table, request, progress, cancellationToken).ConfigureAwait(false);
                return copied;
            }
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
            if (isOurs && Directory.Exists(scratch) && !Directory.EnumerateFileSystemEntries(scratch).Any())
                Directory.Delete(scratch);
        }
    }

    private async Task<long> CopyAsync(
        Database database, TableDescriptor table, CopyRequest request, ProgressReport progress,
        CancellationToken cancellationToken)
    {
        string name = request.Into ?? table.Name;
        await PrepareAsync(name, table, request, cancellationToken).ConfigureAwait(false);
        ScanRange range = request.Prefix.Length == 0 ? ScanRange.All : ScanRange.Prefix(request.Prefix);
        using ScanCursor cursor = database.GetTableById(table.Id).Scan(range);
        var batch = new AiDbBatch { Atomic = false };
        long copied = 0;
        while (cursor.MoveNext())
        {
            TimeSpan? left = cursor.ExpiresAtMs == 0
                ? null
                : DateTimeOffset.FromUnixTimeMilliseconds((long)cursor.ExpiresAtMs) - time.GetUtcNow();
            if (left is { } rest && rest < TimeSpan.FromMilliseconds(1))
                continue;
            batch.Put(name, new AiDbKey(cursor.Key.ToArray()), cursor.Value.ToArray(), left);
            copied++;
            if (batch.Count >= BatchOperations || batch.SizeBytes >= BatchBytes)
                await SendAsync(batch, progress, cancellationToken).ConfigureAwait(false);
        }

        if (batch.Count > 0)
            await SendAsync(batch, progress, cancellationToken).ConfigureAwait(false);
        return copied;
    }

    /// <summary>Makes the table as it was, and looks once whether it has keys already.</summary>
    private async Task PrepareAsync(
        string name, TableDescriptor table, CopyRequest request, CancellationToken cancellationToken)
    {
        if (!_checked.Add(name))
            return;
        bool exists = (await client.ListTablesAsync(cancellationToken).ConfigureAwait(false))
            .Any(found => string.Equals(found.Name, name, StringComparison.Ordinal));
        if (!exists)
        {
            await client.CreateTableAsync(name, SettingsOf(table), ifNotExists: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (request.Overwrite)
            return;
        await foreach (AiDbItem item in client.Table(name).ScanAsync(cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            throw new AiDbException(
                AiDbErrorKind.AlreadyExists,
                $"Table '{name}' of the database has keys, such as '{item.Key}'. Nothing was changed: copy into another table "
                + "with --into, or say --overwrite to set the backup's keys in it.");
        }
    }

    private async Task SendAsync(AiDbBatch batch, ProgressReport progress, CancellationToken cancellationToken)
    {
        // The same keys get the same values, so that an attempt in doubt may be repeated.
        BatchOutcome outcome = await client.BatchAsync(batch, new WriteOptions { Idempotent = true }, cancellationToken)
            .ConfigureAwait(false);
        foreach (OperationOutcome result in outcome.Results)
        {
            if (result.Error is { } error)
                throw new AiDbException(error.Kind, error.Message, error);
        }

        progress.Advance(batch.Count, batch.SizeBytes);
        batch.Clear();
    }

    private static Client.TableSettings SettingsOf(TableDescriptor table) => new()
    {
        Partitioning = table.Settings.Partitioning.Kind switch
        {
            Contracts.PartitionKind.PrefixLength => Partitioning.PrefixLength(table.Settings.Partitioning.Length),
            Contracts.PartitionKind.Delimiter =>
                Partitioning.Delimiter(new AiDbKey(table.Settings.Partitioning.Delimiter.ToArray())),
            Contracts.PartitionKind.Range =>
                Partitioning.Range(table.Settings.Partitioning.SplitPoints.Select(static point => new AiDbKey(point))),
            _ => Partitioning.WholeKey,
        },
        DefaultTimeToLive = table.Settings.DefaultTtlMs == 0
            ? null
            : TimeSpan.FromMilliseconds(table.Settings.DefaultTtlMs),
    };
}
