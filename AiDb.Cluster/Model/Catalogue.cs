using System.Globalization;
using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Engine;

namespace AiDb.Cluster.Model;

/// <summary>The tables of a cluster. They are made and dropped by compare-and-swap, so that any gateway may
/// do it; an id is never used twice.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class Catalogue(IMetadataStore store, ClusterMapWatcher map, TimeProvider timeProvider)
{
    /// <summary>Characters of a table's name.</summary>
    public const int MaxNameLength = 255;

    /// <summary>Tables of a cluster.</summary>
    public const int MaxTables = 10_000;

    /// <summary>A table by name, from the current map; null when there is none (or not yet, here).</summary>
    public TableDescriptor? Find(string name) => map.Current.FindTable(name);

    /// <summary>Creates a table.</summary>
    /// <param name="name">1 to 255 letters, digits, <c>_ - .</c>, not beginning with a dot.</param>
    /// <param name="settings">What is chosen for it.</param>
    /// <param name="ifNotExists">A table of that name and these settings is no error.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: a table of that name is
    /// there, or one with other settings.</exception>
    public async ValueTask<TableDescriptor> CreateAsync(
        string name, TableSettings settings, bool ifNotExists = false, CancellationToken cancellationToken = default)
    {
        (TableDescriptor table, bool isNew) = await GetOrAddAsync(name, settings, cancellationToken);
        if (isNew)
            return table;
        if (table.Settings != settings)
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The table '{name}' exists with other settings.");
        if (!ifNotExists)
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The table '{name}' exists.");
        return table;
    }

    /// <summary>The table of that name, made with default settings where there is none: what a first write
    /// does.</summary>
    public async ValueTask<TableDescriptor> GetOrCreateAsync(string name, CancellationToken cancellationToken = default) =>
        Find(name) ?? (await GetOrAddAsync(name, TableSettings.Default, cancellationToken)).Table;

    /// <summary>Drops a table from the catalogue and remembers its id as dropped; the shards then drop its
    /// keys.</summary>
    /// <returns>What was dropped.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that
    /// name.</exception>
    public async ValueTask<TableDescriptor> DropAsync(string name, CancellationToken cancellationToken = default)
    {
        CheckName(name);
        string key = MetadataKeys.Table(name);
        while (true)
        {
            MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
                ?? throw new AiDbException(AiDbErrorKind.NotFound, $"The table '{name}' does not exist.");
            TableDescriptor table = MetadataJson.ReadTable(key, item.Value).ToDescriptor();
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [MetadataCompare.UnchangedSince(key, item.ModRevision)],
                    Then =
                    [
                        MetadataOperation.Delete(key),
                        MetadataOperation.Put(MetadataKeys.Dropped(table.Id), Encoding.UTF8.GetBytes(name)),
                    ],
                },
                cancellationToken);
            if (result.Succeeded)
                return table;
        }
    }

    /// <summary>Checks a table's name.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the
    /// rule.</exception>
    public static void CheckName(string name)
    {
        if (name.Length is < 1 or > MaxNameLength)
            throw Invalid($"A table's name must have 1 to {MaxNameLength} characters, not {name.Length}");
        if (name[0] == '.')
            throw Invalid($"The table name '{name}' must not begin with a dot");
        foreach (char character in name)
        {
            if (!char.IsAsciiLetterOrDigit(character) && character is not ('_' or '-' or '.'))
                throw Invalid("A table's name may have letters, digits, '_', '-' and '.' only");
        }
    }

    private async ValueTask<(TableDescriptor Table, bool IsNew)> GetOrAddAsync(
        string name, TableSettings settings, CancellationToken cancellationToken)
    {
        CheckName(name);
        string key = MetadataKeys.Table(name);
        while (true)
        {
            MetadataKeyValue? counter =
                (await store.RangeAsync(MetadataKeys.NextTableId, cancellationToken: cancellationToken)).Single;
            uint id = counter is null ? Table.FirstHostId : ReadCounter(counter);
            if (map.Current.Tables.Count >= MaxTables)
                throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"A cluster has {MaxTables} tables at most.");
            TableDescriptor table = new()
            {
                Name = name,
                Id = id,
                Settings = settings,
                CreatedAtMs = timeProvider.GetUtcNow().ToUnixTimeMilliseconds(),
            };
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares =
                    [
                        MetadataCompare.IsAbsent(key),
                        MetadataCompare.UnchangedSince(MetadataKeys.NextTableId, counter?.ModRevision ?? 0),
                    ],
                    Then =
                    [
                        MetadataOperation.Put(key, MetadataJson.Write(TableRecord.From(table))),
                        MetadataOperation.Put(
                            MetadataKeys.NextTableId,
                            Encoding.ASCII.GetBytes((id + 1).ToString(CultureInfo.InvariantCulture))),
                    ],
                    Otherwise = [MetadataOperation.Range(key)],
                },
                cancellationToken);
            if (result.Succeeded)
                return (table, true);
            if (result.Ranges[0].Single is { } existing)
                return (MetadataJson.ReadTable(key, existing.Value).ToDescriptor(), false);
        }
    }

    internal static uint ReadCounter(MetadataKeyValue counter) =>
        uint.TryParse(counter.Value.Span, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id >= Table.FirstHostId
            ? id
            : throw new AiDbException(AiDbErrorKind.DataLoss, $"The metadata key '{counter.Key}' does not hold a table id.");

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
