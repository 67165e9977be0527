namespace AiDb.Engine;

/// <summary>Where a <see cref="ChangeFeed"/> begins and what it gives.</summary>
public sealed record ChangeFeedOptions
{
    /// <summary>The first entry of the log to look at: <see cref="LogPosition.Lsn"/> + 1 of the last one that
    /// was consumed. Null: the entry that comes next.</summary>
    public ulong? FromLsn { get; init; }

    /// <summary>The tables whose changes are given; null: all.</summary>
    public IReadOnlyCollection<Table>? Tables { get; init; }
}
