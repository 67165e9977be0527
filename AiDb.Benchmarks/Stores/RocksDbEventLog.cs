using System.Buffers.Text;
using System.Text;

namespace AiDb.Benchmarks.Stores;

/// <summary>Adds up the tables that RocksDB writes, from the events in its information log: the exact bytes,
/// without the statistics that would cost its hot paths time.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class RocksDbEventLog
{
    private readonly string _path;
    private long _position;
    private long _tableBytes;

    public RocksDbEventLog(string path) => _path = path;

    /// <summary>Bytes of the tables that flushes and compactions have written since the database was
    /// opened, as far as whole lines of the log tell.</summary>
    public long TableBytes()
    {
        using var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Position = _position;
        byte[] text = new byte[file.Length - _position];
        file.ReadExactly(text);
        ReadOnlySpan<byte> rest = text;
        int end;
        while ((end = rest.IndexOf((byte)'\n')) >= 0)
        {
            Add(rest[..end]);
            rest = rest[(end + 1)..];
        }

        _position += text.Length - rest.Length;
        return _tableBytes;
    }

    private void Add(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> size = "\"file_size\": "u8;
        int start;
        if (line.IndexOf("\"event\": \"table_file_creation\""u8) < 0 || (start = line.IndexOf(size)) < 0)
            return;
        if (!Utf8Parser.TryParse(line[(start + size.Length)..], out long bytes, out _))
            throw new AiDbException(AiDbErrorKind.Internal, $"{_path}: no size in {Encoding.UTF8.GetString(line)}");
        _tableBytes += bytes;
    }
}
