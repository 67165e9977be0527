using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Placement;

/// <summary>
/// Looks after the shards of several voters: elects the first primary of each, elects anew where the elected process has
/// started again or does not begin to serve, wishes for other voters where one is gone for long or there are too few, and
/// withdraws a wish for one that is gone for long. A primary that dies is noticed by its followers, who are faster: they elect
/// one of themselves.
/// </summary>
/// <remarks>Every step is a compare-and-swap on the shard's <c>conf</c>, so that several of them do no harm. Thread safety: none;
/// <see cref="RunAsync"/> once.</remarks>
public sealed partial class ShardSupervisor(
    IMetadataStore store,
    ClusterMapWatcher map,
    CoordinatorOptions options,
    TimeProvider timeProvider,
    ILogger<ShardSupervisor> logger)
{
    /// <summary>How long an elected primary may take until it serves.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly long _startedAt = timeProvider.GetTimestamp();
    private readonly Dictionary<uint, (ulong Epoch, TimeSpan At)> _recovering = [];
    private readonly Dictionary<ShardVoter, TimeSpan> _goneSince = [];

    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        options.Validate();
        using PeriodicTimer timer = new(Interval, timeProvider);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            ClusterMap current = map.Current;
            foreach (SupervisorStep step in Plan(current, timeProvider.GetElapsedTime(_startedAt)))
            {
                try
                {
                    if (await ShardConf.TryReplaceAsync(store, step.Current, step.Next, cancellationToken) is not null)
                        LogStep(step.Current.Id, step.What);
                }
                catch (AiDbException error)
                {
                    LogFailed(step.Current.Id, step.What, error.Message);
                }
            }
        }
    }

    /// <summary>What is to be done for a map at a time.</summary>
    internal IReadOnlyList<SupervisorStep> Plan(ClusterMap current, TimeSpan now)
    {
        List<SupervisorStep> steps = [];
        NoteGone(current, now);

        // Counted as the steps will have it: when many shards lack a voter at once, the map would send all to one node.
        Dictionary<string, int> load = VoterPlacement.LoadOf(current);
        foreach (ShardDescriptor shard in current.Shards)
        {
            // A sole voter elects itself, also where others are wanted: it knows when what it restores is there.
            SupervisorStep? step = shard.AllVoters.Skip(1).Any() ? Elect(current, shard, now) : null;
            if ((step ?? Withdraw(shard, now) ?? Repair(current, shard, now, load)) is { } found)
                steps.Add(found);
        }

        return steps;
    }

    private SupervisorStep? Elect(ClusterMap current, ShardDescriptor shard, TimeSpan now)
    {
        if (shard.State == ShardState.New)
        {
            return shard.Voters.All(voter => IsThere(current, voter))
                ? Election(current, shard, shard.Voters[0], "it is new, and its voters are there")
                : null;
        }

        if (shard.State == ShardState.Active)
            _recovering.Remove(shard.Id);
        else if (_recovering.TryGetValue(shard.Id, out (ulong Epoch, TimeSpan At) seen) && seen.Epoch == shard.Epoch)
        {
            if (now - seen.At > Patience && NextCandidate(current, shard) is { } other)
                return Election(current, shard, other, $"'{shard.PrimaryNodeId}' does not begin to serve");
        }
        else
        {
            _recovering[shard.Id] = (shard.Epoch, now);
        }

        NodeDescriptor? primary = current.FindNode(shard.PrimaryNodeId);
        bool isRestarted = primary is { Alive: true } && primary.Incarnation != shard.PrimaryIncarnation;
        return isRestarted && NextCandidate(current, shard) is { } candidate
            ? Election(current, shard, candidate, $"'{shard.PrimaryNodeId}' has started anew")
            : null;
    }

    /// <summary>The voter after the primary, in their order, whose node is there; the primary itself is the last.</summary>
    private static ShardVoter? NextCandidate(ClusterMap current, ShardDescriptor shard)
    {
        ShardVoter[] voters = [.. shard.Voters];
        int primary = Array.FindIndex(voters, voter => voter.NodeId == shard.PrimaryNodeId);
        ShardVoter[] turned = [.. voters.Skip(primary + 1), .. voters.Take(primary + 1)];
        return turned.FirstOrDefault(voter => IsThere(current, voter));
    }

    private static SupervisorStep Election(ClusterMap current, ShardDescriptor shard, ShardVoter elected, string why) => new(
        shard,
        ShardConf.Elected(shard, elected.NodeId, current.FindNode(elected.NodeId)!.Incarnation),
        $"elects '{elected.NodeId}' in epoch {shard.Epoch + 1}: {why}");

    /// <summary>Gives up a change of voters whose new voter is gone: it would never learn enough, or, where it is a next voter
    /// already, its absence weakens the group. In any state of the shard, since its primary may need just that.</summary>
    private SupervisorStep? Withdraw(ShardDescriptor shard, TimeSpan now)
    {
        ShardVoter? gone = (shard.NextVoters ?? shard.WantedVoters)?.FirstOrDefault(
            voter => !shard.Voters.Contains(voter) && IsGoneForLong(voter, now));
        return gone is null
            ? null
            : new SupervisorStep(
                shard, ShardConf.WishWithdrawn(shard), $"gives up the change of voters, since '{gone.NodeId}' is gone");
    }

    private bool IsGoneForLong(ShardVoter voter, TimeSpan now) =>
        options.ReplaceAfter > TimeSpan.Zero
        && _goneSince.TryGetValue(voter, out TimeSpan since) && now - since >= options.ReplaceAfter;

    private SupervisorStep? Repair(ClusterMap current, ShardDescriptor shard, TimeSpan now, Dictionary<string, int> load)
    {
        if (shard.State != ShardState.Active || shard.NextVoters is not null || shard.WantedVoters is not null)
            return null;
        ShardVoter? gone = shard.IsReplicated
            ? shard.Voters.FirstOrDefault(voter => IsGoneForLong(voter, now))
            : null;
        List<NodeDescriptor> staying =
            [.. shard.Voters.Where(voter => voter != gone).Select(voter => current.FindNode(voter.NodeId)).OfType<NodeDescriptor>()];
        List<ShardVoter> wanted = [.. shard.Voters.Where(voter => voter != gone)];
        while (wanted.Count < Math.Max(options.VotersPerShard, shard.Voters.Count)
            && VoterPlacement.FindSpare(current, shard, staying, gone, load) is { } spare)
        {
            staying.Add(spare);
            wanted.Add(VoterPlacement.VoterOf(spare));
        }

        // Two voters are no better than one: either may be missing from a majority.
        bool isWorse = wanted.Count < shard.Voters.Count || wanted.SequenceEqual(shard.Voters)
            || (shard.Voters.Count == 1 && wanted.Count < options.VotersPerShard);
        if (isWorse)
            return null;
        foreach (ShardVoter voter in wanted.Except(shard.Voters))
            load[voter.NodeId] = load.GetValueOrDefault(voter.NodeId) + 1;
        return new SupervisorStep(
            shard,
            ShardConf.Wanting(shard, wanted, options.WriteQuorumOf(wanted.Count)),
            gone is null
                ? $"wants {wanted.Count} voters instead of {shard.Voters.Count}"
                : $"replaces the voter of '{gone.NodeId}', which is gone, by '{wanted[^1].NodeId}'");
    }

    private void NoteGone(ClusterMap current, TimeSpan now)
    {
        HashSet<ShardVoter> holders = [.. current.Shards.SelectMany(shard => shard.Holders)];
        foreach (ShardVoter voter in _goneSince.Keys.ToList())
        {
            if (!holders.Contains(voter) || IsThere(current, voter))
                _goneSince.Remove(voter);
        }

        foreach (ShardVoter voter in holders)
        {
            if (!IsThere(current, voter))
                _goneSince.TryAdd(voter, now);
        }
    }

    private static bool IsThere(ClusterMap current, ShardVoter voter) =>
        current.FindNode(voter.NodeId) is { Alive: true } node && node.DiskId == voter.DiskId;

    [LoggerMessage(Level = LogLevel.Information, Message = "Shard {Shard}: the coordinator {What}")]
    private partial void LogStep(uint shard, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Shard {Shard}: the coordinator could not do it ({What}): {Reason}")]
    private partial void LogFailed(uint shard, string what, string reason);
}

/// <summary>A change of a shard's <c>conf</c>, and why.</summary>
/// <param name="Current">What it replaces.</param>
/// <param name="Next">The new record.</param>
/// <param name="What">For the log.</param>
internal sealed record SupervisorStep(ShardDescriptor Current, ShardDescriptor Next, string What);
