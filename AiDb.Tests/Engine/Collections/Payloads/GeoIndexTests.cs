using System.Globalization;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class GeoIndexTests
{
    [Fact]
    public void Areas_over_many_places_are_found_as_by_looking_at_each()
    {
        int seed = TestSeed.Base;
        var random = new Random(seed);
        using TestPoints points = new();
        points.Index("g", PayloadIndexKind.Geo);
        for (uint offset = 0; offset < 8000; offset++)
        {
            // Half of them everywhere, the edges of the map included, half in one town.
            (double lon, double lat) = random.Next(2) == 0
                ? (Math.Clamp(random.Next(-190, 191), -180, 180), Math.Clamp(random.Next(-95, 96), -90, 90) * 1.0)
                : (13.3 + (random.NextDouble() / 5), 52.4 + (random.NextDouble() / 5));
            points.Put(offset, string.Create(CultureInfo.InvariantCulture, $"{{\"g\":{{\"lon\":{lon},\"lat\":{lat}}}}}"));
        }

        for (int query = 0; query < 150; query++)
        {
            bool near = random.Next(2) == 0;
            GeoPoint center = near
                ? new(13.3 + (random.NextDouble() / 5), 52.4 + (random.NextDouble() / 5))
                : new(random.Next(-180, 181), random.Next(-90, 91));
            double radius = near ? random.Next(20_000) : Math.Exp(random.NextDouble() * 17);
            double width = near ? random.NextDouble() / 5 : random.Next(-180, 180);
            Condition area = random.Next(3) switch
            {
                0 => new GeoBoundingBoxCondition(
                    "g", center, new(Math.Clamp(center.Lon + width, -180, 180), Math.Max(-90, center.Lat - Math.Abs(width)))),
                1 => new GeoPolygonCondition(
                    "g", [center, new(center.Lon / 2, center.Lat), new(center.Lon / 2, center.Lat / 2), new(0, 0), center], []),
                _ => new GeoRadiusCondition("g", center, radius),
            };
            var filter = new Filter { Must = [area] };
            Assert.True(
                points.FindByLooking(filter).SequenceEqual(points.Find(filter)), $"seed {seed}, query {query}: {area}");
        }
    }

    [Fact]
    public void A_radius_is_compared_with_the_distance_along_the_great_circle()
    {
        var berlin = new GeoPoint(13.405, 52.52);
        var moscow = new GeoPoint(37.6173, 55.7558);
        double metres = Geography.Distance(berlin, moscow);
        Assert.InRange(metres, 1_608_000, 1_611_000);
        Assert.Equal(Math.PI * Geography.EarthRadiusMeters, Geography.Distance(new(0, 0), new(180, 0)), 1e-3);
        var random = new Random(TestSeed.Base);
        for (int round = 0; round < 2000; round++)
        {
            var center = new GeoPoint(random.Next(-180, 181), random.Next(-90, 91));
            var place = new GeoPoint(random.Next(-180, 181), random.Next(-90, 91));
            double distance = Geography.Distance(center, place);
            Assert.False(new RadiusTest(new GeoRadiusCondition("g", center, distance * 0.999)).Contains(place));
            Assert.True(new RadiusTest(new GeoRadiusCondition("g", center, (distance * 1.001) + 1)).Contains(place));
        }
    }
}
