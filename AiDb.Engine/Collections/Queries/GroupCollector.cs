using System.Text.Json;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Puts points, as they come best first, into the groups of their values.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class GroupCollector(PayloadValues groupBy, int limit, int size)
{
    private readonly Dictionary<MatchValue, List<ScoredPoint>> _groups = [];
    private readonly List<MatchValue> _order = [];
    private readonly HashSet<PointId> _seen = [];
    private readonly List<JsonElement> _values = [];

    /// <summary>The points that came.</summary>
    public IReadOnlyCollection<PointId> Seen => _seen;

    /// <summary>Whether as many groups as wanted were found.</summary>
    public bool HasAllGroups => _order.Count >= limit;

    /// <summary>The values of the best groups that have all their points.</summary>
    public IEnumerable<MatchValue> FullGroups => _order.Where(key => _groups[key].Count >= size);

    /// <summary>The values of the best groups that lack points.</summary>
    public IEnumerable<MatchValue> OpenGroups => _order.Take(limit).Where(key => _groups[key].Count < size);

    /// <summary>Takes points.</summary>
    public void Add(IReadOnlyList<ScoredPoint> points)
    {
        foreach (ScoredPoint point in points)
        {
            if (!_seen.Add(point.Id))
                continue;
            _values.Clear();
            groupBy.Collect(point.Payload, _values);
            foreach (MatchValue key in _values.Select(KeyOf).OfType<MatchValue>().Distinct())
                AddTo(key, point);
        }
    }

    /// <summary>The best groups; the order of the points' coming is that of groups and hits.</summary>
    public IReadOnlyList<PointGroup> Best() =>
        [.. _order.Take(limit).Select(key => new PointGroup(key, _groups[key], null))];

    private void AddTo(MatchValue key, ScoredPoint point)
    {
        if (!_groups.TryGetValue(key, out List<ScoredPoint>? hits))
        {
            _groups.Add(key, hits = []);
            _order.Add(key);
        }

        if (hits.Count < size)
            hits.Add(point with { Payload = null });
    }

    private static MatchValue? KeyOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => MatchValue.Of(value.GetString()!),
        JsonValueKind.Number when value.TryGetInt64(out long integer) => MatchValue.Of(integer),
        _ => null,
    };
}
