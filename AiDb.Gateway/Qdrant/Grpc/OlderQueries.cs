using AiDb.Cluster.Collections;
using AiDb.Engine.Collections;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Reads the searches of clients before the query interface.</summary>
internal static class OlderQueries
{
    public static QueryRequest FromWire(Wire.SearchPoints search)
    {
        GrpcCalls.Check(search.ReadConsistency, search.ShardKeySelector);
        return new QueryRequest
        {
            Query = Nearest(search.Vector, search.SparseIndices),
            Using = search.VectorName,
            Filter = WireFilters.FromWire(search.Filter),
            ScoreThreshold = search.HasScoreThreshold ? search.ScoreThreshold : null,
            Parameters = WireSelectors.FromWire(search.Params),
            Limit = Limits.ToInt(search.Limit, "limit"),
            Offset = Limits.ToInt(search.Offset, "offset"),
            WithPayload = WireSelectors.FromWire(search.WithPayload, PayloadSelector.None),
            WithVectors = WireSelectors.FromWire(search.WithVectors),
        };
    }

    public static QueryGroupsRequest FromWire(Wire.SearchPointGroups search)
    {
        GrpcCalls.Check(search.ReadConsistency, search.ShardKeySelector);
        return new QueryGroupsRequest
        {
            Query = new QueryRequest
            {
                Query = Nearest(search.Vector, search.SparseIndices),
                Using = search.VectorName,
                Filter = WireFilters.FromWire(search.Filter),
                ScoreThreshold = search.HasScoreThreshold ? search.ScoreThreshold : null,
                Parameters = WireSelectors.FromWire(search.Params),
                Limit = Limits.ToInt(search.Limit, "limit"),
                WithPayload = WireSelectors.FromWire(search.WithPayload, PayloadSelector.None),
                WithVectors = WireSelectors.FromWire(search.WithVectors),
            },
            GroupBy = search.GroupBy,
            GroupSize = Limits.ToInt(search.GroupSize, "group_size"),
            Lookup = WireQueries.FromWire(search.WithLookup),
        };
    }

    public static QueryRequest FromWire(Wire.RecommendPoints search)
    {
        GrpcCalls.Check(search.ReadConsistency, search.ShardKeySelector);
        return new QueryRequest
        {
            Query = new RecommendQuery(
                Examples(search.Positive, search.PositiveVectors, "positive"),
                Examples(search.Negative, search.NegativeVectors, "negative"), WireQueries.FromWire(search.Strategy)),
            Using = search.Using,
            Filter = WireFilters.FromWire(search.Filter),
            ScoreThreshold = search.HasScoreThreshold ? search.ScoreThreshold : null,
            Parameters = WireSelectors.FromWire(search.Params),
            Limit = Limits.ToInt(search.Limit, "limit"),
            Offset = Limits.ToInt(search.Offset, "offset"),
            LookupFrom = WireQueries.FromWire(search.LookupFrom),
            WithPayload = WireSelectors.FromWire(search.WithPayload, PayloadSelector.None),
            WithVectors = WireSelectors.FromWire(search.WithVectors),
        };
    }

    public static QueryGroupsRequest FromWire(Wire.RecommendPointGroups search)
    {
        GrpcCalls.Check(search.ReadConsistency, search.ShardKeySelector);
        return new QueryGroupsRequest
        {
            Query = new QueryRequest
            {
                Query = new RecommendQuery(
                    Examples(search.Positive, search.PositiveVectors, "positive"),
                    Examples(search.Negative, search.NegativeVectors, "negative"),
                    WireQueries.FromWire(search.Strategy)),
                Using = search.Using,
                Filter = WireFilters.FromWire(search.Filter),
                ScoreThreshold = search.HasScoreThreshold ? search.ScoreThreshold : null,
                Parameters = WireSelectors.FromWire(search.Params),
                Limit = Limits.ToInt(search.Limit, "limit"),
                LookupFrom = WireQueries.FromWire(search.LookupFrom),
                WithPayload = WireSelectors.FromWire(search.WithPayload, PayloadSelector.None),
                WithVectors = WireSelectors.FromWire(search.WithVectors),
            },
            GroupBy = search.GroupBy,
            GroupSize = Limits.ToInt(search.GroupSize, "group_size"),
            Lookup = WireQueries.FromWire(search.WithLookup),
        };
    }

    public static QueryRequest FromWire(Wire.DiscoverPoints search)
    {
        GrpcCalls.Check(search.ReadConsistency, search.ShardKeySelector);
        ContextPair[] context = new ContextPair[search.Context.Count];
        for (int i = 0; i < context.Length; i++)
        {
            context[i] = new ContextPair(
                Example(search.Context[i].Positive, $"context[{i}].positive"),
                Example(search.Context[i].Negative, $"context[{i}].negative"));
        }

        Query query = search.Target is null
            ? new ContextQuery(context)
            : new DiscoverQuery(Example(search.Target.Single, "target"), context);
        return new QueryRequest
        {
            Query = query,
            Using = search.Using,
            Filter = WireFilters.FromWire(search.Filter),
            Parameters = WireSelectors.FromWire(search.Params),
            Limit = Limits.ToInt(search.Limit, "limit"),
            Offset = Limits.ToInt(search.Offset, "offset"),
            LookupFrom = WireQueries.FromWire(search.LookupFrom),
            WithPayload = WireSelectors.FromWire(search.WithPayload, PayloadSelector.None),
            WithVectors = WireSelectors.FromWire(search.WithVectors),
        };
    }

    private static NearestQuery Nearest(RepeatedField<float> vector, Wire.SparseIndices? indices) =>
        new(new VectorValueInput(WireVectors.Flat(vector, indices, null, "vector")));

    private static VectorInput[] Examples(
        RepeatedField<Wire.PointId> ids, RepeatedField<Wire.Vector> vectors, string field) =>
    [
        .. ids.Select(id => new PointIdInput(WireIds.FromWire(id, field))),
        .. vectors.Select(vector => new VectorValueInput(WireVectors.FromWire(vector, field + "_vectors"))),
    ];

    private static VectorInput Example(Wire.VectorExample? example, string field) => example?.ExampleCase switch
    {
        Wire.VectorExample.ExampleOneofCase.Id => new PointIdInput(WireIds.FromWire(example.Id, field)),
        Wire.VectorExample.ExampleOneofCase.Vector =>
            new VectorValueInput(WireVectors.FromWire(example.Vector, field)),
        _ => throw GrpcCalls.Invalid($"{field} is missing"),
    };
}
