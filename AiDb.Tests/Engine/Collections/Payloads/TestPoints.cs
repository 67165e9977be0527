using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Vectors;

namespace AiDb.Tests.Engine.Collections.Payloads;

/// <summary>Points in memory whose ids are their offsets, and indexes beside them.</summary>
internal sealed class TestPoints : IPointView, IDisposable
{
    private readonly Dictionary<uint, Payload> _payloads = [];

    public OffsetBitmap Live { get; } = new();

    public PayloadIndexSet Indexes { get; } = new(_ => new TestWords());

    /// <summary>Offsets that have the vector "v".</summary>
    public HashSet<uint> WithVector { get; } = [];

    /// <summary>Payloads that were read.</summary>
    public int Reads { get; set; }

    public Action<uint>? OnRead { get; set; }

    public bool TryFindOffset(PointId id, out uint offset)
    {
        offset = (uint)id.Number;
        return !id.IsUuid && id.Number <= uint.MaxValue && Live.Test(offset);
    }

    public PointId IdAt(uint offset) => new((ulong)offset);

    public bool HasVector(string name, uint offset) => name == "v" && WithVector.Contains(offset);

    public Payload ReadPayload(uint offset)
    {
        Payload payload;
        lock (_payloads)
        {
            Reads++;
            payload = _payloads.GetValueOrDefault(offset, Payload.Empty);
        }

        OnRead?.Invoke(offset);
        return payload;
    }

    public void Put(uint offset, string json)
    {
        Payload payload = PayloadOf(json);
        lock (_payloads)
            _payloads[offset] = payload;
        Live.Set(offset);
        Indexes.Set(offset, payload);
    }

    public void Delete(uint offset)
    {
        Live.Clear(offset);
        lock (_payloads)
            _payloads.Remove(offset);
        Indexes.Remove(offset);
    }

    public void Index(string path, PayloadIndexKind kind) =>
        Indexes.Build([new(path, new PayloadIndexOptions { Kind = kind })], this, default);

    /// <summary>The offsets that the evaluator finds.</summary>
    public uint[] Find(Filter filter)
    {
        using FilterResult result = new FilterEvaluator(Indexes).Evaluate(filter, this, default);
        uint[] offsets = [.. Offsets(result.Matches!)];
        Assert.Equal(offsets.Length, result.Count);
        return offsets;
    }

    public uint[] Find(params Condition[] must) => Find(new Filter { Must = must });

    /// <summary>The offsets that looking at every payload finds.</summary>
    public uint[] FindByLooking(Filter filter)
    {
        var bound = BoundFilter.Bind(filter);
        return [.. Offsets(Live).Where(offset => bound.Matches(_payloads[offset], new ViewPoint(this) { Offset = offset }))];
    }

    public void Dispose() => Indexes.Dispose();

    public static Payload PayloadOf(string json) => Payload.Parse(System.Text.Encoding.UTF8.GetBytes(json));

    private static IEnumerable<uint> Offsets(OffsetBitmap bitmap)
    {
        foreach (uint offset in bitmap)
            yield return offset;
    }

    /// <summary>Words between spaces, whatever their case.</summary>
    private sealed class TestWords : ITextIndex
    {
        private readonly Dictionary<uint, string[][]> _texts = [];

        public long MemoryBytes => 0;

        public void Set(uint offset, IReadOnlyList<string> texts) => _texts[offset] = [.. texts.Select(Words)];

        public void Remove(uint offset) => _texts.Remove(offset);

        public OffsetBitmap Match(string text, TextMatchKind kind)
        {
            string[] words = Words(text);
            OffsetBitmap found = new();
            foreach ((uint offset, string[][] texts) in _texts)
            {
                bool matches = kind == TextMatchKind.AnyWord
                    ? texts.Any(stored => stored.Intersect(words).Any())
                    : texts.Any(stored => words.All(stored.Contains));
                if (matches)
                    found.Set(offset);
            }

            return found;
        }

        private static string[] Words(string text) =>
            text.ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}
