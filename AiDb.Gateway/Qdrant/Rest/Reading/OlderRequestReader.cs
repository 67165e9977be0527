using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads the bodies of the routes that clients up to 1.18 call: search, recommend and discover, as the
/// queries that they are.</summary>
internal static class OlderRequestReader
{
    /// <summary>Reads a search.</summary>
    public static QueryRequest ReadSearch(JsonField body)
    {
        JsonField vector = body.Require("vector");
        bool isNamed = vector.IsObject && !VectorReader.IsSparse(vector);
        VectorValue value = VectorReader.Read(isNamed ? vector.Require("vector") : vector);
        return ReadCommon(body) with
        {
            Query = new NearestQuery(new VectorValueInput(value)),
            Using = isNamed ? vector.Require("name").AsString() : NamedVectors.Unnamed,
        };
    }

    /// <summary>Reads a recommendation.</summary>
    public static QueryRequest ReadRecommend(JsonField body) =>
        ReadCommon(body) with { Query = QueryReader.ReadRecommend(body) };

    /// <summary>Reads a discovery: by a target, by pairs, or by both.</summary>
    public static QueryRequest ReadDiscover(JsonField body)
    {
        ContextPair[] pairs = QueryReader.ReadPairs(body.Get("context"));
        Query query = body.Get("target") is { } target
            ? new DiscoverQuery(QueryReader.ReadInput(target), pairs)
            : new ContextQuery(pairs);
        return ReadCommon(body) with { Query = query };
    }

    private static QueryRequest ReadCommon(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        return new QueryRequest
        {
            Using = body.Get("using") is { } name ? (name.IsObject ? name.Require("name") : name).AsString() : NamedVectors.Unnamed,
            Filter = FilterReader.ReadOptional(body),
            ScoreThreshold = body.Get("score_threshold")?.AsFloat(),
            Parameters = QueryRequestReader.ReadParameters(body.Get("params")),
            Limit = body.Require("limit").AsInteger(1),
            Offset = body.Get("offset")?.AsInteger(0) ?? 0,
            LookupFrom = QueryRequestReader.ReadLookup(body.Get("lookup_from")),
            WithPayload = SelectorReader.ReadPayload(body, PayloadSelector.None),
            WithVectors = SelectorReader.ReadVectors(body),
        };
    }
}
