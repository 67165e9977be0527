using System.Numerics;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Postings;

/// <summary>What a posting adds to its document's score.</summary>
/// <remarks>Thread safety: called by several searches at once.</remarks>
internal interface IPostingScorer
{
    /// <summary>What a posting adds.</summary>
    float Of(float value, uint offset);

    /// <summary>The most that a posting of the block adds.</summary>
    float MostOf(PostingBlock block);
}

/// <summary>Finds the offsets of the greatest sums over several posting lists, and looks only at what can be among
/// them.</summary>
/// <remarks>
/// Block-max MaxScore in windows of offsets: in each window the blocks' bounds tell which lists alone cannot lift an offset
/// over the bar; the others are added up in an array, and those are looked at only for offsets that can still make it.
/// Sources: Turtle and Flood, "Query Evaluation: Strategies and Optimizations", 1995; Ding and Suel, "Faster Top-k Document
/// Retrieval Using Block-Max Indexes", SIGIR 2011; Mallia et al., "Dynamic MaxScore with windows", as Lucene's bulk scorer
/// arranges it. Scores are sums of floats in no fixed order: owners compute those of the result again.
/// Thread safety: one search at a time per instance; <see cref="Rent"/> gives each its own.
/// </remarks>
internal sealed class PostingSearch<TScorer>
    where TScorer : struct, IPostingScorer
{
    private const int Window = 4096;
    private const int MaxKeptTerms = 1024;

    // Bounds are sums of rounded floats; a little room keeps rounding from hiding a result.
    private const float Slack = 1.00001f;

    [ThreadStatic]
    private static PostingSearch<TScorer>? s_kept;

    private readonly float[] _sums = new float[Window];
    private readonly ulong[] _touched = new ulong[Window / 64];
    private readonly uint[] _candidates = new uint[Window];
    private readonly List<PostingCursor<TScorer>> _cursors = [];
    private PostingCursor<TScorer>[] _active = new PostingCursor<TScorer>[16];
    private float[] _bounds = new float[17];
    private ScoredOffset[] _heap = [];
    private int _used;

    private PostingSearch()
    {
    }

    /// <summary>The results of the last search, in no order; valid until the next.</summary>
    public Span<ScoredOffset> Results => _heap.AsSpan(0, ResultCount);

    private int ResultCount { get; set; }

    /// <summary>A search without terms, for this thread until <see cref="Return"/>.</summary>
    public static PostingSearch<TScorer> Rent()
    {
        PostingSearch<TScorer> search = s_kept ?? new PostingSearch<TScorer>();
        s_kept = null;
        search._used = 0;
        search.ResultCount = 0;
        return search;
    }

    /// <summary>Gives it back, with its memory.</summary>
    public void Return()
    {
        for (int at = 0; at < _used; at++)
            _cursors[at].Close();
        if (_cursors.Count <= MaxKeptTerms)
            s_kept = this;
    }

    /// <summary>Adds a list to the sum.</summary>
    public void Add(TermPostings list, TScorer scorer)
    {
        if (_used == _cursors.Count)
            _cursors.Add(new PostingCursor<TScorer>());
        _cursors[_used++].Open(list, scorer);
    }

    /// <summary>Finds the offsets of the greatest sums, see <see cref="Results"/>; offsets that no list has are not
    /// found.</summary>
    /// <param name="filter">Which offsets may be found.</param>
    /// <param name="limit">How many.</param>
    /// <param name="floor">Lower sums are left out.</param>
    /// <param name="cancellationToken">Ends it between two windows.</param>
    public void Run(in OffsetFilter filter, int limit, float? floor, CancellationToken cancellationToken)
    {
        TopOffsets best = new(_heap, limit, floor);
        if (_active.Length < _used)
        {
            _active = new PostingCursor<TScorer>[_used * 2];
            _bounds = new float[(_used * 2) + 1];
        }

        uint start = NextStart();
        while (start != uint.MaxValue)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (filter.Bitmap is null || HasAny(filter.Bitmap, start))
                RunWindow(start, filter, ref best);
            if (start > uint.MaxValue - Window)
                break;
            for (int at = 0; at < _used; at++)
                _cursors[at].SkipTo(start + Window);
            start = NextStart();
        }

        _heap = best.Buffer;
        ResultCount = best.Count;
    }

    private static bool HasAny(OffsetBitmap bitmap, uint start)
    {
        ReadOnlySpan<ulong> words = bitmap.Words;
        uint first = start / 64;
        return first < (uint)words.Length
            && words.Slice((int)first, Math.Min(Window / 64, words.Length - (int)first)).ContainsAnyExcept(0UL);
    }

    private uint NextStart()
    {
        uint next = uint.MaxValue;
        for (int at = 0; at < _used; at++)
            next = Math.Min(next, _cursors[at].Next);
        return next == uint.MaxValue ? next : next & ~(uint)(Window - 1);
    }

    private void RunWindow(uint start, in OffsetFilter filter, ref TopOffsets best)
    {
        uint last = start + (Window - 1);
        int active = 0;
        for (int at = 0; at < _used; at++)
        {
            PostingCursor<TScorer> cursor = _cursors[at];
            if (cursor.Next > last)
                continue;
            cursor.BoundIn(last);
            int place = active++;
            for (; place > 0 && _active[place - 1].Bound > cursor.Bound; place--)
                _active[place] = _active[place - 1];
            _active[place] = cursor;
        }

        _bounds[0] = 0;
        int optional = 0;
        for (int at = 0; at < active; at++)
        {
            _bounds[at + 1] = _bounds[at] + MathF.Max(0, _active[at].Bound * Slack);
            if (_bounds[at + 1] <= best.Bar)
                optional = at + 1;
        }

        if (optional == active)
            return;
        for (int at = optional; at < active; at++)
            _active[at].AddTo(start, last, _sums, _touched);
        int candidates = TakeCandidates(start, filter, _bounds[optional], best.Bar);
        for (int at = optional - 1; at >= 0 && candidates > 0; at--)
        {
            _active[at].AddTo(start, _candidates.AsSpan(0, candidates), _sums);
            candidates = Keep(start, candidates, _bounds[at], best.Bar);
        }

        for (int at = 0; at < candidates; at++)
        {
            uint offset = _candidates[at];
            if (filter.Predicate is null || filter.Predicate.Matches(offset))
                best.Add(offset, _sums[offset - start]);
        }
    }

    // What was added up and can still be among the best, in ascending order.
    private int TakeCandidates(uint start, in OffsetFilter filter, float more, float bar)
    {
        int count = 0;
        for (int word = 0; word < _touched.Length; word++)
        {
            ulong bits = _touched[word];
            _touched[word] = 0;
            while (bits != 0)
            {
                int place = (word * 64) + BitOperations.TrailingZeroCount(bits);
                bits &= bits - 1;
                uint offset = start + (uint)place;
                if (_sums[place] + more >= bar && (filter.Bitmap is null || filter.Bitmap.Test(offset)))
                    _candidates[count++] = offset;
            }
        }

        return count;
    }

    private int Keep(uint start, int candidates, float more, float bar)
    {
        int kept = 0;
        for (int at = 0; at < candidates; at++)
        {
            uint offset = _candidates[at];
            if (_sums[offset - start] + more >= bar)
                _candidates[kept++] = offset;
        }

        return kept;
    }
}
