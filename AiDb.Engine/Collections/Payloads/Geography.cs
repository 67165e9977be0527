namespace AiDb.Engine.Collections.Payloads;

/// <summary>Distances and areas on the earth.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class Geography
{
    /// <summary>The earth's mean radius in metres (IUGG).</summary>
    public const double EarthRadiusMeters = 6_371_008.8;

    /// <summary>Whether it is a place: -180 to 180 and -90 to 90 degrees.</summary>
    public static bool IsValid(GeoPoint place) => place.Lon is >= -180 and <= 180 && place.Lat is >= -90 and <= 90;

    /// <summary>Metres between two places along a great circle (haversine formula).</summary>
    public static double Distance(GeoPoint left, GeoPoint right)
    {
        double square = HalfChordSquare(left, Math.Cos(double.DegreesToRadians(left.Lat)), right);
        return 2 * EarthRadiusMeters * Math.Asin(Math.Min(1, Math.Sqrt(square)));
    }

    /// <summary>The square of half the straight line between two places through an earth of radius 1: it grows with their
    /// distance.</summary>
    /// <param name="left">A place.</param>
    /// <param name="leftCosine">The cosine of its latitude.</param>
    /// <param name="right">The other.</param>
    public static double HalfChordSquare(GeoPoint left, double leftCosine, GeoPoint right)
    {
        double sinLat = Math.Sin(double.DegreesToRadians(right.Lat - left.Lat) / 2);
        double sinLon = Math.Sin(double.DegreesToRadians(right.Lon - left.Lon) / 2);
        return (sinLat * sinLat) + (leftCosine * Math.Cos(double.DegreesToRadians(right.Lat)) * sinLon * sinLon);
    }

    /// <summary>Whether a place lies inside a ring, not on it; the ring is flat in degrees, and its last place is its
    /// first.</summary>
    public static RingSide SideOf(ReadOnlySpan<GeoPoint> ring, GeoPoint place)
    {
        bool inside = false;
        for (int corner = 1; corner < ring.Length; corner++)
        {
            GeoPoint from = ring[corner - 1];
            GeoPoint to = ring[corner];
            double cross = ((to.Lon - from.Lon) * (place.Lat - from.Lat)) - ((to.Lat - from.Lat) * (place.Lon - from.Lon));
            if (cross == 0
                && place.Lon >= Math.Min(from.Lon, to.Lon) && place.Lon <= Math.Max(from.Lon, to.Lon)
                && place.Lat >= Math.Min(from.Lat, to.Lat) && place.Lat <= Math.Max(from.Lat, to.Lat))
            {
                return RingSide.On;
            }

            if ((from.Lat > place.Lat) != (to.Lat > place.Lat) && (cross > 0) == (to.Lat > from.Lat))
                inside = !inside;
        }

        return inside ? RingSide.Inside : RingSide.Outside;
    }

    /// <summary>The box around everything within a distance of a place. Near a pole it goes around the
    /// earth.</summary>
    /// <remarks>Bounding coordinates of a spherical cap: the meridians that touch it are asin(sin r / cos lat) away. It is
    /// widened a little, so that rounding leaves nothing out.</remarks>
    public static GeoBox Around(GeoPoint center, double radiusMeters)
    {
        double angle = radiusMeters / EarthRadiusMeters;
        double margin = 1e-9 + (angle * 1e-9);
        double latitudes = double.RadiansToDegrees(angle + margin);
        double south = center.Lat - latitudes;
        double north = center.Lat + latitudes;
        if (south <= -90 || north >= 90 || angle >= Math.PI / 2)
            return new GeoBox(-180, Math.Max(south, -90), 180, Math.Min(north, 90));
        double ratio = Math.Sin(angle) / Math.Cos(double.DegreesToRadians(center.Lat));
        if (ratio >= 1)
            return new GeoBox(-180, south, 180, north);
        double longitudes = double.RadiansToDegrees(Math.Asin(ratio) + margin);
        double west = center.Lon - longitudes;
        double east = center.Lon + longitudes;
        if (longitudes >= 180)
            return new GeoBox(-180, south, 180, north);
        return new GeoBox(west < -180 ? west + 360 : west, south, east > 180 ? east - 360 : east, north);
    }
}

/// <summary>Where a place lies beside a ring.</summary>
internal enum RingSide
{
    /// <summary>Beyond it.</summary>
    Outside,

    /// <summary>On its line.</summary>
    On,

    /// <summary>Within it.</summary>
    Inside,
}

/// <summary>A box in degrees, edges included; it crosses the 180th meridian where <paramref name="West"/> is greater than
/// <paramref name="East"/>.</summary>
/// <param name="West">-180 to 180.</param>
/// <param name="South">-90 to 90.</param>
/// <param name="East">-180 to 180.</param>
/// <param name="North">-90 to 90.</param>
internal readonly record struct GeoBox(double West, double South, double East, double North);
