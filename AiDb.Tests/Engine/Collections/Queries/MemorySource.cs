using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections.Queries;

/// <summary>A collection as a list of points, searched by looking at each: what the executor is compared with.</summary>
internal sealed class MemorySource(string name, CollectionOptions options, params Point[] points) : IQuerySource
{
    private readonly SortedDictionary<PointId, Point> _points = new(points.ToDictionary(static point => point.Id));
    private readonly Dictionary<string, IQuerySource> _others = [];

    public string Name => name;

    public CollectionOptions Options => options;

    /// <summary>The searches that were asked for.</summary>
    public List<LeafQuery> Searches { get; } = [];

    /// <summary>How often points were asked for by their ids.</summary>
    public int Retrievals { get; private set; }

    public IEnumerable<Point> Points => _points.Values;

    public static PointId Id(ulong number) => new(number);

    public static CollectionOptions Dense(int dimensions, VectorMetric metric) => new()
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            [NamedVectors.Unnamed] = new() { Dimensions = dimensions, Metric = metric },
        },
    };

    public static Point Point(ulong id, string payload, params float[] vector) => new()
    {
        Id = Id(id),
        Vectors = vector.Length == 0 ? [] : NamedVectors.Of(vector),
        Payload = Payload.Parse(System.Text.Encoding.UTF8.GetBytes(payload)),
    };

    public MemorySource With(IQuerySource other)
    {
        _others.Add(other.Name, other);
        return this;
    }

    public void Remove(PointId id) => _points.Remove(id);

    public ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken)
    {
        if (collection == name)
            return ValueTask.FromResult<IQuerySource>(this);
        return _others.TryGetValue(collection, out IQuerySource? other)
            ? ValueTask.FromResult(other)
            : throw new AiDbException(AiDbErrorKind.NotFound, $"There is no collection {collection}.");
    }

    public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken)
    {
        Retrievals++;
        List<PointRecord> records = [];
        foreach (PointId id in ids)
        {
            if (_points.TryGetValue(id, out Point? point))
            {
                records.Add(new PointRecord
                {
                    Id = id,
                    Payload = withPayload.Enabled ? point.Payload ?? Payload.Empty : null,
                    Vectors = Select(point, withVectors),
                });
            }
        }

        return ValueTask.FromResult<IReadOnlyList<PointRecord>>(records);
    }

    public ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken)
    {
        Searches.Add(query);
        List<ScoredPoint> found = [];
        foreach (Point point in _points.Values.Where(point => Holds(query.Filter, point)))
        {
            if (ScoreOf(query, point) is { } score)
                found.Add(new ScoredPoint { Id = point.Id, Score = score });
        }

        bool higher = ScoreOrder.HigherIsBetter(options, query.Query, query.Using);
        if (query.ScoreThreshold is { } threshold)
            found.RemoveAll(point => higher ? point.Score < threshold : point.Score > threshold);
        if (query.Query is not (null or SampleQuery or OrderByQuery))
            found.Sort(ScoreOrder.For(higher));
        if (query.Query is OrderByQuery order)
            found = [.. found.OrderBy(point => Order(point.Id, order.OrderBy)).ThenBy(point => point.Id)];
        return ValueTask.FromResult<IReadOnlyList<ScoredPoint>>(
            [.. found.Take(query.Limit).Select(point => Fill(point, query))]);
    }

    public bool Holds(Filter? filter, Point point) => filter is null
        || (filter.Must.All(condition => Holds(condition, point))
            && (filter.Should.Count == 0 || filter.Should.Any(condition => Holds(condition, point)))
            && !filter.MustNot.Any(condition => Holds(condition, point)));

    private static NamedVectors? Select(Point point, VectorSelector selector)
    {
        if (!selector.Enabled)
            return null;
        NamedVectors vectors = [];
        foreach ((string vector, VectorValue value) in point.Vectors)
        {
            if (selector.Names?.Contains(vector) != false)
                vectors.Add(vector, value);
        }

        return vectors;
    }

    private double Order(PointId id, OrderBy order)
    {
        double value = _points[id].Payload!.Root.GetProperty(order.Path).GetDouble();
        return order.Descending ? -value : value;
    }

    private ScoredPoint Fill(ScoredPoint point, LeafQuery query) => point with
    {
        Payload = query.WithPayload.Enabled ? _points[point.Id].Payload ?? Payload.Empty : null,
        Vectors = Select(_points[point.Id], query.WithVectors),
    };

    private float? ScoreOf(LeafQuery query, Point point)
    {
        switch (query.Query)
        {
            case null or SampleQuery:
                return 0;
            case OrderByQuery order:
                return point.Payload!.Root.TryGetProperty(order.OrderBy.Path, out _) ? 0 : null;
        }

        if (!point.Vectors.TryGetValue(query.Using, out VectorValue? vector))
            return null;
        VectorMetric metric = options.Vectors.TryGetValue(query.Using, out VectorOptions? dense)
            ? dense.Metric
            : VectorMetric.Dot;
        if (query.Query is NearestQuery nearest)
        {
            return VectorSimilarity.ToScore(
                metric, VectorSimilarity.Between(metric, ((VectorValueInput)nearest.Vector).Vector, vector));
        }

        ExampleScorer scorer = ExampleScorer.For(query.Query)!;
        return scorer.Combine([.. scorer.Examples.Select(
            example => VectorSimilarity.Between(metric, example, vector))]);
    }

    private bool Holds(Condition condition, Point point) => condition switch
    {
        FilterCondition filter => Holds(filter.Filter, point),
        HasIdCondition ids => ids.Ids.Contains(point.Id),
        HasVectorCondition vector => point.Vectors.ContainsKey(vector.Vector),
        IsEmptyCondition empty => Values(point, empty.Path).Count == 0,
        MatchCondition match => Values(point, match.Path).Contains(match.Value),
        MatchAnyCondition any => Values(point, any.Path).Any(any.Values.Contains),
        MatchExceptCondition except => Values(point, except.Path).Any(value => !except.Values.Contains(value)),
        _ => throw new NotSupportedException($"{condition}"),
    };

    private static List<MatchValue> Values(Point point, string path)
    {
        List<JsonElement> values = [];
        PayloadValues.Parse(path, "key").Collect(point.Payload, values);
        return [.. values.Select(static value => value.ValueKind switch
        {
            JsonValueKind.String => MatchValue.Of(value.GetString()!),
            JsonValueKind.Number when value.TryGetInt64(out long integer) => MatchValue.Of(integer),
            _ => MatchValue.Of(value.ValueKind == JsonValueKind.True),
        })];
    }
}
