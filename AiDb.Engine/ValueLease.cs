using AiDb.Engine.Tables;

namespace AiDb.Engine;

/// <summary>A value that was read, held in place (memtable or block; a merged one in memory of its own) until disposed.</summary>
/// <remarks>Dispose exactly once; copies of the struct share the one hold.</remarks>
public unsafe struct ValueLease : IDisposable
{
    private readonly byte* _value;
    private readonly int _length;
    private TableHit _hit;
    private RefCounted? _holder;

    /// <summary>A value held by its memtable, or by itself; null where there is nothing to hold.</summary>
    internal ValueLease(RefCounted? holder, byte* value, int length, ulong version, ulong expiresAtMs)
    {
        _holder = holder;
        _value = value;
        _length = length;
        Found = true;
        Version = version;
        ExpiresAtMs = expiresAtMs;
    }

    internal ValueLease(in TableHit hit)
    {
        _hit = hit;
        fixed (byte* value = hit.Value)
            _value = value;
        _length = hit.Value.Length;
        Found = true;
        Version = hit.Version;
        ExpiresAtMs = hit.ExpiryUnixMs;
    }

    /// <summary>Whether the key exists.</summary>
    public bool Found { get; }

    /// <summary>The bytes; valid until <see cref="Dispose"/>.</summary>
    public readonly ReadOnlySpan<byte> Span => new(_value, _length);

    /// <summary>The version of the write that set it.</summary>
    public ulong Version { get; }

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public ulong ExpiresAtMs { get; }

    /// <summary>Gives the hold back.</summary>
    public void Dispose()
    {
        _holder?.Release();
        _holder = null;
        _hit.Dispose();
    }
}
