namespace AiDb.Engine.Vectors.Rows;

/// <summary>What is known of a row besides its vector; 16 bytes.</summary>
internal struct RowHead
{
    /// <summary>No row, no slot, no offset.</summary>
    public const uint None = uint.MaxValue;

    /// <summary>The bits of <see cref="State"/> that hold the level.</summary>
    public const int LevelMask = 0xff;

    /// <summary>Somebody changes the node's links.</summary>
    public const int Locked = 1 << 8;

    /// <summary>Its offset was removed or has a newer row.</summary>
    public const int Removed = 1 << 9;

    /// <summary>It is part of the graph.</summary>
    public const int Linked = 1 << 10;

    /// <summary>It is being taken out of the graph: nothing may link to it any more.</summary>
    public const int Dead = 1 << 11;

    /// <summary>The offset that the row was written for.</summary>
    public uint Offset;

    /// <summary>Level and flags; changed by atomic operations.</summary>
    public int State;

    /// <summary>Where its links above level 0 begin.</summary>
    public uint Upper;

    /// <summary>Where its vector lies; <see cref="None"/>: only its codes are kept.</summary>
    public uint Slot;
}
