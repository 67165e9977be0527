namespace AiDb.Cluster.Metadata;

/// <summary>What a metadata store accepts. Smaller than etcd's own limits, so that a store can move
/// there.</summary>
public static class MetadataLimits
{
    /// <summary>Characters of a key.</summary>
    public const int MaxKeyLength = 512;

    /// <summary>Bytes of a value.</summary>
    public const int MaxValueBytes = 1 << 20;

    /// <summary>Compares, or operations of a branch, in one transaction (etcd's default).</summary>
    public const int MaxTransactionSteps = 128;

    /// <summary>The shortest lease.</summary>
    public static readonly TimeSpan MinLease = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest lease.</summary>
    public static readonly TimeSpan MaxLease = TimeSpan.FromDays(1);

    internal static void CheckKey(string key, bool prefix = false)
    {
        if (key.Length == 0 && !prefix)
            throw Invalid("A metadata key must not be empty");
        if (key.Length > MaxKeyLength)
            throw Invalid($"A metadata key may have {MaxKeyLength} characters, not {key.Length}");
        if (key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw Invalid($"The metadata key '{key}' must consist of printable ASCII characters");
    }

    internal static void CheckValue(string key, ReadOnlyMemory<byte> value)
    {
        if (value.Length > MaxValueBytes)
            throw Invalid($"The value of metadata key '{key}' may have {MaxValueBytes} bytes, not {value.Length}");
    }

    internal static void CheckLease(TimeSpan timeToLive)
    {
        if (timeToLive < MinLease || timeToLive > MaxLease)
            throw Invalid($"A lease may live {MinLease} to {MaxLease}, not {timeToLive}");
    }

    internal static void CheckTransaction(MetadataTransaction transaction)
    {
        CheckSteps(transaction.Compares.Count, "compares");
        CheckSteps(transaction.Then.Count, "operations");
        CheckSteps(transaction.Otherwise.Count, "operations");
        CheckWrittenOnce(transaction.Then);
        CheckWrittenOnce(transaction.Otherwise);
    }

    private static void CheckSteps(int count, string what)
    {
        if (count > MaxTransactionSteps)
            throw Invalid($"A metadata transaction may have {MaxTransactionSteps} {what}, not {count}");
    }

    // As etcd does: the outcome of two writes to one key at one revision would depend on their order.
    private static void CheckWrittenOnce(IReadOnlyList<MetadataOperation> operations)
    {
        for (int i = 0; i < operations.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (Overlap(operations[i], operations[j]))
                    throw Invalid($"A metadata transaction writes the key '{operations[i].Key}' twice");
            }
        }
    }

    private static bool Overlap(MetadataOperation a, MetadataOperation b)
    {
        if (a.Kind == MetadataOperationKind.Range || b.Kind == MetadataOperationKind.Range)
            return false;
        if (a.Kind == MetadataOperationKind.Delete && b.Kind == MetadataOperationKind.Delete)
            return false;
        return (a.IsPrefix && b.Key.StartsWith(a.Key, StringComparison.Ordinal))
            || (b.IsPrefix && a.Key.StartsWith(b.Key, StringComparison.Ordinal))
            || string.Equals(a.Key, b.Key, StringComparison.Ordinal);
    }

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
