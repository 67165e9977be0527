using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads filters. A member that does not exist is an error: a misspelt condition must not select
/// everything.</summary>
internal static class FilterReader
{
    /// <summary>Levels of filters within filters at most.</summary>
    public const int MaxDepth = 32;

    private static readonly string[] FilterNames = ["must", "should", "must_not", "min_should"];

    /// <summary>Reads the member <c>filter</c> of a body; null: there is none.</summary>
    public static Filter? ReadOptional(JsonField body, string name = "filter") =>
        body.Get(name) is { } field ? Read(field) : null;

    /// <summary>Reads a filter.</summary>
    public static Filter Read(JsonField field) => Read(field, MaxDepth);

    /// <summary>Reads one condition.</summary>
    public static Condition ReadCondition(JsonField field) => ReadCondition(field, MaxDepth);

    /// <summary>Whether an object is a condition, among other things that an object may be.</summary>
    public static bool IsCondition(JsonField field)
    {
        foreach (JsonProperty property in field.Value.EnumerateObject())
        {
            if (property.Name is "key" or "is_empty" or "is_null" or "has_id" or "has_vector" or "nested" or "slice"
                or "must" or "should" or "must_not" or "min_should" or "filter")
            {
                return true;
            }
        }

        return false;
    }

    private static Filter Read(JsonField field, int depth)
    {
        if (depth == 0)
            throw field.Invalid($"filters nest at most {MaxDepth} levels");
        if (!field.IsObject)
            throw field.Wrong("a filter: an object of must, should, must_not, min_should");
        field.AllowOnly(FilterNames);
        return new Filter
        {
            Must = ReadConditions(field.Get("must"), depth),
            Should = ReadConditions(field.Get("should"), depth),
            MustNot = ReadConditions(field.Get("must_not"), depth),
            MinShould = field.Get("min_should") is { } min
                ? new MinShould(ReadConditions(min.Require("conditions"), depth), min.Require("min_count").AsInteger(0))
                : null,
        };
    }

    private static Condition[] ReadConditions(JsonField? field, int depth) =>
        field is null ? [] : [.. field.OneOrMany().Select(condition => ReadCondition(condition, depth - 1))];

    private static Condition ReadCondition(JsonField field, int depth)
    {
        if (!field.IsObject)
            throw field.Wrong("a condition: an object");
        if (field.Get("key") is not null)
            return FieldConditionReader.Read(field);
        if (field.Get("is_empty") is { } empty)
            return new IsEmptyCondition(Only(field, "is_empty", empty).Require("key").AsString());
        if (field.Get("is_null") is { } isNull)
            return new IsNullCondition(Only(field, "is_null", isNull).Require("key").AsString());
        if (field.Get("has_id") is { } ids)
            return new HasIdCondition(Only(field, "has_id", ids).Map(IdReader.Read));
        if (field.Get("has_vector") is { } vector)
            return new HasVectorCondition(Only(field, "has_vector", vector).AsString());
        if (field.Get("slice") is { } slice)
            throw slice.NotOffered("slices; read all points page by page with scroll");
        if (field.Get("nested") is { } nested)
        {
            nested = Only(field, "nested", nested);
            nested.AllowOnly("key", "filter");
            return new NestedCondition(nested.Require("key").AsString(), Read(nested.Require("filter"), depth));
        }

        if (field.Get("filter") is { } inner)
            return new FilterCondition(Read(Only(field, "filter", inner), depth));
        return new FilterCondition(Read(field, depth));
    }

    private static JsonField Only(JsonField condition, string name, JsonField value)
    {
        condition.AllowOnly(name);
        return value;
    }
}
