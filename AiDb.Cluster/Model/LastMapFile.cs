using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using AiDb.Cluster.Metadata;
using AiDb.Engine.Storage;

namespace AiDb.Cluster.Model;

/// <summary>The last content of the metadata store that a gateway saw, in a file: what it starts with when the
/// store is down. docs/formats/metadata.md tells what stands in it.</summary>
/// <remarks>Thread safety: one writer at a time.</remarks>
public sealed class LastMapFile(IFileSystem fileSystem, string directory)
{
    private const int FormatVersion = 1;
    private const int MaxBytes = 256 << 20;
    private const int HashDigits = 16;

    private readonly string _path = directory + "/last-map";

    /// <summary>Replaces the file: after a crash there is the one from before, or this one.</summary>
    /// <exception cref="IOException">The disk refuses it.</exception>
    public void Write(MetadataRange range)
    {
        LastMapImage image = new(
            FormatVersion,
            range.Revision,
            [
                .. range.Items.Select(static item => new LastMapItem(
                    item.Key, item.Value.ToArray(), item.CreateRevision, item.ModRevision, item.Version, item.LeaseId)),
            ]);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(image, LastMapContext.Default.LastMapImage);
        string temporary = _path + ".new";
        fileSystem.CreateDirectory(directory);
        fileSystem.DeleteFile(temporary);
        using (IStorageFile file = fileSystem.Open(temporary, FileOpenMode.CreateNew))
        {
            file.Write(0, json);
            file.Write(json.Length, Encoding.ASCII.GetBytes(HashOf(json)));
            file.Sync();
        }

        fileSystem.Rename(temporary, _path);
        fileSystem.SyncDirectory(directory);
    }

    /// <summary>Reads it; null: there is none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is damaged, or of another
    /// version.</exception>
    /// <exception cref="IOException">The disk refuses it.</exception>
    public MetadataRange? Read()
    {
        if (!fileSystem.FileExists(_path))
            return null;
        using IStorageFile file = fileSystem.Open(_path, FileOpenMode.Read);
        if (file.Length is < HashDigits or > MaxBytes)
            throw Damaged("its length cannot be");
        byte[] bytes = new byte[file.Length];
        int length = file.Read(0, bytes);
        ReadOnlySpan<byte> json = bytes.AsSpan(0, length - HashDigits);
        if (!bytes.AsSpan(json.Length, HashDigits).SequenceEqual(Encoding.ASCII.GetBytes(HashOf(json))))
            throw Damaged("its checksum does not match");
        try
        {
            LastMapImage? image = JsonSerializer.Deserialize(json, LastMapContext.Default.LastMapImage);
            if (image is not { Format: FormatVersion, Items: not null })
                throw Damaged($"it is not of format {FormatVersion}");
            return new MetadataRange(
                image.Revision,
                [
                    .. image.Items.Select(static item => new MetadataKeyValue(
                        item.Key, item.Value, item.CreateRevision, item.ModRevision, item.Version, item.LeaseId)),
                ]);
        }
        catch (JsonException error)
        {
            throw Damaged(error.Message);
        }
    }

    private static string HashOf(ReadOnlySpan<byte> bytes) =>
        XxHash64.HashToUInt64(bytes).ToString("x16", CultureInfo.InvariantCulture);

    private AiDbException Damaged(string why) => new(
        AiDbErrorKind.DataLoss, $"{_path} is not used: {why}. It is written anew when the metadata store is reached.");
}

internal sealed record LastMapImage(int Format, long Revision, IReadOnlyList<LastMapItem> Items);

internal sealed record LastMapItem(
    string Key, byte[] Value, long CreateRevision, long ModRevision, long Version, long LeaseId);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(LastMapImage))]
internal sealed partial class LastMapContext : JsonSerializerContext;
