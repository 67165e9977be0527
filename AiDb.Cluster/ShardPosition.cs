using AiDb.Contracts.Internal.V1;

namespace AiDb.Cluster;

/// <summary>A place in a shard's log: a session's token, a cache's watermark. Ordered by epoch, then LSN:
/// whoever stands in an epoch has seen every entry of earlier epochs that survived.</summary>
/// <param name="Epoch">The epoch of the entry there.</param>
/// <param name="Lsn">Its number.</param>
public readonly record struct ShardPosition(ulong Epoch, ulong Lsn) : IComparable<ShardPosition>
{
    /// <summary>The position of a message; unset is the beginning.</summary>
    public static ShardPosition From(Position? message) => message is null ? default : new(message.Epoch, message.Lsn);

    /// <summary>The position as a message.</summary>
    public Position ToMessage() => new() { Epoch = Epoch, Lsn = Lsn };

    /// <inheritdoc/>
    public int CompareTo(ShardPosition other) =>
        Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Lsn.CompareTo(other.Lsn);

    /// <summary>The later of two.</summary>
    public static ShardPosition Max(ShardPosition a, ShardPosition b) => a.CompareTo(b) >= 0 ? a : b;

    /// <summary>Whether <paramref name="a"/> is before <paramref name="b"/>.</summary>
    public static bool operator <(ShardPosition a, ShardPosition b) => a.CompareTo(b) < 0;

    /// <summary>Whether <paramref name="a"/> is after <paramref name="b"/>.</summary>
    public static bool operator >(ShardPosition a, ShardPosition b) => a.CompareTo(b) > 0;

    /// <summary>Whether <paramref name="a"/> is before <paramref name="b"/> or the same.</summary>
    public static bool operator <=(ShardPosition a, ShardPosition b) => a.CompareTo(b) <= 0;

    /// <summary>Whether <paramref name="a"/> is after <paramref name="b"/> or the same.</summary>
    public static bool operator >=(ShardPosition a, ShardPosition b) => a.CompareTo(b) >= 0;
}
