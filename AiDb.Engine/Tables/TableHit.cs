using System.Runtime.CompilerServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>What <see cref="TableReader.TryGet"/> found: an entry, held in place in its block until
/// disposed.</summary>
/// <remarks>Dispose exactly once; copies share the one hold. The lease does not need the table to stay
/// open.</remarks>
internal unsafe struct TableHit : IDisposable
{
    private BlockLease _lease;
    private readonly byte* _value;
    private readonly int _valueLength;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal TableHit(in BlockLease lease, in DataBlockEntry entry)
    {
        ReadOnlySpan<byte> value = entry.ValueBytes;
        Kind = InternalValue.Kind(value);
        int header = InternalValue.HeaderLength(Kind);
        _lease = lease;
        _value = entry.Value + header;
        _valueLength = entry.ValueLength - header;
        Version = ~entry.InvertedVersion;
        ShownVersion = InternalValue.ShownVersion(Version, value);
        ExpiryUnixMs = InternalValue.ExpiryUnixMs(value);
    }

    /// <summary>A separated value in the place of the pointer that was found.</summary>
    internal TableHit(in BlockLease lease, in TableHit pointing, byte* value, int valueLength)
    {
        _lease = lease;
        _value = value;
        _valueLength = valueLength;
        Kind = InternalValue.Inline(pointing.Kind);
        Version = pointing.Version;
        ShownVersion = pointing.ShownVersion;
        ExpiryUnixMs = pointing.ExpiryUnixMs;
    }

    /// <summary>The entry's version, which orders it.</summary>
    public ulong Version { get; }

    /// <summary>The version that callers see: another one for a key that moved.</summary>
    public ulong ShownVersion { get; }

    /// <summary>When it expires; 0: never.</summary>
    public ulong ExpiryUnixMs { get; }

    /// <summary>What the entry does to its key.</summary>
    public EntryKind Kind { get; }

    /// <summary>The caller's value (without the internal header), valid until
    /// <see cref="Dispose"/>.</summary>
    public readonly ReadOnlySpan<byte> Value => new(_value, _valueLength);

    /// <summary>Where the value begins.</summary>
    internal readonly byte* ValuePointer => _value;

    /// <summary>To whom the hold goes back.</summary>
    internal readonly LeaseOwner? Owner => _lease.Owner;

    /// <summary>What goes back to the owner.</summary>
    internal readonly nint Hold => _lease.Hold;

    /// <inheritdoc/>
    public void Dispose() => _lease.Dispose();
}
