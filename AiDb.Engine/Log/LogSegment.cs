using AiDb.Engine.Storage;

namespace AiDb.Engine.Log;

/// <summary>A place in a segment where a record begins or will begin.</summary>
internal readonly record struct LogSegmentPosition(long Offset, LogChain Chain);

/// <summary>An open segment.</summary>
/// <remarks>Thread safety: the log's appender alone changes <see cref="WrittenEnd"/>, readers may follow it;
/// the file is
/// closed when the last one that holds it lets go. Invariant: the bytes before <see cref="WrittenEnd"/>
/// change only
/// when the log is cut off, which readers are told.</remarks>
internal sealed class LogSegment
{
    /// <summary>A record's place is remembered once in so many bytes, so that readers need not begin at the
    /// front.</summary>
    private const long IndexIntervalBytes = 256 << 10;

    private readonly Lock _indexGate = new();
    private readonly List<LogSegmentPosition> _index = [];
    private int _references = 1;
    private long _writtenEnd;
    private volatile bool _released;

    public LogSegment(string path, IStorageFile file, LogSegmentHeader header, long writtenEnd)
    {
        Path = path;
        File = file;
        Header = header;
        ChecksumSeed = header.ChecksumSeed;
        _writtenEnd = writtenEnd;
        AllocatedBytes = file.Length;
    }

    /// <summary>Where it lies now; the file may have been opened under another name.</summary>
    public string Path { get; }

    public IStorageFile File { get; }

    public LogSegmentHeader Header { get; }

    public uint ChecksumSeed { get; }

    public ulong FirstLsn => Header.Chain.NextLsn;

    /// <summary>Bytes on disk.</summary>
    public long AllocatedBytes { get; set; }

    /// <summary>Whether it ends with a seal and takes no more records.</summary>
    public bool IsSealed { get; set; }

    /// <summary>Whether the log no longer keeps it.</summary>
    public bool IsReleased => _released;

    /// <summary>Whether a reader or a sync holds it besides the log.</summary>
    public bool IsShared => Volatile.Read(ref _references) > 1;

    /// <summary>Up to here it may be read.</summary>
    public long WrittenEnd
    {
        get => Volatile.Read(ref _writtenEnd);
        set => Volatile.Write(ref _writtenEnd, value);
    }

    public LogSegmentPosition Start => new(LogFormat.SegmentHeaderBytes, Header.Chain);

    public void AddReference() => Interlocked.Increment(ref _references);

    public void MarkReleased() => _released = true;

    public void ReleaseReference()
    {
        if (Interlocked.Decrement(ref _references) == 0)
            File.Dispose();
    }

    /// <summary>Remembers a record's place when the last one remembered is far behind.</summary>
    public void Remember(in LogSegmentPosition position)
    {
        lock (_indexGate)
        {
            long last = _index.Count == 0 ? LogFormat.SegmentHeaderBytes : _index[^1].Offset;
            if (position.Offset - last >= IndexIntervalBytes)
                _index.Add(position);
        }
    }

    /// <summary>Forgets the places beyond <paramref name="offset"/>.</summary>
    public void ForgetBeyond(long offset)
    {
        lock (_indexGate)
            _index.RemoveAll(position => position.Offset > offset);
    }

    /// <summary>The last remembered place that is not after the record.</summary>
    public LogSegmentPosition FindAtOrBefore(ulong lsn)
    {
        lock (_indexGate)
        {
            int low = 0;
            int high = _index.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (_index[middle].Chain.NextLsn <= lsn)
                    low = middle + 1;
                else
                    high = middle;
            }

            return low == 0 ? Start : _index[low - 1];
        }
    }
}
