using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads the bodies of queries, and of the other reads.</summary>
internal static class QueryRequestReader
{
    /// <summary>Prefetches of one query at most, nested ones included.</summary>
    public const int MaxPrefetches = 256;

    /// <summary>Levels of prefetches at most.</summary>
    public const int MaxPrefetchDepth = 16;

    /// <summary>Queries of one batch at most.</summary>
    public const int MaxBatch = 1024;

    /// <summary>Reads a query.</summary>
    public static QueryRequest Read(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        int left = MaxPrefetches;
        return new QueryRequest
        {
            Prefetches = ReadPrefetches(body.Get("prefetch"), MaxPrefetchDepth, ref left),
            Query = QueryReader.ReadOptional(body),
            Using = body.Get("using")?.AsString() ?? NamedVectors.Unnamed,
            Filter = FilterReader.ReadOptional(body),
            ScoreThreshold = body.Get("score_threshold")?.AsFloat(),
            Parameters = ReadParameters(body.Get("params")),
            Limit = body.Get("limit")?.AsInteger(1) ?? 10,
            Offset = body.Get("offset")?.AsInteger(0) ?? 0,
            LookupFrom = ReadLookup(body.Get("lookup_from")),
            WithPayload = SelectorReader.ReadPayload(body, PayloadSelector.None),
            WithVectors = SelectorReader.ReadVectors(body),
        };
    }

    /// <summary>Reads a batch of requests: the member <c>searches</c>.</summary>
    public static T[] ReadBatch<T>(JsonField body, Func<JsonField, T> read)
    {
        JsonField searches = body.Require("searches");
        return searches.IsArray && searches.Value.GetArrayLength() > MaxBatch
            ? throw searches.Invalid($"a batch has at most {MaxBatch} searches")
            : searches.Map(read);
    }

    /// <summary>Reads a query in groups.</summary>
    public static QueryGroupsRequest ReadGroups(JsonField body) => ReadGroups(body, Read(body));

    /// <summary>Reads what a request in groups has beside its query.</summary>
    public static QueryGroupsRequest ReadGroups(JsonField body, QueryRequest query) => new()
    {
        Query = query,
        GroupBy = body.Require("group_by").AsString(),
        GroupSize = body.Get("group_size")?.AsInteger(1) ?? 3,
        Lookup = body.Get("with_lookup") is not { } lookup
            ? null
            : lookup.IsObject
                ? new GroupLookup(
                    lookup.Require("collection").AsString(),
                    SelectorReader.ReadPayload(lookup, PayloadSelector.All),
                    SelectorReader.ReadVectors(lookup))
                : new GroupLookup(lookup.AsString(), PayloadSelector.All, VectorSelector.None),
    };

    /// <summary>Reads a page's request.</summary>
    public static ScrollRequest ReadScroll(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        return new ScrollRequest
        {
            Offset = JsonField.Optional(body.Get("offset"), IdReader.Read),
            Limit = body.Get("limit")?.AsInteger(1) ?? 10,
            Filter = FilterReader.ReadOptional(body),
            OrderBy = body.Get("order_by") is { } order ? QueryReader.ReadOrder(order) : null,
            WithPayload = SelectorReader.ReadPayload(body, PayloadSelector.All),
            WithVectors = SelectorReader.ReadVectors(body),
        };
    }

    /// <summary>Reads a facet's request.</summary>
    public static FacetRequest ReadFacet(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        return new FacetRequest(
            body.Require("key").AsString(),
            FilterReader.ReadOptional(body),
            body.Get("limit")?.AsInteger(1) ?? 10,
            body.Get("exact")?.AsBoolean() ?? false);
    }

    /// <summary>Reads a matrix's request.</summary>
    public static MatrixRequest ReadMatrix(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        return new MatrixRequest(
            body.Get("sample")?.AsInteger(2) ?? 10,
            body.Get("limit")?.AsInteger(1) ?? 3,
            FilterReader.ReadOptional(body),
            body.Get("using")?.AsString() ?? NamedVectors.Unnamed);
    }

    /// <summary>Reads how a search is done.</summary>
    public static SearchParameters ReadParameters(JsonField? field)
    {
        if (field is null)
            return SearchParameters.Default;
        JsonField? quantization = field.Get("quantization");
        JsonField? oversampling = quantization?.Get("oversampling");
        if (oversampling is not null && oversampling.AsFloat() < 1)
            throw oversampling.Wrong("1 or more");
        if (field.Get("idf") is { } idf && (idf.IsObject || !idf.Value.ValueEquals("global")))
            throw idf.NotOffered("other frequencies of words than those of all points");
        return new SearchParameters
        {
            HnswEf = field.Get("hnsw_ef")?.AsInteger(1),
            Exact = field.Get("exact")?.AsBoolean() ?? false,
            IndexedOnly = field.Get("indexed_only")?.AsBoolean() ?? false,
            IgnoreQuantization = quantization?.Get("ignore")?.AsBoolean() ?? false,
            Rescore = quantization?.Get("rescore")?.AsBoolean(),
            Oversampling = oversampling?.AsFloat(),
        };
    }

    /// <summary>Reads where points that a query names are looked up.</summary>
    public static LookupLocation? ReadLookup(JsonField? field)
    {
        if (field is null)
            return null;
        SelectorReader.RefuseShardKey(field);
        return new LookupLocation(field.Require("collection").AsString(), field.Get("vector")?.AsString());
    }

    private static List<Prefetch> ReadPrefetches(JsonField? field, int depth, ref int left)
    {
        List<Prefetch> prefetches = [];
        foreach (JsonField item in field?.OneOrMany() ?? [])
        {
            if (depth == 0)
                throw item.Invalid($"prefetches nest at most {MaxPrefetchDepth} levels");
            if (left-- == 0)
                throw item.Invalid($"a query has at most {MaxPrefetches} prefetches");
            prefetches.Add(new Prefetch
            {
                Prefetches = ReadPrefetches(item.Get("prefetch"), depth - 1, ref left),
                Query = QueryReader.ReadOptional(item),
                Using = item.Get("using")?.AsString() ?? NamedVectors.Unnamed,
                Filter = FilterReader.ReadOptional(item),
                ScoreThreshold = item.Get("score_threshold")?.AsFloat(),
                Parameters = ReadParameters(item.Get("params")),
                Limit = item.Get("limit")?.AsInteger(1) ?? 10,
                LookupFrom = ReadLookup(item.Get("lookup_from")),
            });
        }

        return prefetches;
    }
}
