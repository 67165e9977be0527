namespace AiDb.Engine.Collections.Indexing;

/// <summary>What a committed write did to one point, as the indexes take it in.</summary>
internal sealed record PointChange
{
    /// <summary>The point.</summary>
    public required PointId Id { get; init; }

    /// <summary>Whether it is gone; the rest is not set then.</summary>
    public bool IsDeleted { get; init; }

    /// <summary>All vectors that it has now.</summary>
    public IReadOnlyCollection<string> Names { get; init; } = [];

    /// <summary>The vectors that were written.</summary>
    public NamedVectors Written { get; init; } = [];

    /// <summary>The payload; null: as it was.</summary>
    public Payload? Payload { get; init; }

    /// <summary>The version that vectors and payload that were not written are of; 0: everything was
    /// written.</summary>
    public ulong BaseVersion { get; init; }

    /// <summary>How many milliseconds it lives from its version on; 0: for ever.</summary>
    public ulong TimeToLiveMs { get; init; }

    /// <summary>Whether vectors that are named and not written are in the saved indexes.</summary>
    public bool IsConfirmation { get; init; }

    /// <summary>Whether it stands on its own.</summary>
    public bool IsWhole => IsDeleted || (BaseVersion == 0 && Written.Count == Names.Count && Payload is not null);
}
