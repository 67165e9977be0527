using AiDb.Engine.Encoding;
using AiDb.Engine.Merging;

namespace AiDb.Engine.Compaction;

/// <summary>What a flush or a compaction does with an entry.</summary>
internal enum EntryFate
{
    /// <summary>Written as it is.</summary>
    Keep,

    /// <summary>Written as a deletion: it has expired, and older versions below it must stay
    /// hidden.</summary>
    KeepAsDeletion,

    /// <summary>Not written.</summary>
    Drop,
}

/// <summary>Decides which entries nobody can see any more.</summary>
/// <remarks>
/// Of each key it keeps the newest version and, for each snapshot, the newest that is not newer than it.
/// Expiry and drops of tables are judged by the last flushed entry only, never by the clock: every later
/// entry is replayed after a crash, and its conditions must find the same state again. Entries are shown in
/// internal key order. Thread safety: none.
/// </remarks>
internal sealed class EntryFilter
{
    private readonly ulong[] _snapshots;
    private readonly IReadOnlyDictionary<uint, ulong> _dropped;
    private readonly bool _anyDropped;
    private readonly ulong _flushedTimestamp;
    private readonly ulong _flushedMs;
    private readonly MergeOperators? _operandsAbove;
    private byte[] _prefix = new byte[64];
    private int _prefixLength = -1;
    private int _stripe;
    private bool _isChainOpen;

    /// <summary>Makes a filter.</summary>
    /// <param name="snapshots">Versions of the snapshots, ascending, taken after the inputs were
    /// chosen.</param>
    /// <param name="dropped">Dropped tables and the versions of their drops.</param>
    /// <param name="flushedTimestamp">Timestamp of the last entry that replay does not need.</param>
    /// <param name="operandsAbove">The merge operators of the tables, where newer operands of the keys may lie outside
    /// the inputs: what has expired is kept for them.</param>
    public EntryFilter(
        ulong[] snapshots, IReadOnlyDictionary<uint, ulong> dropped, ulong flushedTimestamp,
        MergeOperators? operandsAbove = null)
    {
        _operandsAbove = operandsAbove;
        _snapshots = snapshots;
        _dropped = dropped;
        _anyDropped = dropped.Count > 0;
        _flushedTimestamp = flushedTimestamp;
        _flushedMs = Log.HybridClock.ToMilliseconds(flushedTimestamp);
    }

    /// <summary>Whether the entry begins another user key than the one before.</summary>
    public bool IsNewKey { get; private set; }

    /// <summary>Decides the next entry, as far as it does not depend on what lies below.</summary>
    /// <param name="key">Its internal key.</param>
    /// <param name="value">Its internal value.</param>
    /// <param name="canVanish">Whether a deletion need not be kept if nothing lies below: every snapshot sees
    /// it.</param>
    public EntryFate Decide(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, out bool canVanish)
    {
        canVanish = false;
        ReadOnlySpan<byte> prefix = InternalKey.Prefix(key);
        int stripe = Stripe(InternalKey.Version(key));
        IsNewKey = _prefixLength != prefix.Length || !prefix.SequenceEqual(_prefix.AsSpan(0, _prefixLength));
        bool isBaseOfChain = !IsNewKey && _isChainOpen;
        if (IsNewKey)
            Remember(prefix);
        else if (stripe == _stripe && !isBaseOfChain)
            return EntryFate.Drop;
        _stripe = stripe;

        // Operands apply to what lies below them, down to the first entry that is none.
        EntryKind kind = InternalValue.Kind(value);
        _isChainOpen = kind == EntryKind.Merge && MergeEntry.Read(value[1..]).BaseKind == EntryKind.None;

        if (_anyDropped
            && _dropped.TryGetValue(InternalKey.TableId(key), out ulong droppedAt)
            && droppedAt <= _flushedTimestamp)
        {
            return EntryFate.Drop;
        }

        canVanish = stripe == 0;
        return kind switch
        {
            EntryKind.Delete => EntryFate.KeepAsDeletion,

            // Operands above it need to know when it expired: those from before are gone with it.
            _ when InternalValue.HasExpiry(kind) && (isBaseOfChain
                || _operandsAbove?.NameOf(InternalKey.TableId(key)) is not null) => EntryFate.Keep,
            _ when InternalValue.HasExpiry(kind) && InternalValue.ExpiryUnixMs(value) <= _flushedMs =>
                EntryFate.KeepAsDeletion,
            _ => EntryFate.Keep,
        };
    }

    /// <summary>The snapshots that cannot see a version: how many are older.</summary>
    private int Stripe(ulong version)
    {
        int stripe = 0;
        while (stripe < _snapshots.Length && _snapshots[stripe] < version)
            stripe++;
        return stripe;
    }

    private void Remember(ReadOnlySpan<byte> prefix)
    {
        if (_prefix.Length < prefix.Length)
            _prefix = new byte[prefix.Length * 2];
        prefix.CopyTo(_prefix);
        _prefixLength = prefix.Length;
    }
}
