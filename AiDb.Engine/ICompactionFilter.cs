using System.Buffers;

namespace AiDb.Engine;

/// <summary>Looks at entries when compactions pass them and may remove them or change their values: for data that is
/// out of date by rules of the caller's own. Given by <see cref="DatabaseComponents.CompactionFilter"/>.</summary>
/// <remarks>
/// <para>A decision is not carried out by the compaction but written as any other write, through the log, on the
/// condition that the key still has the version that the filter saw. So snapshots keep seeing what they saw, replicas
/// and change feeds hear of it, replay comes to the same state whatever the filter says by then, and a write that came
/// in between wins. It takes effect soon after the compaction; the space comes back with a later one.</para>
/// <para>When a key is looked at is up to the compactions: it may be soon, late, often, or never. A decision that could
/// not be written (the database is full or being closed) is asked for again by a later compaction. Merge operands,
/// deletions and the engine's own keys are not shown.</para>
/// <para>Thread safety: called by one compaction at a time of a database, but by several databases at once. An
/// exception fails the compaction, which is tried again.</para>
/// </remarks>
public interface ICompactionFilter
{
    /// <summary>Decides about an entry.</summary>
    /// <param name="entry">The entry; it may not be the newest of its key.</param>
    /// <param name="changed">Takes the new value for <see cref="CompactionDecision.Change"/>. The filter must keep what
    /// it made when it sees it again.</param>
    CompactionDecision Decide(in CompactionFilterEntry entry, IBufferWriter<byte> changed);
}

/// <summary>What an <see cref="ICompactionFilter"/> decides.</summary>
public enum CompactionDecision : byte
{
    /// <summary>It stays as it is.</summary>
    Keep = 0,

    /// <summary>The key is deleted.</summary>
    Remove = 1,

    /// <summary>The key gets another value; when it expires does not change.</summary>
    Change = 2,
}

/// <summary>An entry that an <see cref="ICompactionFilter"/> decides about.</summary>
public readonly ref struct CompactionFilterEntry
{
    internal CompactionFilterEntry(
        uint tableId, ReadOnlySpan<byte> key, ulong version, ReadOnlySpan<byte> value, ulong expiresAtMs)
    {
        TableId = tableId;
        Key = key;
        Version = version;
        Value = value;
        ExpiresAtMs = expiresAtMs;
    }

    /// <summary>The table.</summary>
    public uint TableId { get; }

    /// <summary>The key.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>The version of the write that set it.</summary>
    public ulong Version { get; }

    /// <summary>The value.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public ulong ExpiresAtMs { get; }
}
