using System.Runtime.InteropServices;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Collections.Postings;

/// <summary>Scores what an offset has now.</summary>
internal interface IOffsetScorer
{
    /// <summary>The score; false: it is no answer.</summary>
    bool TryScore(uint offset, out float score);
}

/// <summary>Makes the answer of the offsets that a search of postings found beside writers.</summary>
/// <remarks>A search goes through one list after the other, so that of an offset whose postings change meanwhile it may
/// have seen some of before and some of after the change: too little, or too much. Such offsets are scored again, and those that
/// it did not find are looked at.</remarks>
internal static class PostingAnswer
{
    /// <summary>Writes the answer, the best first.</summary>
    /// <param name="found">What was found; used up.</param>
    /// <param name="isFull">Whether it is as many as were kept.</param>
    /// <param name="replaced">What was replaced while the search went on.</param>
    /// <param name="filter">Which offsets may be found.</param>
    /// <param name="floor">Lower scores are left out.</param>
    /// <param name="scorer">Scores offsets as they are now.</param>
    /// <param name="best">Takes the answer.</param>
    /// <returns>How many there are; whether others may have been pushed out by offsets that looked better than they
    /// are.</returns>
    public static (int Count, bool IsCrowded) Write<TScorer>(
        Span<ScoredOffset> found, bool isFull, ReplacedOffsets.Reader replaced, in OffsetFilter filter, float? floor,
        TScorer scorer, Span<ScoredOffset> best)
        where TScorer : IOffsetScorer, allows ref struct
    {
        HashSet<uint>? changed = null;
        while (replaced.TryTake(out uint offset))
            (changed ??= []).Add(offset);
        int kept = 0;
        int sure = 0;
        foreach (ScoredOffset item in found)
        {
            bool isChanged = changed?.Remove(item.Offset) == true;
            if (!scorer.TryScore(item.Offset, out float score) || (isChanged && score < floor))
                continue;
            found[kept++] = new ScoredOffset(item.Offset, score);
            sure += isChanged ? 0 : 1;
        }

        found = found[..kept];
        if (changed is { Count: > 0 })
        {
            List<ScoredOffset> all = [.. found];
            foreach (uint offset in changed)
            {
                if (filter.Matches(offset) && scorer.TryScore(offset, out float score) && !(score < floor))
                    all.Add(new ScoredOffset(offset, score));
            }

            found = CollectionsMarshal.AsSpan(all);
        }

        found.Sort(TopOffsets.BestFirst);
        int count = Math.Min(found.Length, best.Length);
        found[..count].CopyTo(best);
        return (count, isFull && sure < best.Length);
    }
}
