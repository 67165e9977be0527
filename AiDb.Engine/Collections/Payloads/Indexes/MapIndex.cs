using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Whole strings (keyword) or UUIDs: per point the numbers of its values, per value the points.</summary>
/// <remarks>Bytes per point: 4 for a point with one value, about 2 in the value's list, and the value itself once, with 30 bytes
/// of tables. UUIDs are compared as UUIDs, however they are written.</remarks>
internal sealed class MapIndex(JsonPath path, PayloadIndexOptions options) : FieldIndex(path, options)
{
    // A point's entry: 0: none; a value's number + 1; or, with the top bit, the index of a list of numbers.
    private const uint IsList = 0x8000_0000;
    private readonly ByteTable _values = new();
    private readonly PagedArray<uint> _points = new();
    private readonly List<int[]?> _lists = [];
    private readonly Stack<int> _freeLists = [];
    private readonly List<int> _collected = [];
    private Posting[] _postings = [];

    private bool IsUuid => Options.Kind == PayloadIndexKind.Uuid;

    /// <inheritdoc/>
    public override bool HasFacets => true;

    /// <inheritdoc/>
    public override long MemoryBytes
    {
        get
        {
            long bytes = base.MemoryBytes + _values.MemoryBytes + _points.MemoryBytes + (_postings.Length * 16L);
            foreach (Posting posting in _postings)
                bytes += posting.List?.MemoryBytes ?? 0;
            foreach (int[]? list in _lists)
                bytes += list is null ? 8 : 32 + (list.Length * 4L);
            return bytes;
        }
    }

