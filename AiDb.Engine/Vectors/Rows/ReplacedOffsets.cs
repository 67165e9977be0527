namespace AiDb.Engine.Vectors.Rows;

/// <summary>Which offsets got another vector, in order: a search that began before looks at them a second time, since
/// it may have come by too early for the new vector and too late for the old one.</summary>
/// <remarks>
/// Segments that no search holds any more are the garbage collector's, so nothing is ever overrun, and a search takes
/// no memory. Thread safety: changes by one writer at a time, beside any number of readers. Invariants: an offset is in the
/// log before its new vector can be seen; a mark lies before every change that could not be seen yet when it was made.
/// </remarks>
internal sealed class ReplacedOffsets
{
    private const int LeastLength = 16;
    private const int MostLength = 1024;

    private Segment _last = new(0, LeastLength);
    private long _begun;
    private long _completed;

    /// <summary>Where the log ends for a search that begins now.</summary>
    public Mark Now()
    {
        // In this order: the segment must not begin behind the number.
        Segment segment = Volatile.Read(ref _last);
        return new Mark(segment, Volatile.Read(ref _completed));
    }

    /// <summary>Notes an offset, before its new vector can be seen.</summary>
    public void Begin(uint offset)
    {
        long number = _begun;
        Segment last = _last;
        if (number - last.First == last.Offsets.Length)
        {
            Segment next = new(number, Math.Min(MostLength, last.Offsets.Length * 4));
            Volatile.Write(ref last.Next, next);
            Volatile.Write(ref _last, next);
            last = next;
        }

        last.Offsets[number - last.First] = offset;
        Volatile.Write(ref _begun, number + 1);
    }

    /// <summary>Notes that all new vectors can be seen.</summary>
    public void Complete() => Volatile.Write(ref _completed, _begun);

    /// <summary>What was replaced, or may have been, between a mark and now.</summary>
    public Reader Since(in Mark mark)
    {
        // What the search has read before must not count as read after this.
        Interlocked.MemoryBarrier();
        return new Reader(mark, Volatile.Read(ref _begun));
    }

    /// <summary>A place in the log.</summary>
    internal readonly struct Mark(Segment segment, long number)
    {
        /// <summary>Where to begin to read.</summary>
        public Segment Segment { get; } = segment;

        /// <summary>How many changes lie before it.</summary>
        public long Number { get; } = number;
    }

    /// <summary>Reads a part of the log.</summary>
    internal struct Reader(in Mark mark, long end)
    {
        private Segment _segment = mark.Segment;
        private long _number = mark.Number;

        /// <summary>Whether there is nothing left.</summary>
        public readonly bool IsEmpty => _number >= end;

        /// <summary>Takes the next offset; the same one may come several times.</summary>
        public bool TryTake(out uint offset)
        {
            offset = RowHead.None;
            if (IsEmpty)
                return false;
            while (_number - _segment.First >= _segment.Offsets.Length)
                _segment = Volatile.Read(ref _segment.Next)!;
            offset = _segment.Offsets[_number++ - _segment.First];
            return true;
        }
    }

    /// <summary>A run of the log.</summary>
    internal sealed class Segment(long first, int length)
    {
        /// <summary>What follows; null: nothing yet.</summary>
        public Segment? Next;

        /// <summary>The number of the first offset.</summary>
        public long First { get; } = first;

        /// <summary>The offsets.</summary>
        public uint[] Offsets { get; } = new uint[length];
    }
}
