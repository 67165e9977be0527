using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Log;

/// <summary>Reads the records of one segment in order, each checked against the one before.</summary>
/// <remarks>Thread safety: none. The buffer grows for a big record and shrinks after it.</remarks>
internal sealed class LogSegmentCursor
{
    private const int ReadBytes = 256 << 10;

    private byte[] _buffer = [];
    private long _bufferOffset;
    private int _bufferLength;
    private LogSegment _segment;

    public LogSegmentCursor(LogSegment segment, in LogSegmentPosition position)
    {
        _segment = segment;
        Offset = position.Offset;
        Chain = position.Chain;
    }

    /// <summary>Where the next record begins.</summary>
    public long Offset { get; private set; }

    /// <summary>What the next record must continue.</summary>
    public LogChain Chain { get; private set; }

    /// <summary>Goes on elsewhere.</summary>
    public void MoveTo(LogSegment segment, in LogSegmentPosition position)
    {
        _segment = segment;
        _bufferLength = 0;
        Offset = position.Offset;
        Chain = position.Chain;
    }

    /// <summary>Forgets what was read ahead.</summary>
    public void DropBuffer() => _bufferLength = 0;

    /// <summary>Reads the next record; false, changing nothing, when no valid one follows before
    /// <paramref name="endOffset"/>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unimplemented"/>: intact, but of a newer
    /// program.</exception>
    public bool TryRead(long endOffset, out LogRecordHeader header, out ReadOnlyMemory<byte> payload)
    {
        header = default;
        payload = default;
        if (endOffset - Offset < LogFormat.RecordOverheadBytes || !Fill(LogFormat.RecordOverheadBytes, endOffset))
            return false;
        LogRecordHeader candidate = LogRecordHeader.Read(_buffer.AsSpan((int)(Offset - _bufferOffset)));
        if (candidate.PayloadLength is < 0 or > LogFormat.MaxPayloadBytes || !candidate.Continues(Chain) ||
            candidate.RecordBytes > endOffset - Offset || !Fill(candidate.RecordBytes, endOffset))
            return false;

        int start = (int)(Offset - _bufferOffset);
        int covered = candidate.RecordBytes - LogFormat.ChecksumBytes;
        uint checksum = Crc32C.Append(_segment.ChecksumSeed, _buffer.AsSpan(start, covered));
        if (checksum != BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(start + covered)))
            return false;
        if (candidate.Version != LogFormat.FormatVersion || candidate.KeyId != 0 || !LogFormat.IsKnown(candidate.Type))
            throw LogErrors.TooNew(
                _segment.Path,
                Offset,
                $"a record of type {(int)candidate.Type}, format version {candidate.Version}, key {candidate.KeyId}");
        header = candidate;
        payload = _buffer.AsMemory(start + LogFormat.RecordHeaderBytes, candidate.PayloadLength);
        Offset += candidate.RecordBytes;
        Chain = candidate.Follow(checksum);
        return true;
    }

    /// <summary>Has <paramref name="count"/> bytes at <see cref="Offset"/> in the buffer.</summary>
    private bool Fill(int count, long endOffset)
    {
        if (Offset >= _bufferOffset && Offset + count <= _bufferOffset + _bufferLength)
            return true;
        int wanted = (int)Math.Min(Math.Max(count, ReadBytes), endOffset - Offset);
        if (_buffer.Length < wanted || (_buffer.Length > ReadBytes && wanted <= ReadBytes))
            _buffer = new byte[Math.Max(wanted, Math.Min(ReadBytes, wanted * 2L))];
        _bufferOffset = Offset;
        _bufferLength = 0;
        _bufferLength = _segment.File.Read(Offset, _buffer.AsSpan(0, wanted));
        return _bufferLength >= count;
    }
}
