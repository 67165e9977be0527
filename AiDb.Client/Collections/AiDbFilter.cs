using AiDb.Contracts.QdrantApi;
using Google.Protobuf.WellKnownTypes;
using WireCondition = AiDb.Contracts.QdrantApi.Condition;

namespace AiDb.Client;

/// <summary>Which points count. Conditions name payload fields by paths (<c>a.b</c>, <c>a[].b</c>) and are combined with
/// <see cref="All"/>, <see cref="Any"/> and <see cref="Not"/>.</summary>
public sealed class AiDbFilter
{
    private AiDbFilter(Filter wire) => Wire = wire;

    internal Filter Wire { get; }

    /// <summary>All of these hold.</summary>
    public static AiDbFilter All(params ReadOnlySpan<AiDbFilter> filters)
    {
        Filter all = new();
        foreach (AiDbFilter filter in filters)
            all.Must.Add(new WireCondition { Filter = filter.Wire });
        return new AiDbFilter(all);
    }

    /// <summary>One of these holds.</summary>
    public static AiDbFilter Any(params ReadOnlySpan<AiDbFilter> filters)
    {
        Filter any = new();
        foreach (AiDbFilter filter in filters)
            any.Should.Add(new WireCondition { Filter = filter.Wire });
        return new AiDbFilter(any);
    }

    /// <summary>This does not hold.</summary>
    public static AiDbFilter Not(AiDbFilter filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        Filter not = new();
        not.MustNot.Add(new WireCondition { Filter = filter.Wire });
        return new AiDbFilter(not);
    }

    /// <summary>A value of the field is this text.</summary>
    public static AiDbFilter Equal(string path, string value) => Of(path, new Match { Keyword = value });

    /// <summary>A value of the field is this integer.</summary>
    public static AiDbFilter Equal(string path, long value) => Of(path, new Match { Integer = value });

    /// <summary>A value of the field is this.</summary>
    public static AiDbFilter Equal(string path, bool value) => Of(path, new Match { Boolean = value });

    /// <summary>A value of the field is one of these texts.</summary>
    public static AiDbFilter OneOf(string path, params IEnumerable<string> values)
    {
        RepeatedStrings strings = new();
        strings.Strings.AddRange(values);
        return Of(path, new Match { Keywords = strings });
    }

    /// <summary>A value of the field is one of these integers.</summary>
    public static AiDbFilter OneOf(string path, params IEnumerable<long> values)
    {
        RepeatedIntegers integers = new();
        integers.Integers.AddRange(values);
        return Of(path, new Match { Integers = integers });
    }

    /// <summary>All words of the text occur in the field.</summary>
    public static AiDbFilter Words(string path, string text) => Of(path, new Match { Text = text });

    /// <summary>The field begins with the text.</summary>
    public static AiDbFilter StartsWith(string path, string text) => Of(path, new Match { Prefix = text });

    /// <summary>A number of the field lies in a range.</summary>
    public static AiDbFilter Range(
        string path, double? gt = null, double? gte = null, double? lt = null, double? lte = null)
    {
        Contracts.QdrantApi.Range range = new();
        if (gt is { } above)
            range.Gt = above;
        if (gte is { } least)
            range.Gte = least;
        if (lt is { } below)
            range.Lt = below;
        if (lte is { } most)
            range.Lte = most;
        return Of(new FieldCondition { Key = path, Range = range });
    }

    /// <summary>A time of the field lies in a range: at or after one, before the other.</summary>
    public static AiDbFilter Between(string path, DateTimeOffset? from, DateTimeOffset? before) => Of(new FieldCondition
    {
        Key = path,
        DatetimeRange = new DatetimeRange { Gte = from?.ToTimestamp(), Lt = before?.ToTimestamp() },
    });

    /// <summary>A place of the field (an object with <c>lon</c> and <c>lat</c>) lies around another.</summary>
    public static AiDbFilter Near(string path, double longitude, double latitude, double radiusMeters) =>
        Of(new FieldCondition
        {
            Key = path,
            GeoRadius = new GeoRadius
            {
                Center = new GeoPoint { Lon = longitude, Lat = latitude },
                Radius = (float)radiusMeters,
            },
        });

    /// <summary>The field is absent, null or an empty array.</summary>
    public static AiDbFilter IsEmpty(string path) =>
        Of(new WireCondition { IsEmpty = new IsEmptyCondition { Key = path } });

    /// <summary>The id is one of these.</summary>
    public static AiDbFilter Ids(params IEnumerable<AiDbPointId> ids)
    {
        HasIdCondition condition = new();
        condition.HasId.AddRange(ids.Select(CollectionMapping.ToWire));
        return Of(new WireCondition { HasId = condition });
    }

    private static AiDbFilter Of(string path, Match match) => Of(new FieldCondition { Key = path, Match = match });

    private static AiDbFilter Of(FieldCondition field) => Of(new WireCondition { Field = field });

    private static AiDbFilter Of(WireCondition condition)
    {
        Filter filter = new();
        filter.Must.Add(condition);
        return new AiDbFilter(filter);
    }
}
