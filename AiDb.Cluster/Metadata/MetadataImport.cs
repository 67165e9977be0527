using System.Globalization;
using System.Text;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Metadata;

/// <summary>How an import meets a store that is not empty.</summary>
public sealed record MetadataImportOptions
{
    /// <summary>Whether the content of a store of the same cluster, or of an unfinished import, is replaced.
    /// Default: no.</summary>
    public bool Replace { get; init; }

    /// <summary>Whether only to find out what would be done. Default: no.</summary>
    public bool DryRun { get; init; }

    /// <summary>All combinations are valid.</summary>
    public void Validate()
    {
    }
}

/// <summary>What an import did, or would do.</summary>
/// <param name="ClusterId">The cluster of the export; empty: it had none yet.</param>
/// <param name="Written">Keys written.</param>
/// <param name="Deleted">Keys of the store that the export does not have.</param>
/// <param name="Shards">The shards, with the generation and epoch that they have afterwards.</param>
public sealed record MetadataImportReport(
    string ClusterId, int Written, int Deleted, IReadOnlyList<MetadataImportedShard> Shards);

/// <summary>A shard of an import.</summary>
/// <param name="Id">The shard.</param>
/// <param name="Generation">Its generation afterwards.</param>
/// <param name="Epoch">Its epoch afterwards.</param>
public readonly record struct MetadataImportedShard(uint Id, ulong Generation, ulong Epoch);

/// <summary>
/// The steps of an import, all computed and checked before the first one is taken. A marker key stands in the
/// store from the first step to the last: while it does nobody places anything, and of two imports one wins.
/// </summary>
internal sealed class MetadataImport
{
    // With the marker and its compare a transaction stays within the limit of steps, and with the overhead of
    // its encoding within etcd's limit of bytes (1.5 MiB).
    private const int KeysPerTransaction = 60;
    private const int BytesPerTransaction = 1 << 20;
    private const string Marker = MetadataKeys.UnfinishedImport;

    private readonly List<Step> _puts;
    private readonly List<Step> _deletes;
    private readonly long _markerRevision;

    private MetadataImport(List<Step> puts, List<Step> deletes, long markerRevision, MetadataImportReport report)
    {
        (_puts, _deletes, _markerRevision) = (puts, deletes, markerRevision);
        Report = report;
    }

    public MetadataImportReport Report { get; }

    /// <summary>Computes the steps.</summary>
    /// <exception cref="AiDbException">The export is malformed, or the store holds what must not be
    /// replaced.</exception>
    public static MetadataImport Plan(MetadataExport export, MetadataRange existing, MetadataImportOptions options)
    {
        Dictionary<string, byte[]> wanted = new(StringComparer.Ordinal);
        foreach (MetadataExportItem item in export.Items)
        {
            MetadataLimits.CheckKey(item.Key);
            MetadataLimits.CheckValue(item.Key, item.Value);
            if (item.Key == Marker || !wanted.TryAdd(item.Key, item.Value))
                throw new AiDbException(AiDbErrorKind.InvalidArgument, $"The export must not hold the key '{item.Key}', or not twice.");
        }

        CheckTarget(wanted, existing, options);

        // Keys of leases belong to nodes that live; they go with them.
        Dictionary<string, MetadataKeyValue> held = existing.Items.Where(static item => item.LeaseId == 0 && item.Key != Marker)
            .ToDictionary(static item => item.Key, StringComparer.Ordinal);
        List<MetadataImportedShard> shards = [];
        List<Step> puts = [];
        foreach ((string key, byte[] value) in wanted.OrderBy(static item => item.Key, StringComparer.Ordinal))
        {
            MetadataKeyValue? before = held.GetValueOrDefault(key);
            puts.Add(new Step(key, Advance(key, value, before, shards), before?.ModRevision ?? 0));
        }

        List<Step> deletes =
        [
            .. held.Values.Where(item => !wanted.ContainsKey(item.Key))
                .Select(static item => new Step(item.Key, null, item.ModRevision)),
        ];
        long marker = existing.Items.FirstOrDefault(static item => item.Key == Marker)?.ModRevision ?? 0;
        MetadataImportReport report = new(ClusterIdOf(wanted), puts.Count, deletes.Count, shards);
        return new MetadataImport(puts, deletes, marker, report);
    }

