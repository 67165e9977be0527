using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads how points are scored: the member <c>query</c> of a query or a prefetch.</summary>
internal static class QueryReader
{
    private static readonly string[] Kinds =
        ["nearest", "recommend", "discover", "context", "order_by", "fusion", "rrf", "formula", "sample", "bm25"];

    /// <summary>Reads the member <c>query</c>; null: there is none.</summary>
    public static Query? ReadOptional(JsonField body) => body.Get("query") is { } field ? Read(field) : null;

    /// <summary>Reads a query: a vector, a point's id, or an object of one kind.</summary>
    public static Query Read(JsonField field)
    {
        if (!field.IsObject || VectorReader.IsSparse(field))
            return new NearestQuery(ReadInput(field));
        foreach (string kind in Kinds)
        {
            if (field.Get(kind) is { } value)
                return ReadKind(kind, field, value);
        }

        VectorReader.RefuseInference(field);
        if (field.Get("relevance_feedback") is { } feedback)
            throw feedback.NotOffered("relevance feedback; use recommend with positive and negative examples");
        throw field.Wrong("a vector, a point id, or an object of one of " + string.Join(", ", Kinds));
    }

    /// <summary>Reads a vector, or the id of a point that has it.</summary>
    public static VectorInput ReadInput(JsonField field) =>
        field.Kind is JsonValueKind.Number or JsonValueKind.String
            ? new PointIdInput(IdReader.Read(field))
            : new VectorValueInput(VectorReader.Read(field));

    /// <summary>Reads examples.</summary>
    public static RecommendQuery ReadRecommend(JsonField field)
    {
        VectorInput[] positive = field.Get("positive")?.Map(ReadInput) ?? [];
        VectorInput[] negative = field.Get("negative")?.Map(ReadInput) ?? [];
        if (positive.Length + negative.Length == 0)
            throw field.Invalid("give an example: positive or negative");
        RecommendStrategy strategy = field.Get("strategy")?.AsChoice(
            ("average_vector", RecommendStrategy.AverageVector),
            ("best_score", RecommendStrategy.BestScore),
            ("sum_scores", RecommendStrategy.SumScores)) ?? RecommendStrategy.AverageVector;
        if (strategy == RecommendStrategy.AverageVector && positive.Length == 0)
            throw field.Invalid("the strategy average_vector needs a positive example");
        return new RecommendQuery(positive, negative, strategy);
    }

    /// <summary>Reads pairs of examples.</summary>
    public static ContextPair[] ReadPairs(JsonField? field) => field is null
        ? []
        : [.. field.OneOrMany().Select(static pair =>
            new ContextPair(ReadInput(pair.Require("positive")), ReadInput(pair.Require("negative"))))];

    /// <summary>Reads an order: a field's path, or <c>{key, direction, start_from}</c>.</summary>
    public static OrderBy ReadOrder(JsonField field)
    {
        if (!field.IsObject)
            return new OrderBy(field.AsString());
        bool descending = field.Get("direction")?.AsChoice(("asc", false), ("desc", true)) ?? false;
        return new OrderBy(
            field.Require("key").AsString(), descending, JsonField.Optional(field.Get("start_from"), ReadStart));
    }

    private static Query ReadKind(string kind, JsonField query, JsonField value) => kind switch
    {
        "nearest" => new NearestQuery(ReadInput(value), query.Get("mmr") is { } mmr ? ReadMmr(mmr) : null),
        "recommend" => ReadRecommend(value),
        "discover" => new DiscoverQuery(ReadInput(value.Require("target")), ReadPairs(value.Get("context"))),
        "context" => new ContextQuery(ReadPairs(value)),
        "order_by" => new OrderByQuery(ReadOrder(value)),
        "fusion" => value.AsChoice<Query>(("rrf", new RrfQuery()), ("dbsf", new DbsfQuery())),
        "rrf" => ReadRrf(value),
        "formula" => new FormulaQuery(ExpressionReader.Read(value), ReadDefaults(query.Get("defaults"))),
        "sample" => value.AsChoice<Query>(("random", new SampleQuery())),
        _ => ReadText(value),
    };

    private static MmrOptions ReadMmr(JsonField field)
    {
        JsonField? diversity = field.Get("diversity");
        if (diversity is not null && diversity.AsFloat() is < 0 or > 1)
            throw diversity.Wrong("a number from 0 to 1");
        return new MmrOptions(diversity?.AsFloat(), field.Get("candidates_limit")?.AsInteger(1, 16_384));
    }

    private static RrfQuery ReadRrf(JsonField field) => new(
        field.Get("k")?.AsInteger(1),
        field.Get("weights")?.Map(static weight => weight.AsFloat() is var value and >= 0 ? value : throw weight.Wrong("0 or more")));

    private static TextQuery ReadText(JsonField field) => new(
        field.Require("field").AsString(),
        field.Require("text").AsString(),
        field.Get("k1")?.AsFloat(),
        field.Get("b")?.AsFloat());

    // The values outlive the body's document.
    private static Dictionary<string, JsonElement> ReadDefaults(JsonField? field)
    {
        Dictionary<string, JsonElement> defaults = new(StringComparer.Ordinal);
        foreach ((string name, JsonField value) in field?.Members() ?? [])
            defaults[name] = value.Value.Clone();
        return defaults;
    }

    private static OrderValue ReadStart(JsonField field)
    {
        if (field.Kind == JsonValueKind.String)
            return OrderValue.Of((FieldConditionReader.ReadTime(field) - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        return field.Kind == JsonValueKind.Number && field.Value.TryGetInt64(out long integer)
            ? OrderValue.Of(integer)
            : OrderValue.Of(field.AsDouble());
    }
}
