using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace AiDb.Cli.Data;

/// <summary>The lines of a stream as bytes.</summary>
internal static class LineReader
{
    /// <summary>Bytes of the longest line: a value of 64 MiB in base64, its key, and the names.</summary>
    public const int MaxLineBytes = 96 << 20;

    /// <summary>Reads lines without their ends; a byte order mark at the start is skipped.</summary>
    public static async IAsyncEnumerable<byte[]> ReadAsync(
        Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PipeReader reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 1 << 16, leaveOpen: true));
        bool first = true;
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                yield return Trim(buffer.Slice(0, end).ToArray(), ref first);
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > MaxLineBytes)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, $"A line has more than {MaxLineBytes >> 20} MiB; is this JSON Lines?");
            }

            if (read.IsCompleted)
            {
                if (!buffer.IsEmpty)
                    yield return Trim(buffer.ToArray(), ref first);
                yield break;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    private static byte[] Trim(byte[] line, ref bool first)
    {
        ReadOnlySpan<byte> bytes = line;
        if (first && bytes.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        first = false;
        if (bytes.EndsWith("\r"u8))
            bytes = bytes[..^1];
        return bytes.Length == line.Length ? line : bytes.ToArray();
    }
}
