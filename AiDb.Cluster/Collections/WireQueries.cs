using AiDb.Engine.Collections;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Queries on the wire.</summary>
public static class WireQueries
{
    /// <summary>Reads how points are scored; null where the message has none: in the order of ids.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: incomplete or not
    /// known.</exception>
    public static Query? FromWire(Wire.Query? query, string field = "query")
    {
        switch (query?.VariantCase)
        {
            case null or Wire.Query.VariantOneofCase.None:
                return null;
            case Wire.Query.VariantOneofCase.Nearest:
                return new NearestQuery(WireVectors.FromWire(query.Nearest, field + ".nearest"));
            case Wire.Query.VariantOneofCase.NearestWithMmr:
                return new NearestQuery(
                    WireVectors.FromWire(query.NearestWithMmr.Nearest, field + ".nearest_with_mmr.nearest"),
                    FromWire(query.NearestWithMmr.Mmr));
            case Wire.Query.VariantOneofCase.Recommend:
                return new RecommendQuery(
                    FromWire(query.Recommend.Positive, field + ".recommend.positive"),
                    FromWire(query.Recommend.Negative, field + ".recommend.negative"),
                    FromWire(query.Recommend.Strategy));
            case Wire.Query.VariantOneofCase.Discover:
                return new DiscoverQuery(
                    WireVectors.FromWire(query.Discover.Target, field + ".discover.target"),
                    FromWire(query.Discover.Context, field + ".discover.context"));
            case Wire.Query.VariantOneofCase.Context:
                return new ContextQuery(FromWire(query.Context, field + ".context"));
            case Wire.Query.VariantOneofCase.OrderBy:
                return new OrderByQuery(WireOrders.FromWire(query.OrderBy, field + ".order_by"));
            case Wire.Query.VariantOneofCase.Fusion:
                return query.Fusion switch
                {
                    Wire.Fusion.Rrf => new RrfQuery(),
                    Wire.Fusion.Dbsf => new DbsfQuery(),
                    _ => throw WireErrors.Invalid($"{field}.fusion is {(int)query.Fusion}; 0 (RRF) and 1 (DBSF) are known"),
                };
            case Wire.Query.VariantOneofCase.Rrf:
                return new RrfQuery(
                    query.Rrf.HasK ? WireErrors.ToInt(query.Rrf.K, field + ".rrf.k") : null,
                    query.Rrf.Weights.Count > 0 ? [.. query.Rrf.Weights] : null);
            case Wire.Query.VariantOneofCase.Sample:
                return query.Sample == Wire.Sample.Random
                    ? new SampleQuery()
                    : throw WireErrors.Invalid($"{field}.sample is {(int)query.Sample}; 0 (random) is known");
            case Wire.Query.VariantOneofCase.Formula:
                return WireFormulas.FromWire(query.Formula, field + ".formula");
            case Wire.Query.VariantOneofCase.Text:
                return new TextQuery(
                    query.Text.Key, query.Text.Text, query.Text.HasK1 ? query.Text.K1 : null,
                    query.Text.HasB ? query.Text.B : null);
            default:
                throw WireErrors.Invalid($"{field}: a query of the kind {query.VariantCase} is not supported");
        }
    }

