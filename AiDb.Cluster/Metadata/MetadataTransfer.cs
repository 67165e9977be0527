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

    /// <summary>Writes all keys of a store, as of one revision, as JSON.</summary>
    /// <returns>How many keys they are.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: an import into it is
    /// unfinished.</exception>
    public static async Task<int> ExportAsync(
        IMetadataStore store, Stream destination, CancellationToken cancellationToken = default)
    {
        MetadataRange range = await store.RangeAsync("", prefix: true, cancellationToken);
        if (range.Items.Any(static item => item.Key == MetadataKeys.UnfinishedImport))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed, "An import into this metadata store is unfinished: it holds a part of a cluster.");
        }

        MetadataExport export = new(
            FormatVersion,
            range.Revision,
            [
                .. range.Items.Where(item => item.LeaseId == 0)
                    .Select(item => new MetadataExportItem(item.Key, item.Value.ToArray())),
            ]);
        await JsonSerializer.SerializeAsync(
            destination, export, MetadataExportContext.Default.MetadataExport, cancellationToken);
        return export.Items.Count;
    }

    /// <summary>Reads an export into a store.</summary>
    /// <returns>What was done, or would have been.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the store is not empty,
    /// and the options do not allow what it holds. <see cref="AiDbErrorKind.InvalidArgument"/>: the export is
    /// malformed; nothing was done. <see cref="AiDbErrorKind.Aborted"/>: something else changed the store
    /// meanwhile; the import is unfinished, and may be started again with
    /// <see cref="MetadataImportOptions.Replace"/>.</exception>
    public static async Task<MetadataImportReport> ImportAsync(
        IMetadataStore store, Stream source, MetadataImportOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new MetadataImportOptions();
        options.Validate();
        MetadataExport export = await ReadAsync(source, cancellationToken);
        MetadataRange existing = await store.RangeAsync("", prefix: true, cancellationToken);
        MetadataImport import = MetadataImport.Plan(export, existing, options);
        if (!options.DryRun)
            await import.RunAsync(store, cancellationToken);
        return import.Report;
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
            if (export is { Format: FormatVersion, Items: not null } && export.Items.All(static item => item?.Key is not null && item.Value is not null))
                return export;
            throw new JsonException($"format must be {FormatVersion}");
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "This is not an export of a metadata store: " + error.Message, error);
        }
    }
}

internal sealed record MetadataExport(int Format, long Revision, IReadOnlyList<MetadataExportItem> Items);

internal sealed record MetadataExportItem(string Key, byte[] Value);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(MetadataExport))]
internal sealed partial class MetadataExportContext : JsonSerializerContext;