    /// <summary>Takes the steps.</summary>
    public async Task RunAsync(IMetadataStore store, CancellationToken cancellationToken)
    {
        MetadataTransactionResult begun = await CommitAsync(
            store,
            [MetadataCompare.UnchangedSince(Marker, _markerRevision)],
            [MetadataOperation.Put(Marker, ReadOnlyMemory<byte>.Empty)],
            cancellationToken);
        MetadataCompare underWay = MetadataCompare.UnchangedSince(Marker, begun.Revision);
        foreach (List<Step> part in Parts(_puts.Concat(_deletes)))
        {
            await CommitAsync(
                store,
                [underWay, .. part.Select(static step => MetadataCompare.UnchangedSince(step.Key, step.HeldRevision))],
                [.. part.Select(static step => step.ToOperation())],
                cancellationToken);
        }

        await CommitAsync(store, [underWay], [MetadataOperation.Delete(Marker)], cancellationToken);
    }

    private static void CheckTarget(
        Dictionary<string, byte[]> wanted, MetadataRange existing, MetadataImportOptions options)
    {
        if (existing.Items.Count == 0)
            return;
        bool isUnfinished = existing.Items.Any(static item => item.Key == Marker);
        string held = existing.Items.FirstOrDefault(static item => item.Key == MetadataKeys.ClusterId) is { } id
            ? Encoding.UTF8.GetString(id.Value.Span)
            : "";
        bool isSame = held.Length > 0 && string.Equals(held, ClusterIdOf(wanted), StringComparison.Ordinal);
        if (!isSame && !(isUnfinished && held.Length == 0))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                held.Length > 0
                    ? $"The metadata store holds another cluster, {held}. Choose another prefix or folder, or remove its keys."
                    : "The metadata store is not empty. Choose another prefix or folder, or remove its keys.");
        }

        if (!options.Replace)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                isUnfinished
                    ? "An earlier import into this metadata store did not finish, or is under way. Replace what it wrote by force."
                    : "The metadata store holds this cluster already. Its content is replaced only by force.");
        }
    }

    /// <summary>What goes up, so that whoever follows the old store, or knows the present one, is out of
    /// date.</summary>
    private static byte[] Advance(string key, byte[] value, MetadataKeyValue? held, List<MetadataImportedShard> shards)
    {
        if (key == MetadataKeys.NextTableId && held is not null)
        {
            // Ids are never used again, also not those that were given out after the export.
            return Number(key, held.Value.Span) > Number(key, value) ? held.Value.ToArray() : value;
        }

        if (!key.StartsWith(MetadataKeys.ShardPrefix, StringComparison.Ordinal))
            return value;
        ShardRecord shard = MetadataJson.ReadShard(key, value);
        ShardRecord before = held is null ? shard : MetadataJson.ReadShard(key, held.Value);
        ShardRecord next = shard with
        {
            Generation = Math.Max(shard.Generation, before.Generation) + 1,
            Epoch = Math.Max(shard.Epoch, before.Epoch) + 1,
        };
        shards.Add(new MetadataImportedShard(next.Id, next.Generation, next.Epoch));
        return MetadataJson.Write(next);
    }

    private static ulong Number(string key, ReadOnlySpan<byte> value) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            ? number
            : throw new AiDbException(AiDbErrorKind.InvalidArgument, $"The value of '{key}' is not a number.");

    private static string ClusterIdOf(Dictionary<string, byte[]> items) =>
        items.TryGetValue(MetadataKeys.ClusterId, out byte[]? id) ? Encoding.UTF8.GetString(id) : "";

    private static IEnumerable<List<Step>> Parts(IEnumerable<Step> steps)
    {
        List<Step> part = [];
        int bytes = 0;
        foreach (Step step in steps)
        {
            int size = step.Key.Length + (step.Value?.Length ?? 0);
            if (part.Count == KeysPerTransaction || (part.Count > 0 && bytes + size > BytesPerTransaction))
            {
                yield return part;
                part = [];
                bytes = 0;
            }

            part.Add(step);
            bytes += size;
        }

        if (part.Count > 0)
            yield return part;
    }

    private static async Task<MetadataTransactionResult> CommitAsync(
        IMetadataStore store, MetadataCompare[] compares, MetadataOperation[] operations, CancellationToken cancellationToken)
    {
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction { Compares = compares, Then = operations }, cancellationToken);
        return result.Succeeded ? result : throw new AiDbException(
            AiDbErrorKind.Aborted,
            "Something else changed the metadata store during the import, which is unfinished. Stop the nodes that use it, or the other "
            + "import, and start again by force.");
    }

    /// <summary>A key to put, or, without a value, to delete; and its revision when the import was
    /// planned.</summary>
    private readonly record struct Step(string Key, byte[]? Value, long HeldRevision)
    {
        public MetadataOperation ToOperation() =>
            Value is null ? MetadataOperation.Delete(Key) : MetadataOperation.Put(Key, Value);
    }
}
