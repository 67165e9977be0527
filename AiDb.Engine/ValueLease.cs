using System.Runtime.CompilerServices;
using AiDb.Engine.Tables;

namespace AiDb.Engine;

/// <summary>A value that was read, held in place (memtable or block; a merged one in memory of its own) until disposed.</summary>
/// <remarks>Dispose exactly once; copies of the struct share the one hold.</remarks>
public unsafe struct ValueLease : IDisposable
{
    private readonly nint _hold;
    private readonly byte* _value;
    private readonly int _length;
    private LeaseOwner? _owner;

    /// <summary>Takes over a hold of the owner, a memtable or the value itself; null where there is nothing to
    /// hold.</summary>
    internal ValueLease(LeaseOwner? owner, byte* value, int length, ulong version, ulong expiresAtMs)
    {
        _owner = owner;
        _value = value;
        _length = length;
        Found = true;
        Version = version;
        ExpiresAtMs = expiresAtMs;
    }

    /// <summary>Takes over the hold of the hit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ValueLease(in TableHit hit)
    {
        _owner = hit.Owner;
        _hold = hit.Hold;
        _value = hit.ValuePointer;
        _length = hit.Value.Length;
        Found = true;
        Version = hit.ShownVersion;
        ExpiresAtMs = hit.ExpiryUnixMs;
    }

    /// <summary>Whether the key exists.</summary>
    public bool Found { get; }

    /// <summary>The bytes; valid until <see cref="Dispose"/>.</summary>
    public readonly ReadOnlySpan<byte> Span => new(_value, _length);

    /// <summary>The version of the write that set it, which a key keeps when it moves to another
    /// shard.</summary>
    public ulong Version { get; }

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public ulong ExpiresAtMs { get; }

    /// <summary>Gives the hold back.</summary>
    public void Dispose()
    {
        LeaseOwner? owner = _owner;
        _owner = null;
        owner?.Release(_hold);
    }
}