    /// <summary>Writes how points are scored; of queries that a shard carries out.</summary>
    public static Wire.Query? ToWire(Query? query)
    {
        switch (query)
        {
            case null:
                return null;
            case NearestQuery { Mmr: null } nearest:
                return new Wire.Query { Nearest = WireVectors.ToWire(nearest.Vector) };
            case RecommendQuery recommend:
                var input = new Wire.RecommendInput { Strategy = (Wire.RecommendStrategy)recommend.Strategy };
                input.Positive.AddRange(recommend.Positive.Select(WireVectors.ToWire));
                input.Negative.AddRange(recommend.Negative.Select(WireVectors.ToWire));
                return new Wire.Query { Recommend = input };
            case DiscoverQuery discover:
                return new Wire.Query
                {
                    Discover = new Wire.DiscoverInput
                    {
                        Target = WireVectors.ToWire(discover.Target),
                        Context = ToWire(discover.Context),
                    },
                };
            case ContextQuery context:
                return new Wire.Query { Context = ToWire(context.Context) };
            case OrderByQuery order:
                return new Wire.Query { OrderBy = WireOrders.ToWire(order.OrderBy) };
            case SampleQuery:
                return new Wire.Query { Sample = Wire.Sample.Random };
            case TextQuery text:
                var words = new Wire.TextInput { Key = text.Path, Text = text.Text };
                if (text.K1 is { } k1)
                    words.K1 = k1;
                if (text.B is { } b)
                    words.B = b;
                return new Wire.Query { Text = words };
            default:
                throw new AiDbException(
                    AiDbErrorKind.Internal, $"A shard does not carry out a query of the kind {query.GetType().Name}.");
        }
    }

    /// <summary>Reads a whole query; its limits are checked where it is carried out.</summary>
    public static QueryRequest FromWire(Wire.QueryPoints query) => new()
    {
        Prefetches = FromWire(query.Prefetch, "prefetch"),
        Query = FromWire(query.Query),
        Using = query.Using,
        Filter = WireFilters.FromWire(query.Filter),
        ScoreThreshold = query.HasScoreThreshold ? query.ScoreThreshold : null,
        Parameters = WireSelectors.FromWire(query.Params),
        Limit = query.HasLimit ? WireErrors.ToInt(query.Limit, "limit") : 10,
        Offset = WireErrors.ToInt(query.Offset, "offset"),
        LookupFrom = FromWire(query.LookupFrom),
        WithPayload = WireSelectors.FromWire(query.WithPayload, PayloadSelector.None),
        WithVectors = WireSelectors.FromWire(query.WithVectors),
    };

    /// <summary>Reads a whole query with groups.</summary>
    public static QueryGroupsRequest FromWire(Wire.QueryPointGroups query)
    {
        if (query.GroupBy.Length == 0)
            throw WireErrors.Missing("group_by");
        return new QueryGroupsRequest
        {
            Query = new QueryRequest
            {
                Prefetches = FromWire(query.Prefetch, "prefetch"),
                Query = FromWire(query.Query),
                Using = query.Using,
                Filter = WireFilters.FromWire(query.Filter),
                ScoreThreshold = query.HasScoreThreshold ? query.ScoreThreshold : null,
                Parameters = WireSelectors.FromWire(query.Params),
                Limit = query.HasLimit ? WireErrors.ToInt(query.Limit, "limit") : 10,
                LookupFrom = FromWire(query.LookupFrom),
                WithPayload = WireSelectors.FromWire(query.WithPayload, PayloadSelector.None),
                WithVectors = WireSelectors.FromWire(query.WithVectors),
            },
            GroupBy = query.GroupBy,
            GroupSize = query.HasGroupSize ? WireErrors.ToInt(query.GroupSize, "group_size") : 3,
            Lookup = FromWire(query.WithLookup),
        };
    }

    /// <summary>Reads what a shard carries out.</summary>
    public static LeafQuery ToLeaf(Wire.QueryPoints query) => new()
    {
        Query = FromWire(query.Query),
        Using = query.Using,
        Filter = WireFilters.FromWire(query.Filter),
        ScoreThreshold = query.HasScoreThreshold ? query.ScoreThreshold : null,
        Parameters = WireSelectors.FromWire(query.Params),
        Limit = WireErrors.ToInt(query.Limit, "limit"),
        WithPayload = WireSelectors.FromWire(query.WithPayload, PayloadSelector.None),
        WithVectors = WireSelectors.FromWire(query.WithVectors),
    };

