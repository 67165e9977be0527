using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Log;

/// <summary>Looks through what follows the last good record: for a later record that states a durable LSN -
/// then the bytes
/// between are damaged and not torn - and for anything that is not zero.</summary>
/// <remarks>The damage may be in a record's length, so every byte is taken for the beginning of a record. Old
/// records of
/// a recycled segment fail the checksum, which covers the file id.</remarks>
internal sealed class LogTailScan
{
    private const int WindowBytes = 1 << 20;

    private readonly LogSegment _segment;
    private readonly ulong _expectedLsn;
    private readonly long _start;
    private readonly long _end;

    public LogTailScan(LogSegment segment, ulong expectedLsn, long start, long end)
    {
        _segment = segment;
        _expectedLsn = expectedLsn;
        _start = start;
        _end = end;
    }

    /// <summary>The greatest durable LSN at or above the expected one that a valid record states; 0:
    /// none.</summary>
    public ulong StatedDurableLsn { get; private set; }

    /// <summary>Whether nothing but zeroes follows.</summary>
    public bool IsZero { get; private set; } = true;

    public void Run()
    {
        byte[] window = new byte[(int)Math.Min(WindowBytes, Math.Max(0, _end - _start))];
        long offset = _start;
        while (offset < _end)
        {
            int length = _segment.File.Read(offset, window.AsSpan(0, (int)Math.Min(window.Length, _end - offset)));
            ReadOnlySpan<byte> bytes = window.AsSpan(0, length);
            if (bytes.ContainsAnyExcept((byte)0))
            {
                IsZero = false;
                ScanWindow(bytes, offset);
            }

            // Windows overlap by a record's header, so that none is missed on the seam.
            if (offset + length >= _end || length < LogFormat.RecordHeaderBytes)
                return;
            offset += length - (LogFormat.RecordHeaderBytes - 1);
        }
    }

    private void ScanWindow(ReadOnlySpan<byte> window, long windowOffset)
    {
        for (int at = 0; at + LogFormat.RecordHeaderBytes <= window.Length; at++)
        {
            ReadOnlySpan<byte> bytes = window[at..];
            if (bytes[5] != LogFormat.FormatVersion || BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]) < _expectedLsn)
                continue;
            LogRecordHeader header = LogRecordHeader.Read(bytes);
            long offset = windowOffset + at;
            if (header.KeyId == 0 && LogFormat.IsKnown(header.Type) && header.DurableLsn < header.Lsn &&
                header.PayloadLength is >= 0 and <= LogFormat.MaxPayloadBytes &&
                header.RecordBytes <= _end - offset &&
                header.Lsn - _expectedLsn <= (ulong)((offset - _start) / LogFormat.RecordOverheadBytes) + 1 &&
                HasValidChecksum(header, offset))
                StatedDurableLsn = Math.Max(StatedDurableLsn, header.DurableLsn);
        }
    }

    private bool HasValidChecksum(in LogRecordHeader header, long offset)
    {
        byte[] record = new byte[header.RecordBytes];
        if (_segment.File.Read(offset, record) != record.Length)
            return false;
        int covered = record.Length - LogFormat.ChecksumBytes;
        uint checksum = Crc32C.Append(_segment.ChecksumSeed, record.AsSpan(0, covered));
        return checksum == BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(covered));
    }
}
