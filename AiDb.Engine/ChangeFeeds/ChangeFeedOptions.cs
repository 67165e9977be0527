namespace AiDb.Engine;

/// <summary>Where a <see cref="ChangeFeed"/> begins and what it gives.</summary>
public sealed record ChangeFeedOptions
{
    /// <summary>The first entry of the log to look at: <see cref="LogPosition.Lsn"/> + 1 of the last one that
    /// was consumed. Null: the entry that comes next.</summary>
    public ulong? FromLsn { get; init; }

    /// <summary>The tables whose changes are given; null: all.</summary>
    public IReadOnlyCollection<Table>? Tables { get; init; }

    /// <summary>Reports invalid settings.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the setting.</exception>
    public void Validate()
    {
        if (FromLsn == 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"{nameof(FromLsn)} must be 1 or more: entries begin at 1.");
        if (Tables is not null && Tables.Any(static table => table is null))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"{nameof(Tables)} must not hold null.");
    }
}
