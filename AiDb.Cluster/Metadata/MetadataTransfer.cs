using System.Text.Json;
using System.Text.Json.Serialization;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Metadata;

/// <summary>
/// Moves the content of a metadata store into another one, of any kind. Keys of leases stay behind: their
/// nodes register anew. Every shard's generation and epoch go up by one, so that whatever still follows the
/// old store is out of date.
/// </summary>
public static class MetadataTransfer
{
    private const int FormatVersion = 1;
    private const string MarkerKey = MetadataKeys.UnfinishedImport;

    // With the marker and its compare a transaction stays within the limit.
    private const int KeysPerTransaction = 100;

    /// <summary>Writes all keys of a store, as of one revision, as JSON.</summary>
    public static async Task ExportAsync(IMetadataStore store, Stream destination, CancellationToken cancellationToken = default)
    {
        MetadataRange range = await store.RangeAsync("", prefix: true, cancellationToken);
        MetadataExport export = new(
            FormatVersion,
            range.Revision,
            [
                .. range.Items.Where(item => item.LeaseId == 0)
                    .Select(item => new MetadataExportItem(item.Key, item.Value.ToArray())),
            ]);
        await JsonSerializer.SerializeAsync(
            destination, export, MetadataExportContext.Default.MetadataExport, cancellationToken);
    }

    /// <summary>Reads an export into an empty store.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the store is not
    /// empty, or an earlier import into it did not finish. <see cref="AiDbErrorKind.InvalidArgument"/>: the
    /// export is malformed.</exception>
    public static async Task ImportAsync(IMetadataStore store, Stream source, CancellationToken cancellationToken = default)
    {
        MetadataExport export = await ReadAsync(source, cancellationToken);
        if ((await store.RangeAsync("", prefix: true, cancellationToken)).Items.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                "An import needs an empty metadata store. Remove its keys, or choose another folder or prefix.");
        }

        await RunAsync(
            store,
            [MetadataCompare.IsAbsent(MarkerKey)],
            [MetadataOperation.Put(MarkerKey, ReadOnlyMemory<byte>.Empty)],
            cancellationToken);
        MetadataCompare[] underWay = [MetadataCompare.HasValue(MarkerKey, ReadOnlyMemory<byte>.Empty)];
        foreach (MetadataExportItem[] part in export.Items.Chunk(KeysPerTransaction))
        {
            MetadataOperation[] puts =
                [.. part.Select(item => MetadataOperation.Put(item.Key, Advance(item.Key, item.Value)))];
            await RunAsync(store, underWay, puts, cancellationToken);
        }

        await RunAsync(store, underWay, [MetadataOperation.Delete(MarkerKey)], cancellationToken);
    }

    /// <summary>The tables of an export.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the export is
    /// malformed.</exception>
    public static async Task<IReadOnlyList<TableDescriptor>> ReadTablesAsync(
        Stream source, CancellationToken cancellationToken = default)
    {
        MetadataExport export = await ReadAsync(source, cancellationToken);
        return
        [
            .. export.Items.Where(static item => item.Key.StartsWith(MetadataKeys.TablePrefix, StringComparison.Ordinal))
                .Select(static item => MetadataJson.ReadTable(item.Key, item.Value).ToDescriptor()),
        ];
    }

    private static async Task<MetadataExport> ReadAsync(Stream source, CancellationToken cancellationToken)
    {
        try
        {
            MetadataExport? export = await JsonSerializer.DeserializeAsync(
                source, MetadataExportContext.Default.MetadataExport, cancellationToken);
            if (export is { Format: FormatVersion, Items: not null })
                return export;
            throw new JsonException($"format must be {FormatVersion}");
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "This is not an export of a metadata store: " + error.Message, error);
        }
    }

    private static byte[] Advance(string key, byte[] value)
    {
        if (!key.StartsWith(MetadataKeys.ShardPrefix, StringComparison.Ordinal))
            return value;
        ShardRecord shard = MetadataJson.ReadShard(key, value);
        return MetadataJson.Write(shard with { Generation = shard.Generation + 1, Epoch = shard.Epoch + 1 });
    }

    private static async Task RunAsync(
        IMetadataStore store, MetadataCompare[] compares, MetadataOperation[] operations, CancellationToken cancellationToken)
    {
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction { Compares = compares, Then = operations }, cancellationToken);
        if (!result.Succeeded)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed, "Another import into this metadata store is under way. Start with an empty one.");
        }
    }
}

internal sealed record MetadataExport(int Format, long Revision, IReadOnlyList<MetadataExportItem> Items);

internal sealed record MetadataExportItem(string Key, byte[] Value);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(MetadataExport))]
internal sealed partial class MetadataExportContext : JsonSerializerContext;
