using AiDb.Engine.Encoding;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Tables;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Manifest;

/// <summary>An open table of the tree. The last release closes it and, once it is obsolete, has its file
/// deleted.</summary>
internal sealed class LiveTable : RefCounted
{
    private readonly Action<LiveTable> _onUnreferenced;
    private volatile bool _obsolete;

    /// <summary>Makes it; it takes over the reader and references of its own to the value files.</summary>
    /// <param name="metadata">What the manifest says of it.</param>
    /// <param name="reader">Its reader.</param>
    /// <param name="onUnreferenced">Called by its last user.</param>
    /// <param name="findValueFile">Finds the value files that it points into; null: it points into none.</param>
    public LiveTable(
        TableMetadata metadata, TableReader reader, Action<LiveTable> onUnreferenced,
        Func<UInt128, LiveValueFile>? findValueFile = null)
    {
        if (findValueFile is not null)
            ValueFiles = Array.ConvertAll(reader.Properties.ValueReferences, reference => findValueFile(reference.FileId));
        foreach (LiveValueFile file in ValueFiles)
            file.AddReference();
        if (metadata.VersionOfAllEntries != 0)
            reader.VersionOfAllEntries = metadata.VersionOfAllEntries;
        Metadata = metadata;
        Reader = reader;
        _onUnreferenced = onUnreferenced;
        RangeDeletes = reader?.RangeDeletes;
    }

    /// <summary>Its range tombstones; null when it has none.</summary>
    public RangeTombstones? RangeDeletes { get; }

    /// <summary>Whether it holds range tombstones.</summary>
    public bool HasRangeDeletes => RangeDeletes is not null;

    /// <summary>What the manifest says of it.</summary>
    public TableMetadata Metadata { get; }

    /// <summary>Its reader.</summary>
    public TableReader Reader { get; }

    /// <summary>The value files that it points into, in the order of its properties.</summary>
    public LiveValueFile[] ValueFiles { get; } = [];

    /// <summary>Whether the manifest no longer lists it, durably.</summary>
    public bool IsObsolete => _obsolete;

    /// <summary>Table id and user key of the first entry.</summary>
    public ReadOnlySpan<byte> SmallestPrefix => InternalKey.Prefix(Metadata.SmallestKey);

    /// <summary>Table id and user key of the last entry.</summary>
    public ReadOnlySpan<byte> LargestPrefix => InternalKey.Prefix(Metadata.LargestKey);

    /// <summary>The oldest version of its entries. What the file says does not count for an ingested one.</summary>
    public ulong MinVersion =>
        Metadata.VersionOfAllEntries != 0 ? Metadata.VersionOfAllEntries : Reader.Properties.MinVersion;

    /// <summary>The newest version of its entries.</summary>
    public ulong MaxVersion =>
        Metadata.VersionOfAllEntries != 0 ? Metadata.VersionOfAllEntries : Reader.Properties.MaxVersion;

    /// <summary>Gives up the memory that it had while it was in level 0.</summary>
    public void LeaveLevel0() => Reader?.UnpinPartitions();

    /// <summary>Marks it for deletion. Called after the manifest that does not list it any more is
    /// durable.</summary>
    public void MarkObsolete() => _obsolete = true;

    /// <summary>Whether the key may be in it.</summary>
    public bool Covers(ReadOnlySpan<byte> prefix) =>
        SmallestPrefix.SequenceCompareTo(prefix) <= 0 && LargestPrefix.SequenceCompareTo(prefix) >= 0;

    /// <summary>Whether its range meets that of another.</summary>
    public bool Overlaps(ReadOnlySpan<byte> smallestPrefix, ReadOnlySpan<byte> largestPrefix) =>
        SmallestPrefix.SequenceCompareTo(largestPrefix) <= 0 && LargestPrefix.SequenceCompareTo(smallestPrefix) >= 0;

    /// <inheritdoc/>
    protected override void OnUnreferenced()
    {
        Reader.Dispose();
        foreach (LiveValueFile file in ValueFiles)
            file.Release();
        _onUnreferenced(this);
    }
}
