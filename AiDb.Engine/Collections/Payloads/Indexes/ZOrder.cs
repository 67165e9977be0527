namespace AiDb.Engine.Collections.Payloads;

/// <summary>Numbers places along a Z-order curve (Morton 1966): 31 bits of longitude and of latitude, alternating.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class ZOrder
{
    private const int Bits = 31;
    private const uint Last = (1u << Bits) - 1;

    /// <summary>The number of a place, 0 or more.</summary>
    public static long KeyOf(GeoPoint place) => (long)((Spread(ColumnOf(place.Lon)) << 1) | Spread(RowOf(place.Lat)));

    /// <summary>The columns and rows that hold every place of a box; two where it crosses the 180th meridian.</summary>
    public static GridBox[] GridsOf(GeoBox box)
    {
        uint south = RowOf(box.South);
        uint north = RowOf(box.North);
        return box.West <= box.East
            ? [new GridBox(ColumnOf(box.West), south, ColumnOf(box.East), north)]
            : [new GridBox(0, south, ColumnOf(box.East), north), new GridBox(ColumnOf(box.West), south, Last, north)];
    }

    /// <summary>Columns and rows, the last ones included.</summary>
    internal readonly record struct GridBox(uint West, uint South, uint East, uint North)
    {
        /// <summary>Columns or rows, whichever are more, less one.</summary>
        public uint LongerSide => Math.Max(East - West, North - South);
    }

    /// <summary>A square of 2^<paramref name="Size"/> columns and rows, whose places are one piece of the
    /// curve.</summary>
    /// <param name="Column">The first column.</param>
    /// <param name="Row">The first row.</param>
    /// <param name="Size">0 to 31.</param>
    internal readonly record struct Cell(uint Column, uint Row, int Size)
    {
        /// <summary>Everything.</summary>
        public static Cell World => new(0, 0, Bits);

        /// <summary>The first number in it.</summary>
        public long First => (long)((Spread(Column) << 1) | Spread(Row));

        /// <summary>The last number in it.</summary>
        public long End => First + (1L << (2 * Size)) - 1;

        private uint Side => (uint)((1L << Size) - 1);

        /// <summary>One of its quarters, 0 to 3 in the order of the curve.</summary>
        public Cell Quarter(int quarter)
        {
            uint half = 1u << (Size - 1);
            return new Cell(Column + ((uint)(quarter >> 1) * half), Row + ((uint)(quarter & 1) * half), Size - 1);
        }

        /// <summary>Whether it has a column and row of a box.</summary>
        public bool Meets(GridBox box) =>
            Column <= box.East && Row <= box.North && Column + Side >= box.West && Row + Side >= box.South;

        /// <summary>All its places lie in this box; it is a little wider, so that rounding leaves none out.</summary>
        public GeoBox Box()
        {
            const double Margin = 1e-9;
            double scale = 1.0 / (Last + 1.0);
            return new GeoBox(
                (Column * scale * 360) - 180 - Margin, (Row * scale * 180) - 90 - Margin,
                ((Column + Side + 1.0) * scale * 360) - 180 + Margin, ((Row + Side + 1.0) * scale * 180) - 90 + Margin);
        }
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
}
