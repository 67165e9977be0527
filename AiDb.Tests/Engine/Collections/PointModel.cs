using System.Text.Json.Nodes;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections;

/// <summary>What a collection should hold, kept in the simplest way.</summary>
internal sealed class PointModel
{
    private Dictionary<PointId, (NamedVectors Vectors, JsonObject Payload)> _points = [];

    public static CollectionOptions Options => new()
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            ["d"] = new() { Dimensions = 3, Metric = VectorMetric.Euclid },
            ["m"] = new() { Dimensions = 2, Metric = VectorMetric.Dot, MultiVector = MultiVectorComparator.MaxSim },
        },
        SparseVectors = new Dictionary<string, SparseVectorOptions> { ["s"] = new() },
        PayloadIndexes = new Dictionary<string, PayloadIndexOptions> { ["a"] = new() { Kind = PayloadIndexKind.Integer } },
    };

    public IReadOnlyCollection<PointId> Ids => _points.Keys;

    /// <summary>Carries out operations, all or (false: a point is missing) none.</summary>
    public bool TryApply(IReadOnlyList<PointOperation> operations)
    {
        Dictionary<PointId, (NamedVectors, JsonObject)> before = new(_points);
        foreach (PointOperation operation in operations)
        {
            if (Apply(operation))
                continue;
            _points = before;
            return false;
        }

        return true;
    }

    /// <summary>Compares everything that can be read with what should be there.</summary>
    public async Task VerifyAsync(ICollections collections, string name, Random random)
    {
        Assert.Equal(_points.Count, await collections.CountAsync(name, null));
        ScrollPage page = await collections.ScrollAsync(
            name, new ScrollRequest { Limit = 1000, WithVectors = VectorSelector.All });
        Assert.Equal(_points.Keys.Order(), page.Points.Select(static point => point.Id));
        foreach (PointRecord record in page.Points)
            AssertEqual(_points[record.Id], record);
        foreach (string vector in new[] { "d", "s", "m" })
            await VerifySearchAsync(collections, name, vector, null, random);
        int value = random.Next(4);
        Filter filter = new() { Must = [new MatchCondition("a", MatchValue.Of(value))] };
        List<PointId> matching = [.. _points.Where(pair => Has(pair.Value.Payload, "a", value)).Select(pair => pair.Key)];
        Assert.Equal(matching.Count, await collections.CountAsync(name, filter));
        await VerifySearchAsync(collections, name, "d", (filter, matching), random);
        Filter scanned = new() { Must = [new MatchCondition("t", MatchValue.Of("1"))] };
        Assert.Equal(
            _points.Count(pair => pair.Value.Payload["t"]?.ToString() == "1"), await collections.CountAsync(name, scanned));
    }

    private static void AssertEqual((NamedVectors Vectors, JsonObject Payload) expected, PointRecord record)
    {
        Assert.True(
            JsonNode.DeepEquals(expected.Payload, JsonNode.Parse(record.Payload!.ToString())),
            $"point {record.Id} has {record.Payload}, not {expected.Payload.ToJsonString()}");
        Assert.Equal(expected.Vectors.Keys.Order(StringComparer.Ordinal), record.Vectors!.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, VectorValue vector) in expected.Vectors)
            Assert.Equal(Numbers(vector), Numbers(record.Vectors[name]));
    }

    private static float[] Numbers(VectorValue vector) => vector switch
    {
        DenseVector dense => dense.Values.ToArray(),
        MultiVector multi => multi.Values.ToArray(),
        _ => ((SparseVector)vector).Values.ToArray(),
    };

    private static bool Has(JsonObject payload, string key, int value) =>
        payload[key] is JsonValue found && found.GetValue<int>() == value;

    private async Task VerifySearchAsync(
        ICollections collections, string name, string vector, (Filter Filter, List<PointId> Ids)? filter, Random random)
    {
        VectorValue query = vector switch
        {
            "d" => new DenseVector(new float[] { random.Next(-9, 9), random.Next(-9, 9), random.Next(-9, 9) }),
            "m" => new MultiVector(new float[] { 1, 2, random.Next(5), 1 }, 2),
            _ => new SparseVector(new uint[] { 1, 8 }, new float[] { 1, random.Next(1, 3) }),
        };
        VectorMetric metric = Options.Vectors.TryGetValue(vector, out VectorOptions? options) ? options.Metric : VectorMetric.Dot;
        List<(PointId Id, float Score)> expected =
        [
            .. _points.Where(pair => pair.Value.Vectors.ContainsKey(vector) && filter?.Ids.Contains(pair.Key) != false)
                .Select(pair => (pair.Key, VectorSimilarity.Between(metric, query, pair.Value.Vectors[vector])))
                .OrderByDescending(static pair => pair.Item2)
                .Select(pair => (pair.Key, VectorSimilarity.ToScore(metric, pair.Item2))),
        ];
        IReadOnlyList<ScoredPoint> found = await collections.QueryAsync(name, new QueryRequest
        {
            Query = new NearestQuery(new VectorValueInput(query)),
            Using = vector,
            Limit = 1000,
            Filter = filter?.Filter,
        });
        Assert.Equal(expected.Select(static pair => pair.Score), found.Select(static point => point.Score));
        Assert.Equal(expected.Select(static pair => pair.Id).Order(), found.Select(static point => point.Id).Order());
    }

    private bool Apply(PointOperation operation)
    {
        switch (operation)
        {
            case UpsertOperation upsert:
                foreach (Point point in upsert.Points)
                {
                    bool exists = _points.ContainsKey(point.Id);
                    if (exists ? upsert.Mode != UpsertMode.InsertOnly : upsert.Mode != UpsertMode.UpdateOnly)
                        _points[point.Id] = (point.Vectors, Parse(point.Payload));
                }

                return true;
            case DeleteOperation delete:
                return Change(delete.Selector, false, static _ => null);
            case UpdateVectorsOperation update:
                return update.Points.All(vectors => Change(PointSelector.Of(vectors.Id), true, point =>
                    (Merge(point.Vectors, vectors.Vectors), point.Payload)));
            case DeleteVectorsOperation delete:
                return Change(delete.Selector, false, point => (Without(point.Vectors, delete.Names), point.Payload));
            case SetPayloadOperation set:
                return Change(set.Selector, true, point => (point.Vectors, Merge(point.Payload, Parse(set.Payload))));
            case OverwritePayloadOperation overwrite:
                return Change(overwrite.Selector, true, point => (point.Vectors, Parse(overwrite.Payload)));
            case DeletePayloadOperation delete:
                return Change(delete.Selector, true, point => (point.Vectors, Without(point.Payload, delete.Paths)));
            default:
                return Change(((ClearPayloadOperation)operation).Selector, false, static point => (point.Vectors, []));
        }
    }

    private bool Change(
        PointSelector selector, bool mustExist,
        Func<(NamedVectors Vectors, JsonObject Payload), (NamedVectors, JsonObject)?> change)
    {
        List<PointId> ids = [.. selector.Ids ?? [.. _points.Keys.Where(id => Meets(selector.Filter!, id))]];
        foreach (PointId id in ids)
        {
            if (!_points.TryGetValue(id, out (NamedVectors, JsonObject) point))
            {
                if (mustExist)
                    return false;
                continue;
            }

            if (change(point) is { } changed)
                _points[id] = changed;
            else
                _points.Remove(id);
        }

        return true;
    }

    private bool Meets(Filter filter, PointId id)
    {
        var condition = (MatchCondition)filter.Must[0];
        return Has(_points[id].Payload, condition.Path, (int)condition.Value.Integer);
    }

    private static JsonObject Parse(Payload? payload) => JsonNode.Parse((payload ?? Payload.Empty).ToString())!.AsObject();

    private static NamedVectors Merge(NamedVectors present, NamedVectors added)
    {
        NamedVectors merged = [];
        foreach ((string name, VectorValue vector) in present.Concat(added))
            merged[name] = vector;
        return merged;
    }

    private static NamedVectors Without(NamedVectors present, IReadOnlyList<string> names)
    {
        NamedVectors kept = [];
        foreach ((string name, VectorValue vector) in present.Where(pair => !names.Contains(pair.Key)))
            kept[name] = vector;
        return kept;
    }

    private static JsonObject Merge(JsonObject present, JsonObject added)
    {
        JsonObject merged = present.DeepClone().AsObject();
        foreach ((string key, JsonNode? value) in added)
            merged[key] = value?.DeepClone();
        return merged;
    }

    private static JsonObject Without(JsonObject present, IReadOnlyList<string> keys)
    {
        JsonObject kept = present.DeepClone().AsObject();
        foreach (string key in keys)
            kept.Remove(key);
        return kept;
    }
}
