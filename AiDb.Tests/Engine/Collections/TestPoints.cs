using AiDb.Engine;
using AiDb.Engine.Collections;

namespace AiDb.Tests.Engine.Collections;

/// <summary>Points and requests in few words.</summary>
internal static class TestPoints
{
    public static CollectionOptions Options(int dimensions, VectorMetric metric) => new()
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            [NamedVectors.Unnamed] = new() { Dimensions = dimensions, Metric = metric },
        },
    };

    public static Payload Payload(string json) => AiDb.Engine.Collections.Payload.Parse(System.Text.Encoding.UTF8.GetBytes(json));

    public static Point Point(PointId id, float[] vector, string? payload = null) => new()
    {
        Id = id,
        Vectors = NamedVectors.Of(vector),
        Payload = payload is null ? null : Payload(payload),
    };

    public static Point Point(ulong id, float[] vector, string? payload = null) => Point(new PointId(id), vector, payload);

    public static UpsertOperation Upsert(params Point[] points) => new(points);

    public static ValueTask<IReadOnlyList<ScoredPoint>> NearestAsync(
        Database database, string collection, float[] vector, int limit) =>
        database.Collections.QueryAsync(collection, new QueryRequest
        {
            Query = new NearestQuery(new VectorValueInput(new DenseVector(vector))),
            Limit = limit,
        });
}
