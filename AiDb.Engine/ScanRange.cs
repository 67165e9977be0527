namespace AiDb.Engine;

/// <summary>The keys of a scan: from <see cref="Start"/> inclusive to <see cref="End"/> exclusive, in
/// unsigned byte order; an empty bound is open.</summary>
public readonly record struct ScanRange
{
    /// <summary>First key, inclusive; empty: from the first.</summary>
    public ReadOnlyMemory<byte> Start { get; init; }

    /// <summary>Last key, exclusive; empty: to the last.</summary>
    public ReadOnlyMemory<byte> End { get; init; }

    /// <summary>From the last key to the first.</summary>
    public bool Reverse { get; init; }

    /// <summary>Every key.</summary>
    public static ScanRange All => default;

    /// <summary>The keys that begin with <paramref name="prefix"/>.</summary>
    public static ScanRange Prefix(ReadOnlyMemory<byte> prefix, bool reverse = false)
    {
        byte[] end = prefix.ToArray();
        int length = end.Length;
        while (length > 0 && end[length - 1] == 0xFF)
            length--;
        if (length > 0)
            end[length - 1]++;
        return new ScanRange { Start = prefix, End = end.AsMemory(0, length), Reverse = reverse };
    }
}
