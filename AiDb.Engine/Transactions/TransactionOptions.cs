namespace AiDb.Engine;

/// <summary>What a <see cref="Transaction"/> is protected from.</summary>
public enum TransactionIsolation : byte
{
    /// <summary>Every key that was read, by itself or by a scan, must be unchanged at the commit: the
    /// transaction is as if it had run alone at that moment, but for phantoms (keys that others add to a
    /// scanned range).</summary>
    Serializable = 0,

    /// <summary>Every key that is written must be unchanged at the commit; what was only read may have
    /// changed (write skew is possible).</summary>
    Snapshot = 1,
}

/// <summary>The settings of a transaction.</summary>
public sealed record TransactionOptions
{
    /// <summary>What must be unchanged at the commit. Default:
    /// <see cref="TransactionIsolation.Serializable"/>.</summary>
    public TransactionIsolation Isolation { get; init; }

    /// <summary>The durability of the commit. Default: as the database's.</summary>
    public WriteDurability Durability { get; init; }

    /// <summary>How often <see cref="Database.RunTransactionAsync{T}"/> runs the body, the first time
    /// included. More: it survives more contention, and repeats more work. Default: 16.</summary>
    public int MaxAttempts { get; init; } = 16;

    /// <summary>The pause before the second attempt, on average half of it; it doubles with each attempt. Default: 1
    /// ms.</summary>
    public TimeSpan FirstRetryDelay { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest pause. Default: 100 ms.</summary>
    public TimeSpan LongestRetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (!Enum.IsDefined(Isolation))
            errors.Add($"{nameof(Isolation)} must be Serializable or Snapshot");
        if (!Enum.IsDefined(Durability))
            errors.Add($"{nameof(Durability)} must be Default, Memory or Synced");
        if (MaxAttempts < 1)
            errors.Add($"{nameof(MaxAttempts)} must be 1 or more");
        if (FirstRetryDelay < TimeSpan.Zero || FirstRetryDelay > LongestRetryDelay)
            errors.Add($"{nameof(FirstRetryDelay)} must be zero or more, at most {nameof(LongestRetryDelay)}");
        if (LongestRetryDelay > TimeSpan.FromMinutes(1))
            errors.Add($"{nameof(LongestRetryDelay)} must be at most a minute (00:01:00)");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid TransactionOptions: " + string.Join("; ", errors) + ".");
        }
    }
}
