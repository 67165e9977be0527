using System.Text;

namespace AiDb.Client;

/// <summary>A value that was read.</summary>
public sealed record AiDbEntry
{
    /// <summary>The bytes; empty where only the head was asked for.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>How long the value is, in bytes.</summary>
    public long ValueBytes { get; init; }

    /// <summary>The version of the write that set it: the entity tag for
    /// <see cref="Condition.VersionIs"/>.</summary>
    public ulong Version { get; init; }

    /// <summary>When it expires; null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Whether a cache replica answered.</summary>
    public bool FromCache { get; init; }

    /// <summary>The value is no older than this; zero when a primary answered.</summary>
    public TimeSpan Age { get; init; }

    /// <summary>The value as UTF-8 text.</summary>
    public string GetText() => Encoding.UTF8.GetString(Value.Span);
}

/// <summary>One key of a scan.</summary>
public sealed record AiDbItem
{
    /// <summary>The key.</summary>
    public AiDbKey Key { get; init; }

    /// <summary>The bytes; empty where only keys were asked for.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The version of the write that set it.</summary>
    public ulong Version { get; init; }

    /// <summary>When it expires; null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>What a write answered.</summary>
/// <param name="Version">The version of the write: the entity tag of every key it wrote.</param>
/// <param name="Durability">What was reached when it was acknowledged.</param>
/// <param name="Session">A token for <see cref="ReadOptions.Session"/>: a read with it sees this write, from
/// any client.</param>
public readonly record struct WriteOutcome(ulong Version, Durability Durability, string Session);

/// <summary>What a batch answered.</summary>
public sealed record BatchOutcome
{
    /// <summary>The version of an atomic batch; 0 for one that was not atomic.</summary>
    public ulong Version { get; init; }

    /// <summary>What was reached when it was acknowledged.</summary>
    public Durability Durability { get; init; }

    /// <summary>A token for <see cref="ReadOptions.Session"/>.</summary>
    public string Session { get; init; } = "";

    /// <summary>Of a batch that was not atomic: how each operation went, in their order. Empty for an atomic
    /// one.</summary>
    public IReadOnlyList<OperationOutcome> Results { get; init; } = [];
}

/// <summary>How one operation of a batch that was not atomic went.</summary>
/// <param name="Version">The version of its write; 0 where it was not applied.</param>
/// <param name="Error">Why it was not applied; null where it was.</param>
public readonly record struct OperationOutcome(ulong Version, AiDbException? Error);
