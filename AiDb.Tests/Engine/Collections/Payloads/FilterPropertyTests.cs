using System.Globalization;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class FilterPropertyTests
{
    private static readonly (string Path, PayloadIndexKind Kind)[] Fields =
    [
        ("k", PayloadIndexKind.Keyword), ("n", PayloadIndexKind.Integer), ("x", PayloadIndexKind.Float), ("b", PayloadIndexKind.Bool),
        ("g", PayloadIndexKind.Geo), ("t", PayloadIndexKind.Datetime), ("a[].k", PayloadIndexKind.Keyword),
        ("a[].n", PayloadIndexKind.Integer), ("o.k", PayloadIndexKind.Keyword),
    ];

    [Fact]
    public void What_indexes_find_is_what_looking_at_every_payload_finds()
    {
        for (int round = 0; round < 30; round++)
        {
            int seed = TestSeed.Base + round;
            var random = new Random(seed);
            using TestPoints points = new();
            // Some fields have an index from the beginning, some get one later, some never.
            foreach ((string path, PayloadIndexKind kind) in Fields)
            {
                if (random.Next(3) == 0)
                    points.Index(path, kind);
            }

            int count = random.Next(1, 400);
            for (int write = 0; write < count * 2; write++)
            {
                uint offset = (uint)random.Next(count) * (round % 5 == 0 ? 97u : 1);
                if (random.Next(8) == 0 && points.Live.Test(offset))
                    points.Delete(offset);
                else
                    points.Put(offset, RandomPayload(random));
                if (random.Next(3) == 0)
                    points.WithVector.Add(offset);
                if (write == count)
                {
                    foreach ((string path, PayloadIndexKind kind) in Fields)
                    {
                        if (random.Next(3) == 0)
                            points.Index(path, kind);
                    }
                }
            }

            for (int query = 0; query < 100; query++)
            {
                Filter filter = RandomFilter(random, 3, nested: false);
                uint[] expected = points.FindByLooking(filter);
                uint[] found = filter is { Must.Count: 0, Should.Count: 0, MustNot.Count: 0, MinShould: null }
                    ? expected
                    : points.Find(filter);
                FilterEstimate estimate = new FilterEvaluator(points.Indexes).Estimate(BoundFilter.Bind(filter), points);
                Assert.True(
                    expected.SequenceEqual(found),
                    $"seed {seed}, query {query}: expected {string.Join(' ', expected)}, found {string.Join(' ', found)}: {Describe(filter)}");
                Assert.True(
                    estimate.Minimum <= expected.Length && expected.Length <= estimate.Maximum
                    && estimate.Minimum <= estimate.Expected && estimate.Expected <= estimate.Maximum,
                    $"seed {seed}, query {query}: {expected.Length} points, estimated {estimate}");
            }
        }
    }

    private static string Describe(Filter filter) =>
        $"must [{Describe(filter.Must)}] should [{Describe(filter.Should)}] must_not [{Describe(filter.MustNot)}]"
        + (filter.MinShould is { } minimum ? $" at least {minimum.MinCount} of [{Describe(minimum.Conditions)}]" : "");

    private static string Describe(IReadOnlyList<Condition> conditions) => string.Join(", ", conditions.Select(condition => condition switch
    {
        FilterCondition inner => $"({Describe(inner.Filter)})",
        NestedCondition nested => $"{nested.Path}: ({Describe(nested.Filter)})",
        MatchAnyCondition any => $"{any.Path} any {string.Join(' ', any.Values)}",
        MatchExceptCondition except => $"{except.Path} except {string.Join(' ', except.Values)}",
        HasIdCondition ids => $"ids {string.Join(' ', ids.Ids)}",
        _ => condition.ToString(),
    }));

    internal static string RandomPayload(Random random)
    {
        var keys = new List<string>();
        Add("k", () => $"\"{Word(random)}\"");
        Add("n", () => Number(random));
        Add("x", () => Number(random));
        Add("b", () => random.Next(2) == 0 ? "true" : "false");
        Add("g", () => Place(random));
        Add("t", () => $"\"2023-0{random.Next(1, 4)}-1{random.Next(10)}T0{random.Next(10)}:00:00{(random.Next(2) == 0 ? "Z" : "+01:00")}\"");
        Add("o", () => $"{{\"k\":\"{Word(random)}\"}}");
        Add("a", () => $"{{\"k\":\"{Word(random)}\",\"n\":{Number(random)}}}");
        return "{" + string.Join(',', keys) + "}";

        void Add(string key, Func<string> value)
        {
            string json = random.Next(12) switch
            {
                0 or 1 => "",
                2 => "null",
                3 => "[]",
                4 => "[null]",
                5 => $"[{value()},{value()},{value()}]",
                6 => $"[{value()}]",
                7 => $"[{value()},[{value()}],null]",
                8 => random.Next(3) switch { 0 => "7", 1 => "\"w1\"", _ => "{\"z\":[1]}" },
                _ => value(),
            };
            if (json.Length > 0)
                keys.Add($"\"{key}\":{json}");
        }
    }

    internal static Filter RandomFilter(Random random, int depth, bool nested)
    {
        Condition[] Some(int limit) =>
            [.. Enumerable.Range(0, random.Next(limit)).Select(_ => RandomCondition(random, depth, nested))];
        Condition[] minimum = Some(5);
        return new Filter
        {
            Must = Some(3),
            Should = random.Next(2) == 0 ? [] : Some(4),
            MustNot = random.Next(2) == 0 ? [] : Some(3),
            MinShould = random.Next(4) == 0 ? new MinShould(minimum, random.Next(minimum.Length + 1)) : null,
        };
    }

    private static Condition RandomCondition(Random random, int depth, bool nested)
    {
        string path = nested
            ? random.Next(2) == 0 ? "k" : "n"
            : random.Next(6) == 0 ? "missing" : Fields[random.Next(Fields.Length)].Path;
        switch (random.Next(20))
        {
            case 0 or 1 or 2:
                return new MatchCondition(path, RandomValue(random, random.Next(3)));
            case 3:
                return new MatchAnyCondition(path, RandomValues(random));
            case 4 or 5:
                return new MatchExceptCondition(path, RandomValues(random));
            case 6:
                return new MatchTextCondition(path, random.Next(2) == 0 ? "w" : "1", (TextMatchKind)random.Next(4));
            case 7 or 8 or 9:
                return new RangeCondition(path, Bound(random), Bound(random), Bound(random), Bound(random));
            case 10:
                DateTimeOffset start = new DateTimeOffset(2023, 1, 1, 0, 0, 0, TimeSpan.Zero).AddHours(random.Next(2400));
                return random.Next(2) == 0
                    ? new DatetimeRangeCondition(path, Gte: start, Lt: start.AddDays(random.Next(60)))
                    : new DatetimeRangeCondition(path, Gt: start);
            case 11:
                return RandomArea(random, path);
            case 12:
                return new IsEmptyCondition(path);
            case 13:
                return new IsNullCondition(path);
            case 14:
                return random.Next(2) == 0
                    ? new ValuesCountCondition(path, Gte: random.Next(3))
                    : new ValuesCountCondition(path, Lt: random.Next(4));
            case 15 when !nested:
                return new HasIdCondition([.. Enumerable.Range(0, random.Next(40)).Select(_ => new PointId((ulong)random.Next(400)))]);
            case 16 when !nested:
                return new HasVectorCondition("v");
            case 17 when depth > 0 && !nested:
                return new NestedCondition("a", RandomFilter(random, depth - 1, nested: true));
            case 18 or 19 when depth > 0:
                return new FilterCondition(RandomFilter(random, depth - 1, nested));
            default:
                return new MatchCondition(path, RandomValue(random, random.Next(3)));
        }
    }

    private static Condition RandomArea(Random random, string path)
    {
        var center = new GeoPoint(random.Next(-180, 181), random.Next(-90, 91));
        switch (random.Next(3))
        {
            case 0:
                return new GeoRadiusCondition(path, center, random.Next(6_000_000));
            case 1:
                double north = Math.Min(90, center.Lat + random.Next(60));
                return new GeoBoundingBoxCondition(path, new(center.Lon, north), new(random.Next(-180, 181), center.Lat));
            default:
                GeoPoint[] ring = [.. Enumerable.Range(0, 5).Select(_ => new GeoPoint(random.Next(-180, 181), random.Next(-90, 91)))];
                return new GeoPolygonCondition(path, [.. ring, ring[0]], []);
        }
    }

    private static MatchValue[] RandomValues(Random random)
    {
        int kind = random.Next(2);
        return [.. Enumerable.Range(0, random.Next(13)).Select(_ => RandomValue(random, kind))];
    }

    private static MatchValue RandomValue(Random random, int kind) => kind switch
    {
        0 => MatchValue.Of(Word(random)),
        1 => MatchValue.Of(random.Next(-5, 15)),
        _ => MatchValue.Of(random.Next(2) == 0),
    };

    private static double? Bound(Random random) => random.Next(3) > 0 ? null : random.Next(-5, 15) + (random.Next(2) * 0.5);

    private static string Word(Random random) => "w" + Math.Min(random.Next(12), random.Next(30)).ToString(CultureInfo.InvariantCulture);

    private static string Number(Random random) => random.Next(4) switch
    {
        0 => (random.Next(-50, 150) / 10.0).ToString(CultureInfo.InvariantCulture),
        1 => random.Next(-5, 15) + ".0",
        _ => random.Next(-5, 15).ToString(CultureInfo.InvariantCulture),
    };

    private static string Place(Random random) => string.Create(
        CultureInfo.InvariantCulture, $"{{\"lon\":{random.Next(-180, 181)},\"lat\":{random.Next(-900, 901) / 10.0}}}");
}