    /// <inheritdoc/>
    public override IndexProbe? Probe(ValueTest test)
    {
        switch (test)
        {
            case StringTest strings:
                return Find(strings) is { } found ? Of(found) : null;
            case TextTest text when !IsUuid:
                var ids = new List<int>();
                for (int id = 0; id < _values.Limit; id++)
                {
                    if (_values.IsUsed(id) && text.Contains(_values[id]))
                        ids.Add(id);
                }

                return Of(ids);
            default:
                return null;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<FacetHit> Facets(ReadOnlySpan<ulong> words, int limit)
    {
        var best = new FacetCollector<int>(limit, (left, right) => _values[left].SequenceCompareTo(_values[right]));
        if (words.IsEmpty || BitWords.Count(words) * 2 > Points)
        {
            for (int id = 0; id < _values.Limit; id++)
            {
                if (_values.IsUsed(id))
                    best.Add(id, CountIn(_postings[id], words));
            }
        }
        else
        {
            var counts = new Dictionary<int, long>();
            for (int word = 0; word < words.Length; word++)
            {
                for (ulong rest = words[word]; rest != 0; rest &= rest - 1)
                {
                    uint offset = ((uint)word * 64) + (uint)BitOperations.TrailingZeroCount(rest);
                    ReadOnlySpan<int> ids = ValuesOf(offset, out int one);
                    foreach (int id in ids)
                        Increment(counts, id);
                    if (one >= 0)
                        Increment(counts, one);
                }
            }

            foreach ((int id, long count) in counts)
                best.Add(id, count);
        }

        return best.ToHits(KeyOf);
    }

    /// <inheritdoc/>
    public override void AddKeys(uint offset, List<MatchValue> keys)
    {
        ReadOnlySpan<int> ids = ValuesOf(offset, out int one);
        foreach (int id in ids)
            keys.Add(KeyOf(id));
        if (one >= 0)
            keys.Add(KeyOf(one));
    }

    /// <inheritdoc/>
    protected override bool Collect(JsonElement value)
    {
        int id;
        if (IsUuid)
        {
            if (!JsonValues.TryGetUuid(value, out UInt128 uuid))
                return false;
            Span<byte> bytes = stackalloc byte[16];
            BinaryPrimitives.WriteUInt128BigEndian(bytes, uuid);
            id = _values.Add(bytes);
        }
        else
        {
            if (!JsonValues.TryGetText(value, out ReadOnlySpan<byte> text))
                return false;
            id = _values.Add(text);
        }

        if (!_collected.Contains(id))
            _collected.Add(id);
        return true;
    }

    /// <inheritdoc/>
    protected override bool Apply(uint offset)
    {
        if (_values.Limit > _postings.Length)
            Array.Resize(ref _postings, Math.Max(_values.Limit, _postings.Length * 3 / 2));
        // New values come first, so that one that stays is not taken out of the table and added again.
        foreach (int id in _collected)
            _postings[id].Pinned = true;
        if (IsPresent(offset))
            Clear(offset);
        foreach (int id in _collected)
        {
            _postings[id].Pinned = false;
            _postings[id].Add(offset);
        }

        if (_collected.Count == 1)
        {
            _points[offset] = (uint)_collected[0] + 1;
        }
        else if (_collected.Count > 1)
        {
            if (!_freeLists.TryPop(out int list))
            {
                list = _lists.Count;
                _lists.Add(null);
            }

            _lists[list] = [.. _collected];
            _points[offset] = (uint)list | IsList;
        }

        bool any = _collected.Count > 0;
        _collected.Clear();
        return any;
    }

    /// <inheritdoc/>
    protected override void Clear(uint offset)
    {
        ReadOnlySpan<int> ids = ValuesOf(offset, out int one);
        foreach (int id in ids)
            Release(id, offset);
        if (one >= 0)
        {
            Release(one, offset);
        }
        else
        {
            int list = (int)(_points[offset] & ~IsList);
            _lists[list] = null;
            _freeLists.Push(list);
        }

        _points[offset] = 0;
    }

    /// <inheritdoc/>
    protected override bool HasOther(uint offset, ValueTest test)
    {
        ReadOnlySpan<int> ids = ValuesOf(offset, out _);
        if (ids.IsEmpty || Find((StringTest)test) is not { } set)
            return false;
        foreach (int id in ids)
        {
            if (!set.Contains(id))
                return true;
        }

        return false;
    }

    private static void Increment(Dictionary<int, long> counts, int id) =>
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(counts, id, out _)++;

    private static long CountIn(Posting posting, ReadOnlySpan<ulong> words)
    {
        if (words.IsEmpty)
            return posting.Count;
        return posting.List?.CountIn(words) ?? (posting.Count == 1 && BitWords.Test(words, posting.Single) ? 1 : 0);
    }

    private IndexProbe Of(List<int> ids) => ids.Count switch
    {
        0 => NothingProbe.Instance,
        1 => new OneProbe(this, ids[0]),
        _ => new SomeProbe(this, ids),
    };

    // Null: a string that is no UUID is asked for, of which this index knows nothing.
    private List<int>? Find(StringTest strings)
    {
        var found = new List<int>();
        Span<byte> bytes = stackalloc byte[16];
        if (!IsUuid)
        {
            foreach (byte[] utf8 in strings.Utf8)
            {
                if (_values.Find(utf8) is >= 0 and int id)
                    found.Add(id);
            }

            return found;
        }

        foreach (string text in strings.Strings)
        {
            if (!PointId.TryParseUuid(text, out PointId uuid))
                return null;
            BinaryPrimitives.WriteUInt128BigEndian(bytes, uuid.Bits);
            if (_values.Find(bytes) is >= 0 and int id)
                found.Add(id);
        }

        return found;
    }

    private ReadOnlySpan<int> ValuesOf(uint offset, out int one)
    {
        uint entry = _points[offset];
        one = entry is 0 or >= IsList ? -1 : (int)entry - 1;
        return entry < IsList ? default : _lists[(int)(entry & ~IsList)];
    }

    private MatchValue KeyOf(int id) => MatchValue.Of(
        IsUuid
            ? new Guid(_values[id], bigEndian: true).ToString()
            : System.Text.Encoding.UTF8.GetString(_values[id]));

    private void Release(int id, uint offset)
    {
        ref Posting posting = ref _postings[id];
        posting.Remove(offset);
        if (posting.Count == 0 && !posting.Pinned)
            _values.Remove(id);
    }

    private sealed class OneProbe(MapIndex index, int id) : IndexProbe
    {
        public override long Estimate => index._postings[id].Count;

        public override void AddTo(Span<ulong> words) => index._postings[id].AddTo(words);

        public override bool Holds(uint offset)
        {
            ReadOnlySpan<int> ids = index.ValuesOf(offset, out int one);
            return one == id || ids.Contains(id);
        }
    }

    private sealed class SomeProbe(MapIndex index, List<int> ids) : IndexProbe
    {
        private HashSet<int>? _set;

        public override long Estimate { get; } = Math.Min(ids.Sum(id => (long)index._postings[id].Count), index.Points);

        public override void AddTo(Span<ulong> words)
        {
            foreach (int id in ids)
                index._postings[id].AddTo(words);
        }

        public override bool Holds(uint offset)
        {
            HashSet<int> set = _set ??= [.. ids];
            ReadOnlySpan<int> values = index.ValuesOf(offset, out int one);
            if (one >= 0)
                return set.Contains(one);
            foreach (int id in values)
            {
                if (set.Contains(id))
                    return true;
            }

            return false;
        }
    }

    // The only offset stands in the entry itself: most values of ids and names have one.
    private struct Posting
    {
        public PostingList? List { get; private set; }

        public uint Single { get; private set; }

        public int Count { get; private set; }

        public bool Pinned { get; set; }

        public void Add(uint offset)
        {
            if (List is not null)
                List.Add(offset);
            else if (Count == 0)
                Single = offset;
            else
                List = new PostingList(Single, offset);
            Count++;
        }

        public void Remove(uint offset)
        {
            Count--;
            if (List is null)
                return;
            List.Remove(offset);
            if (Count == 1)
                (Single, List) = (List.First, null);
        }

        public readonly void AddTo(Span<ulong> words)
        {
            if (List is not null)
                List.AddTo(words);
            else if (Count == 1)
                BitWords.Set(words, Single);
        }
    }
}
