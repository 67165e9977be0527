using System.IO.Hashing;
using System.Text;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Balancing;

/// <summary>How a read went, for the balancer.</summary>
public enum ReadOutcome
{
    /// <summary>The node answered, be it with an error of the operation.</summary>
    Answered = 0,

    /// <summary>The way there broke, or the time ran out.</summary>
    Failed = 1,

    /// <summary>The caller gave up; it tells nothing about the node.</summary>
    Abandoned = 2,
}

/// <summary>Where a read goes. Hand it to <see cref="ReadBalancer.Complete"/> exactly once.</summary>
public readonly struct ReadTarget
{
    internal ReadTarget(string nodeId, ReplicaLoad? replica, bool isProbe, long startedAt) =>
        (NodeId, Replica, IsProbe, StartedAt) = (nodeId, replica, isProbe, startedAt);

    /// <summary>The node.</summary>
    public string NodeId { get; }

    /// <summary>Whether it is the shard's primary.</summary>
    public bool IsPrimary => Replica is null;

    /// <summary>Whether the read tries a replica that was down: ask the primary at the same time.</summary>
    public bool IsProbe { get; }

    internal ReplicaLoad? Replica { get; }

    internal long StartedAt { get; }
}

/// <summary>
/// Chooses the node for a read. Each key has a first and a second replica (rendezvous hashing), so that it
/// sits in few caches; the second is taken where the first is much busier (power of two choices over reads
/// under way and latency). A replica that fails, or owes answers and gives none, is not chosen until one read
/// at a time finds it back. The primary is always there.
/// </summary>
/// <remarks>Thread safety: all members may be called concurrently. Choosing does not allocate.</remarks>
public sealed class ReadBalancer
{
    private readonly ReadBalancerOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Lock _updateLock = new();
    private ReplicaLoad[] _replicas = [];

    /// <summary>A balancer without replicas.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: invalid
    /// options.</exception>
    public ReadBalancer(ReadBalancerOptions options, TimeProvider timeProvider)
    {
        options.Validate();
        (_options, _timeProvider) = (options, timeProvider);
    }

    /// <summary>Takes the replicas that are alive in a map. What is known of those that stay is
    /// kept.</summary>
    public void Update(ClusterMap map) =>
        Update([.. map.Nodes.Where(node => node.Role == NodeRole.Replica && node.Alive).Select(node => node.Id)]);

    /// <summary>Takes the replicas that reads may go to. What is known of those that stay is kept.</summary>
    public void Update(IReadOnlyCollection<string> replicaIds)
    {
        lock (_updateLock)
        {
            Dictionary<string, ReplicaLoad> known = _replicas.ToDictionary(replica => replica.NodeId, StringComparer.Ordinal);
            ReplicaLoad[] next =
            [
                .. replicaIds.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
                    .Select(id => known.GetValueOrDefault(id)
                        ?? new ReplicaLoad(id, XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(id)), _options, _timeProvider)),
            ];
            Volatile.Write(ref _replicas, next);
        }
    }

    /// <summary>Chooses where a read goes.</summary>
    /// <param name="primaryNodeId">The primary of the key's shard.</param>
    /// <param name="keyHash">Its <see cref="Contracts.KeyHash"/>.</param>
    /// <param name="primaryOnly">A linearizable read.</param>
    public ReadTarget Choose(string primaryNodeId, ulong keyHash, bool primaryOnly = false)
    {
        long now = _timeProvider.GetTimestamp();
        ReplicaLoad[] replicas = Volatile.Read(ref _replicas);
        if (primaryOnly || replicas.Length == 0)
            return new ReadTarget(primaryNodeId, null, isProbe: false, now);

        Candidate first = default;
        Candidate second = default;
        foreach (ReplicaLoad replica in replicas)
        {
            ReplicaAvailability availability = replica.Look(now, out double busyness);
            if (availability == ReplicaAvailability.MayProbe && replica.TryBeginProbe(now))
                return new ReadTarget(replica.NodeId, replica, isProbe: true, now);
            if (availability != ReplicaAvailability.Up)
                continue;
            Candidate candidate = new(replica, replica.WeightFor(keyHash), busyness);
            if (first.Replica is null || candidate.Weight > first.Weight)
                (first, second) = (candidate, first);
            else if (second.Replica is null || candidate.Weight > second.Weight)
                second = candidate;
        }

        ReplicaLoad? chosen = second.Replica is not null && first.Busyness > second.Busyness * _options.AffinityFactor
            ? second.Replica
            : first.Replica;
        if (chosen is null || chosen.InFlight >= _options.MaxInFlightPerReplica)
            return new ReadTarget(primaryNodeId, null, isProbe: false, now);
        chosen.Begin(now);
        return new ReadTarget(chosen.NodeId, chosen, isProbe: false, now);
    }

    /// <summary>Tells how a read went. A read that failed at a replica goes to the primary.</summary>
    public void Complete(in ReadTarget target, ReadOutcome outcome) =>
        target.Replica?.End(outcome, target.IsProbe, target.StartedAt, _timeProvider.GetTimestamp());

    /// <summary>Replicas that reads are kept away from now.</summary>
    public IReadOnlyList<string> GetDownReplicas() =>
        [.. Volatile.Read(ref _replicas).Where(replica => replica.IsDown).Select(replica => replica.NodeId)];

    private readonly record struct Candidate(ReplicaLoad? Replica, ulong Weight, double Busyness);
}