    /// <summary>Writes what a shard carries out.</summary>
    public static Wire.QueryPoints ToWire(LeafQuery leaf)
    {
        var result = new Wire.QueryPoints
        {
            Query = ToWire(leaf.Query),
            Filter = WireFilters.ToWire(leaf.Filter),
            Params = WireSelectors.ToWire(leaf.Parameters),
            Limit = (ulong)leaf.Limit,
            WithPayload = WireSelectors.ToWire(leaf.WithPayload),
            WithVectors = WireSelectors.ToWire(leaf.WithVectors),
        };
        if (leaf.Using.Length > 0)
            result.Using = leaf.Using;
        if (leaf.ScoreThreshold is { } threshold)
            result.ScoreThreshold = threshold;
        return result;
    }

    /// <summary>Reads where a group's own point comes from.</summary>
    public static GroupLookup? FromWire(Wire.WithLookup? lookup) => lookup is null
        ? null
        : new GroupLookup(
            lookup.Collection, WireSelectors.FromWire(lookup.WithPayload, PayloadSelector.All),
            WireSelectors.FromWire(lookup.WithVectors));

    /// <summary>Reads where points that a query names are looked up.</summary>
    public static LookupLocation? FromWire(Wire.LookupLocation? location) => location is null
        ? null
        : new LookupLocation(location.CollectionName, location.HasVectorName ? location.VectorName : null);

    /// <summary>Reads how examples are combined.</summary>
    public static RecommendStrategy FromWire(Wire.RecommendStrategy strategy) =>
        Enum.IsDefined((RecommendStrategy)strategy)
            ? (RecommendStrategy)strategy
            : throw WireErrors.Invalid($"strategy is {(int)strategy}; 0 to 2 are known");

    private static Prefetch[] FromWire(RepeatedField<Wire.PrefetchQuery> prefetches, string field)
    {
        var result = new Prefetch[prefetches.Count];
        for (int i = 0; i < result.Length; i++)
        {
            Wire.PrefetchQuery prefetch = prefetches[i];
            string name = $"{field}[{i}]";
            result[i] = new Prefetch
            {
                Prefetches = FromWire(prefetch.Prefetch, name + ".prefetch"),
                Query = FromWire(prefetch.Query, name + ".query"),
                Using = prefetch.Using,
                Filter = WireFilters.FromWire(prefetch.Filter),
                ScoreThreshold = prefetch.HasScoreThreshold ? prefetch.ScoreThreshold : null,
                Parameters = WireSelectors.FromWire(prefetch.Params),
                Limit = prefetch.HasLimit ? WireErrors.ToInt(prefetch.Limit, name + ".limit") : 10,
                LookupFrom = FromWire(prefetch.LookupFrom),
            };
        }

        return result;
    }

    private static MmrOptions FromWire(Wire.Mmr? mmr) => new(
        mmr is { HasDiversity: true } ? mmr.Diversity : null,
        mmr is { HasCandidatesLimit: true } ? WireErrors.ToInt(mmr.CandidatesLimit, "mmr.candidates_limit") : null);

    private static VectorInput[] FromWire(RepeatedField<Wire.VectorInput> inputs, string field)
    {
        var result = new VectorInput[inputs.Count];
        for (int i = 0; i < result.Length; i++)
            result[i] = WireVectors.FromWire(inputs[i], $"{field}[{i}]");
        return result;
    }

    private static ContextPair[] FromWire(Wire.ContextInput? context, string field)
    {
        var result = new ContextPair[context?.Pairs.Count ?? 0];
        for (int i = 0; i < result.Length; i++)
        {
            Wire.ContextInputPair pair = context!.Pairs[i];
            result[i] = new ContextPair(
                WireVectors.FromWire(pair.Positive, $"{field}[{i}].positive"),
                WireVectors.FromWire(pair.Negative, $"{field}[{i}].negative"));
        }

        return result;
    }

    private static Wire.ContextInput ToWire(IReadOnlyList<ContextPair> context)
    {
        var result = new Wire.ContextInput();
        result.Pairs.AddRange(context.Select(pair => new Wire.ContextInputPair
        {
            Positive = WireVectors.ToWire(pair.Positive),
            Negative = WireVectors.ToWire(pair.Negative),
        }));
        return result;
    }
}
