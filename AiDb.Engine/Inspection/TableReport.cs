namespace AiDb.Engine.Inspection;

/// <summary>An entry of a table, as it is stored.</summary>
public readonly ref struct TableEntryReport
{
    internal TableEntryReport(
        uint tableId, ReadOnlySpan<byte> key, ulong version, string kind, ulong expiryUnixMs, ReadOnlySpan<byte> value)
    {
        TableId = tableId;
        Key = key;
        Version = version;
        Kind = kind;
        ExpiryUnixMs = expiryUnixMs;
        Value = value;
    }

    /// <summary>The id of the table that it belongs to; 0: the database's own catalogue.</summary>
    public uint TableId { get; }

    /// <summary>The user key.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>The version.</summary>
    public ulong Version { get; }

    /// <summary>What it does to its key: <c>Put</c>, <c>Delete</c> and so on, as in docs/formats/table.md.</summary>
    public string Kind { get; }

    /// <summary>When it expires (Unix milliseconds); 0: never.</summary>
    public ulong ExpiryUnixMs { get; }

    /// <summary>The value's bytes.</summary>
    public ReadOnlySpan<byte> Value { get; }
}

/// <summary>Sees an entry; false ends the calls.</summary>
public delegate bool TableEntryVisitor(in TableEntryReport entry);

/// <summary>What is in a table file.</summary>
public sealed record TableReport
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long Bytes { get; init; }

    /// <summary>Whether header, footer, index, filter and properties could be read. The properties below are those of
    /// the file if so, else what its readable blocks amount to.</summary>
    public bool Opens { get; init; }

    /// <summary>Its random identity.</summary>
    public UInt128 FileId { get; init; }

    /// <summary>Entries of every kind.</summary>
    public long Entries { get; init; }

    /// <summary>Deletions among them.</summary>
    public long Deletions { get; init; }

    /// <summary>Entries with an expiry among them.</summary>
    public long ExpirableEntries { get; init; }

    /// <summary>The oldest version.</summary>
    public ulong MinVersion { get; init; }

    /// <summary>The newest version.</summary>
    public ulong MaxVersion { get; init; }

    /// <summary>Data blocks; 0 where it does not open.</summary>
    public long DataBlocks { get; init; }

    /// <summary>Bytes of all internal keys.</summary>
    public long RawKeyBytes { get; init; }

    /// <summary>Bytes of all internal values.</summary>
    public long RawValueBytes { get; init; }

    /// <summary>Ids of the tables that it has entries of, ascending.</summary>
    public IReadOnlyList<uint> TableIds { get; init; } = [];

    /// <summary>The first key: its table id and the user key.</summary>
    public (uint TableId, byte[] Key) Smallest { get; init; } = (0, []);

    /// <summary>The last key: its table id and the user key.</summary>
    public (uint TableId, byte[] Key) Largest { get; init; } = (0, []);

    /// <summary>What of it is damaged; empty when every checksum holds.</summary>
    public IReadOnlyList<FileDamage> Damage { get; init; } = [];
}
