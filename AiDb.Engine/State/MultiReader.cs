using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.Tables;

namespace AiDb.Engine.State;

/// <summary>Finds many keys in the tables at once: each step (filter, index, slot, hash index, entry) is done for
/// all keys before the next one, and asks for the cache line that the next one needs. So the keys wait for
/// memory together instead of one after the other.</summary>
/// <remarks>Thread safety: one instance for each thread, see <see cref="Mine"/>. Does not allocate once a thread
/// has its instance.</remarks>
internal sealed class MultiReader
{
    /// <summary>Keys at once: about as many as a core has lines under way.</summary>
    public const int MaxKeys = 16;

    /// <summary>The longest prefix of a key; a longer one is read by itself.</summary>
    public const int MaxPrefixBytes = 256;

    [ThreadStatic]
    private static MultiReader? _mine;

    private readonly byte[] _prefixes = new byte[MaxKeys * MaxPrefixBytes];
    private readonly Lane[] _lanes = new Lane[MaxKeys];
    private int _count;

    /// <summary>The calling thread's.</summary>
    public static MultiReader Mine => _mine ??= new MultiReader();

    /// <summary>Keys that were added.</summary>
    public int Count => _count;

    /// <summary>Adds a key.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The user key; its prefix has at most <see cref="MaxPrefixBytes"/>.</param>
    /// <param name="tag">By what the caller knows it.</param>
    public void Add(uint tableId, ReadOnlySpan<byte> key, int tag)
    {
        ref Lane lane = ref _lanes[_count];
        Span<byte> prefix = _prefixes.AsSpan(_count * MaxPrefixBytes, MaxPrefixBytes);
        lane.PrefixLength = InternalKey.WritePrefix(prefix, tableId, key);
        lane.Hash = InternalKey.HashPrefix(prefix[..lane.PrefixLength]);
        lane.Tag = tag;
        lane.IsFound = false;
        _count++;
    }

    /// <summary>Looks for the added keys. If it throws it has found none and begins anew.</summary>
    public void Find(TreeVersion tree, ulong maxVersion)
    {
        try
        {
            int missing = _count;
            foreach (LiveTable table in tree.Level(0))
            {
                if (missing == 0)
                    return;
                for (int index = 0; index < _count; index++)
                    Choose(index, table.Covers(Prefix(index)) ? table.Reader : null);
                missing -= ReadChosen(maxVersion);
            }

            for (int level = 1; level < VersionEdit.Levels && missing > 0; level++)
            {
                if (tree.Level(level).IsEmpty)
                    continue;
                for (int index = 0; index < _count; index++)
                    Choose(index, tree.FindTable(level, Prefix(index))?.Reader);
                missing -= ReadChosen(maxVersion);
            }
        }
        catch
        {
            Clear();
            throw;
        }
    }

    /// <summary>What was found for a key, which is the caller's from here on.</summary>
    public bool TryTake(int index, out int tag, out TableHit hit)
    {
        ref Lane lane = ref _lanes[index];
        tag = lane.Tag;
        hit = default;
        if (!lane.IsFound)
            return false;
        hit = lane.Hit;
        lane.IsFound = false;
        return true;
    }

    /// <summary>Gives back what was not taken, and begins anew.</summary>
    public void Clear()
    {
        foreach (ref Lane lane in _lanes.AsSpan(0, _count))
        {
            if (lane.IsFound)
                lane.Hit.Dispose();
        }

        Array.Clear(_lanes, 0, _count);
        _count = 0;
    }

    private ReadOnlySpan<byte> Prefix(int index) =>
        _prefixes.AsSpan(index * MaxPrefixBytes, _lanes[index].PrefixLength);

    private void Choose(int index, TableReader? reader)
    {
        ref Lane lane = ref _lanes[index];
        lane.Reader = lane.IsFound ? null : reader;
        lane.Reader?.PrefetchFilter(lane.Hash);
    }

    /// <summary>Reads each key in the table chosen for it, and returns how many were found.</summary>
    private int ReadChosen(ulong maxVersion)
    {
        Span<Lane> lanes = _lanes.AsSpan(0, _count);
        for (int index = 0; index < lanes.Length; index++)
        {
            ref Lane lane = ref lanes[index];
            if (lane.Reader is not { } reader)
                continue;
            if (!reader.TryFindBlock(Prefix(index), lane.Hash, maxVersion, out lane.Block))
                lane.Reader = null;
        }

        int found = 0;
        try
        {
            foreach (ref Lane lane in lanes)
            {
                if (lane.Reader is null)
                    continue;
                lane.Lease = lane.Reader.GetBlock(lane.Block, touch: true, out lane.Content);
                lane.Content.PrefetchSlot(lane.Hash);
            }

            foreach (ref Lane lane in lanes)
            {
                if (lane.Reader is not null)
                    lane.Content.PrefetchDirectory(lane.Hash);
            }

            foreach (ref Lane lane in lanes)
            {
                if (lane.Reader is not null)
                    lane.Content.PrefetchEntry(lane.Hash);
            }

            for (int index = 0; index < lanes.Length; index++)
            {
                ref Lane lane = ref lanes[index];
                if (lane.Reader is null)
                    continue;
                lane.IsFound = TableReader.TryRead(
                    ref lane.Lease, in lane.Content, Prefix(index), lane.Hash, maxVersion, out lane.Hit);
                found += lane.IsFound ? 1 : 0;
            }
        }
        catch
        {
            foreach (ref Lane lane in lanes)
            {
                if (lane.Reader is not null && !lane.IsFound)
                    lane.Lease.Dispose();
            }

            throw;
        }

        return found;
    }

    private struct Lane
    {
        public TableReader? Reader;
        public BlockLease Lease;
        public DataBlock Content;
        public TableHit Hit;
        public ulong Hash;
        public int PrefixLength;
        public int Tag;
        public int Block;
        public bool IsFound;
    }
}
