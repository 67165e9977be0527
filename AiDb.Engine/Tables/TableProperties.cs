using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Tables;

/// <summary>What is known of a table without reading its entries.</summary>
internal sealed record TableProperties
{
    /// <summary>Random identity of the file.</summary>
    public required UInt128 FileId { get; init; }

    /// <summary>The first internal key, or where a range deletion begins before it.</summary>
    public required byte[] SmallestKey { get; init; }

    /// <summary>The last internal key, or where a range deletion ends behind it.</summary>
    public required byte[] LargestKey { get; init; }

    /// <summary>Entries of every kind.</summary>
    public required long Entries { get; init; }

    /// <summary>Deletes among them.</summary>
    public required long Deletions { get; init; }

    /// <summary>Entries with an expiry among them.</summary>
    public required long ExpirableEntries { get; init; }

    /// <summary>The oldest version.</summary>
    public required ulong MinVersion { get; init; }

    /// <summary>The newest version.</summary>
    public required ulong MaxVersion { get; init; }

    /// <summary>The earliest expiry (Unix milliseconds); 0 when no entry expires.</summary>
    public required ulong MinExpiryUnixMs { get; init; }

    /// <summary>Bytes of all internal keys.</summary>
    public required long RawKeyBytes { get; init; }

    /// <summary>Bytes of all internal values.</summary>
    public required long RawValueBytes { get; init; }

    /// <summary>Data blocks.</summary>
    public required long DataBlocks { get; init; }

    /// <summary>Where the block of range deletions is; its length is 0 when there is none.</summary>
    public BlockHandle RangeDeletionsBlock { get; init; }

    /// <summary>Fragments of range tombstones.</summary>
    public long RangeDeletions { get; init; }

    /// <summary>Merge operands among the entries.</summary>
    public long MergeOperands { get; init; }

    /// <summary>Bytes of the file.</summary>
    public required long FileBytes { get; init; }

    /// <summary>XxHash3 (64 bits) of the whole file. The file itself cannot hold it: 0 where the properties
    /// come from
    /// <see cref="TableReader"/>.</summary>
    public required ulong FileChecksum { get; init; }

    /// <summary>The ids of the tables that it has entries or range deletions of, ascending.</summary>
    public required uint[] TableIds { get; init; }

    /// <summary>The value files that its entries point into; each once.</summary>
    public ValueReference[] ValueReferences { get; init; } = [];

    /// <summary>The rule by which the filter knows prefixes; null when it knows whole keys only, or by a rule that
    /// this build does not know.</summary>
    public FilterPrefix? FilterPrefix { get; init; }

    /// <summary>How index and filter are cut; null when they are not.</summary>
    public TablePartitions? Partitions { get; init; }
}
