namespace AiDb.Cluster.Caching;

/// <summary>A key that a cache knows something of, and its place in one of the two queues of its
/// partition.</summary>
internal sealed class CacheEntry
{
    /// <summary>What an entry takes beside its key and value: this object, its array's header, its place in
    /// the index.</summary>
    public const int OverheadBytes = 160;

    private readonly byte[] _keyAndValue;
    private readonly int _keyLength;

    public CacheEntry(ulong keyHash, uint tableId, ReadOnlySpan<byte> key, in CacheFill fill, ulong generation)
    {
        KeyHash = keyHash;
        TableId = tableId;
        Generation = generation;
        FillLsn = fill.Position.Lsn;
        Found = fill.Found;
        Version = fill.Version;
        ExpiresAtMs = fill.ExpiresAtMs;
        _keyLength = key.Length;
        _keyAndValue = GC.AllocateUninitializedArray<byte>(key.Length + fill.Value.Length);
        key.CopyTo(_keyAndValue);
        fill.Value.CopyTo(_keyAndValue.AsSpan(key.Length));
    }

    public ulong KeyHash { get; }

    public uint TableId { get; }

    public ulong Generation { get; }

    public ulong FillLsn { get; }

    public bool Found { get; }

    public ulong Version { get; }

    public ulong ExpiresAtMs { get; }

    public ReadOnlySpan<byte> Key => _keyAndValue.AsSpan(0, _keyLength);

    public ReadOnlyMemory<byte> Value => _keyAndValue.AsMemory(_keyLength);

    public int SizeBytes => SizeOf(_keyLength, _keyAndValue.Length - _keyLength);

    /// <summary>Reads since it was last looked at for eviction, up to 3.</summary>
    public byte Frequency { get; set; }

    public CacheQueue? Queue { get; set; }

    public CacheEntry? Newer { get; set; }

    public CacheEntry? Older { get; set; }

    public static int SizeOf(int keyLength, int valueLength) => OverheadBytes + keyLength + valueLength;
}

/// <summary>A first-in, first-out queue of entries that knows its bytes and lets go of any entry in
/// O(1).</summary>
internal sealed class CacheQueue
{
    public CacheEntry? Newest { get; private set; }

    public CacheEntry? Oldest { get; private set; }

    public long Bytes { get; private set; }

    public void Add(CacheEntry entry)
    {
        entry.Queue = this;
        entry.Older = Newest;
        entry.Newer = null;
        if (Newest is null)
            Oldest = entry;
        else
            Newest.Newer = entry;
        Newest = entry;
        Bytes += entry.SizeBytes;
    }

    public void Remove(CacheEntry entry)
    {
        if (entry.Older is null)
            Oldest = entry.Newer;
        else
            entry.Older.Newer = entry.Newer;
        if (entry.Newer is null)
            Newest = entry.Older;
        else
            entry.Newer.Older = entry.Older;
        entry.Queue = null;
        entry.Older = null;
        entry.Newer = null;
        Bytes -= entry.SizeBytes;
    }
}
