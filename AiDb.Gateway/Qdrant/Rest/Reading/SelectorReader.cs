using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads what comes with a result, and which points a change concerns.</summary>
internal static class SelectorReader
{
    /// <summary>Reads <c>with_payload</c>: true, false, paths, or <c>{include}</c> or
    /// <c>{exclude}</c>.</summary>
    public static PayloadSelector ReadPayload(JsonField body, PayloadSelector byDefault)
    {
        if (body.Get("with_payload") is not { } field)
            return byDefault;
        if (field.IsArray)
            return new PayloadSelector { Enabled = true, Include = ReadStrings(field) };
        if (!field.IsObject)
            return field.AsBoolean() ? PayloadSelector.All : PayloadSelector.None;
        field.AllowOnly("include", "exclude");
        JsonField? include = field.Get("include");
        JsonField? exclude = field.Get("exclude");
        if (include is null == exclude is null)
            throw field.Invalid("give either include or exclude");
        return new PayloadSelector
        {
            Enabled = true,
            Include = include is null ? null : ReadStrings(include),
            Exclude = exclude is null ? null : ReadStrings(exclude),
        };
    }

    /// <summary>Reads <c>with_vector</c>, which older clients call <c>with_vectors</c>: true, false, or
    /// names.</summary>
    public static VectorSelector ReadVectors(JsonField body)
    {
        if (body.Get("with_vector", "with_vectors") is not { } field)
            return VectorSelector.None;
        if (field.IsArray)
            return new VectorSelector { Enabled = true, Names = ReadStrings(field) };
        return field.AsBoolean() ? VectorSelector.All : VectorSelector.None;
    }

    /// <summary>Reads the points of a change: <c>points</c>, or <c>filter</c>.</summary>
    public static PointSelector ReadPoints(JsonField body)
    {
        RefuseShardKey(body);
        JsonField? points = body.Get("points");
        JsonField? filter = body.Get("filter");
        if (points is null == filter is null)
            throw body.Invalid("give either points (ids) or filter");
        return points is not null
            ? new PointSelector(points.Map(IdReader.Read), null)
            : PointSelector.Of(FilterReader.Read(filter!));
    }

    /// <summary>Reads an array of strings.</summary>
    public static string[] ReadStrings(JsonField field) => field.Map(static item => item.AsString());

    /// <summary>Refuses <c>shard_key</c>: to ignore it would answer from, or change, other points than those that
    /// were meant.</summary>
    public static void RefuseShardKey(JsonField body)
    {
        if (body.Get("shard_key") is { } key)
        {
            throw key.NotOffered(
                "shard keys: collections are sharded by the hash of ids; keep tenants apart by a payload field with a keyword index");
        }
    }
}
