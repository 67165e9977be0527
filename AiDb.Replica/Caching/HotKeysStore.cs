using System.Buffers.Binary;
using AiDb.Cluster.Caching;
using AiDb.Contracts.Internal.V1;
using Google.Protobuf;

namespace AiDb.Replica.Caching;

/// <summary>The file in which a cache replica keeps its hot keys from run to run; see docs/formats/hot-keys.md.</summary>
/// <remarks>A help, no more: a file that is missing, damaged or of another cluster is as good as none. Thread safety: one caller at
/// a time.</remarks>
internal sealed class HotKeysStore(string path)
{
    private const int HeaderBytes = 12;
    private const int FrameOverhead = 16;
    private const long MaxBytes = 256 << 20;

    private static ReadOnlySpan<byte> Magic => "AIDBHOT1"u8;

    /// <summary>Replaces the file; keys beyond what <see cref="Load"/> takes are left out.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">The disk refused.</exception>
    public void Save(string clusterId, IEnumerable<HotKey> keys)
    {
        var content = new HotKeysFile { ClusterId = clusterId };
        long size = HeaderBytes + clusterId.Length;
        foreach (HotKeysFrame frame in HotKeyFrames.Of(keys))
        {
            size += frame.CalculateSize() + FrameOverhead;
            if (size > MaxBytes)
                break;
            content.Frames.Add(frame);
        }

        byte[] bytes = new byte[HeaderBytes + content.CalculateSize()];
        Magic.CopyTo(bytes);
        content.WriteTo(bytes.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Magic.Length), System.IO.Hashing.Crc32.HashToUInt32(bytes.AsSpan(HeaderBytes)));
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
            Directory.CreateDirectory(folder);
        string temporary = path + ".new";
        File.WriteAllBytes(temporary, bytes);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads the file.</summary>
    /// <param name="clusterId">The cluster whose keys are wanted.</param>
    /// <param name="problem">Why nothing was read; null: there is no file, or it was read.</param>
    /// <returns>Frames of keys, hottest first; empty where there are none.</returns>
    public IReadOnlyList<HotKeysFrame> Load(string clusterId, out string? problem)
    {
        problem = null;
        try
        {
            if (!File.Exists(path))
                return [];
            if (new FileInfo(path).Length > MaxBytes)
            {
                problem = $"'{path}' is larger than {MaxBytes} bytes";
                return [];
            }

            byte[] bytes = File.ReadAllBytes(path);
            bool isWhole = bytes.Length >= HeaderBytes && bytes.AsSpan().StartsWith(Magic)
                && BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(Magic.Length))
                    == System.IO.Hashing.Crc32.HashToUInt32(bytes.AsSpan(HeaderBytes));
            if (!isWhole)
            {
                problem = $"'{path}' is damaged";
                return [];
            }

            HotKeysFile content = HotKeysFile.Parser.ParseFrom(bytes, HeaderBytes, bytes.Length - HeaderBytes);
            if (string.Equals(content.ClusterId, clusterId, StringComparison.Ordinal))
                return content.Frames;
            problem = $"'{path}' is of another cluster";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidProtocolBufferException)
        {
            problem = $"'{path}' cannot be read: {error.Message}";
        }

        return [];
    }
}
