namespace AiDb.Engine.Collections.Payloads;

/// <summary>Numbers places along a Z-order curve (Morton 1966): 31 bits of longitude and of latitude, alternating.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class ZOrder
{
    private const int Bits = 31;
    private const uint Last = (1u << Bits) - 1;

    // A box is cut into cells of a 16th of its longer side: about a hundred at its edge.
    private const int CellsPerSide = 16;

    /// <summary>The number of a place, 0 or more.</summary>
    public static long KeyOf(GeoPoint place) => (long)((Spread(ColumnOf(place.Lon)) << 1) | Spread(RowOf(place.Lat)));

    /// <summary>Pieces of the curve that hold every place of a box, ascending, and some places beside it.</summary>
    public static List<(long First, long Last)> Cover(GeoBox box)
    {
        var pieces = new List<(long First, long Last)>();
        uint south = RowOf(box.South);
        uint north = RowOf(box.North);
        if (box.West <= box.East)
        {
            Cover(new Cells(ColumnOf(box.West), south, ColumnOf(box.East), north), pieces);
        }
        else
        {
            Cover(new Cells(0, south, ColumnOf(box.East), north), pieces);
            Cover(new Cells(ColumnOf(box.West), south, Last, north), pieces);
            pieces.Sort();
        }

        return pieces;
    }

    private static void Cover(Cells box, List<(long First, long Last)> pieces)
    {
        uint longer = Math.Max(box.East - box.West, box.North - box.South);
        int smallest = Math.Max(0, System.Numerics.BitOperations.Log2((longer / CellsPerSide) + 1));
        Cover(box, 0, 0, Bits, smallest, pieces);
    }

    private static void Cover(Cells box, uint column, uint row, int size, int smallest, List<(long First, long Last)> pieces)
    {
        uint side = (uint)((1L << size) - 1);
        if (column > box.East || row > box.North || column + side < box.West || row + side < box.South)
            return;
        bool inside = column >= box.West && column + side <= box.East && row >= box.South && row + side <= box.North;
        if (inside || size <= smallest)
        {
            long first = (long)((Spread(column) << 1) | Spread(row));
            long last = first + (1L << (2 * size)) - 1;
            if (pieces.Count > 0 && pieces[^1].Last + 1 == first)
                pieces[^1] = (pieces[^1].First, last);
            else
                pieces.Add((first, last));
            return;
        }

        uint half = 1u << (size - 1);
        Cover(box, column, row, size - 1, smallest, pieces);
        Cover(box, column, row + half, size - 1, smallest, pieces);
        Cover(box, column + half, row, size - 1, smallest, pieces);
        Cover(box, column + half, row + half, size - 1, smallest, pieces);
    }

    private static uint ColumnOf(double lon) => CellOf((lon + 180) / 360);

    private static uint RowOf(double lat) => CellOf((lat + 90) / 180);

    private static uint CellOf(double share) => (uint)Math.Clamp(share * (Last + 1.0), 0, Last);

    // Puts a zero before each bit.
    private static ulong Spread(uint value)
    {
        ulong bits = value;
        bits = (bits | (bits << 16)) & 0x0000_FFFF_0000_FFFF;
        bits = (bits | (bits << 8)) & 0x00FF_00FF_00FF_00FF;
        bits = (bits | (bits << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
        bits = (bits | (bits << 2)) & 0x3333_3333_3333_3333;
        return (bits | (bits << 1)) & 0x5555_5555_5555_5555;
    }

    private readonly record struct Cells(uint West, uint South, uint East, uint North);
}
