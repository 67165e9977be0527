namespace AiDb.Engine.Collections;

/// <summary>Which points count: all of <see cref="Must"/>, one at least of <see cref="Should"/> (where there are any), none of
/// <see cref="MustNot"/>, and <see cref="MinShould"/>.</summary>
public sealed record Filter
{
    /// <summary>All hold.</summary>
    public IReadOnlyList<Condition> Must { get; init; } = [];

    /// <summary>One at least holds.</summary>
    public IReadOnlyList<Condition> Should { get; init; } = [];

    /// <summary>None holds.</summary>
    public IReadOnlyList<Condition> MustNot { get; init; } = [];

    /// <summary>So many at least hold.</summary>
    public MinShould? MinShould { get; init; }
}

/// <summary>So many of these conditions at least.</summary>
/// <param name="Conditions">The conditions.</param>
/// <param name="MinCount">How many must hold.</param>
public sealed record MinShould(IReadOnlyList<Condition> Conditions, int MinCount);

/// <summary>One condition of a filter. Paths name payload fields: <c>a.b</c>, <c>a[].b</c>, <c>"a.b".c</c>; a
/// condition on a field holds when it holds of one of its values.</summary>
public abstract record Condition
{
    private protected Condition()
    {
    }
}

/// <summary>A filter as a condition.</summary>
/// <param name="Filter">The filter.</param>
public sealed record FilterCondition(Filter Filter) : Condition;

/// <summary>The id is one of these.</summary>
/// <param name="Ids">The ids.</param>
public sealed record HasIdCondition(IReadOnlyList<PointId> Ids) : Condition;

/// <summary>The point has a vector of this name.</summary>
/// <param name="Vector">The name; empty: the unnamed one.</param>
public sealed record HasVectorCondition(string Vector) : Condition;

/// <summary>The field is absent, null or an empty array.</summary>
/// <param name="Path">The field.</param>
public sealed record IsEmptyCondition(string Path) : Condition;

/// <summary>The field is null.</summary>
/// <param name="Path">The field.</param>
public sealed record IsNullCondition(string Path) : Condition;

/// <summary>One element of an array of objects meets a filter by itself.</summary>
/// <param name="Path">The array.</param>
/// <param name="Filter">The filter, whose paths begin at an element.</param>
public sealed record NestedCondition(string Path, Filter Filter) : Condition;

/// <summary>A value to compare with: a string, an integer or a truth value.</summary>
public readonly record struct MatchValue
{
    private MatchValue(string? text, long integer, bool? boolean)
    {
        Text = text;
        Integer = integer;
        Boolean = boolean;
    }

    /// <summary>The string; null: it is none.</summary>
    public string? Text { get; }

    /// <summary>The integer, where it is neither string nor truth value.</summary>
    public long Integer { get; }

    /// <summary>The truth value; null: it is none.</summary>
    public bool? Boolean { get; }

    /// <summary>Whether it is an integer.</summary>
    public bool IsInteger => Text is null && Boolean is null;

    /// <summary>A string.</summary>
    public static MatchValue Of(string text) => new(text, 0, null);

    /// <summary>An integer.</summary>
    public static MatchValue Of(long integer) => new(null, integer, null);

    /// <summary>A truth value.</summary>
    public static MatchValue Of(bool boolean) => new(null, 0, boolean);
}

/// <summary>A value of the field equals this.</summary>
/// <param name="Path">The field.</param>
/// <param name="Value">The value.</param>
public sealed record MatchCondition(string Path, MatchValue Value) : Condition;

/// <summary>A value of the field is one of these.</summary>
/// <param name="Path">The field.</param>
/// <param name="Values">The values: all strings or all integers.</param>
public sealed record MatchAnyCondition(string Path, IReadOnlyList<MatchValue> Values) : Condition;

/// <summary>A value of the field is none of these.</summary>
/// <param name="Path">The field.</param>
/// <param name="Values">The values: all strings or all integers.</param>
public sealed record MatchExceptCondition(string Path, IReadOnlyList<MatchValue> Values) : Condition;

/// <summary>How a text is looked for.</summary>
public enum TextMatchKind
{
    /// <summary>All words occur (with a text index), or the text is a part of the field (without).</summary>
    AllWords,

    /// <summary>One word at least occurs.</summary>
    AnyWord,

    /// <summary>The words occur one after the other.</summary>
    Phrase,

    /// <summary>The field begins with the text.</summary>
    Prefix,
}

/// <summary>The field's text matches.</summary>
/// <param name="Path">The field.</param>
/// <param name="Text">What is looked for.</param>
/// <param name="Kind">How.</param>
public sealed record MatchTextCondition(string Path, string Text, TextMatchKind Kind = TextMatchKind.AllWords) : Condition;

/// <summary>A number of the field lies in a range.</summary>
/// <param name="Path">The field.</param>
/// <param name="Gt">More than.</param>
/// <param name="Gte">At least.</param>
/// <param name="Lt">Less than.</param>
/// <param name="Lte">At most.</param>
public sealed record RangeCondition(string Path, double? Gt = null, double? Gte = null, double? Lt = null, double? Lte = null)
    : Condition;

/// <summary>A time of the field lies in a range.</summary>
/// <param name="Path">The field.</param>
/// <param name="Gt">After.</param>
/// <param name="Gte">At or after.</param>
/// <param name="Lt">Before.</param>
/// <param name="Lte">At or before.</param>
public sealed record DatetimeRangeCondition(
    string Path, DateTimeOffset? Gt = null, DateTimeOffset? Gte = null, DateTimeOffset? Lt = null, DateTimeOffset? Lte = null)
    : Condition;

/// <summary>A place, in degrees.</summary>
/// <param name="Lon">-180 to 180.</param>
/// <param name="Lat">-90 to 90.</param>
public readonly record struct GeoPoint(double Lon, double Lat);

/// <summary>A place of the field lies in a box, which may cross the 180th meridian.</summary>
/// <param name="Path">The field.</param>
/// <param name="TopLeft">Its north-western corner.</param>
/// <param name="BottomRight">Its south-eastern corner.</param>
public sealed record GeoBoundingBoxCondition(string Path, GeoPoint TopLeft, GeoPoint BottomRight) : Condition;

/// <summary>A place of the field lies around another.</summary>
/// <param name="Path">The field.</param>
/// <param name="Center">The other.</param>
/// <param name="RadiusMeters">How far at most.</param>
public sealed record GeoRadiusCondition(string Path, GeoPoint Center, double RadiusMeters) : Condition;

/// <summary>A place of the field lies in a polygon and in none of its holes. Rings close: their last place is their
/// first.</summary>
/// <param name="Path">The field.</param>
/// <param name="Exterior">The ring around.</param>
/// <param name="Interiors">The rings of its holes.</param>
public sealed record GeoPolygonCondition(
    string Path, IReadOnlyList<GeoPoint> Exterior, IReadOnlyList<IReadOnlyList<GeoPoint>> Interiors) : Condition;

/// <summary>How many values the field has (an array's length; 1 for another value; 0 for none) lies in a
/// range.</summary>
/// <param name="Path">The field.</param>
/// <param name="Gt">More than.</param>
/// <param name="Gte">At least.</param>
/// <param name="Lt">Less than.</param>
/// <param name="Lte">At most.</param>
public sealed record ValuesCountCondition(string Path, long? Gt = null, long? Gte = null, long? Lt = null, long? Lte = null)
    : Condition;
