using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Checks;

/// <summary>An invariant that does not hold.</summary>
internal sealed class InvariantViolation(string message) : Exception(message);

/// <summary>Sees every append, cut, commit and acknowledgement as it happens, with the eyes of someone who knows all nodes, and
/// throws where the protocol's invariants do not hold.</summary>
internal sealed class InvariantChecker(SimulatedCluster cluster)
{
    private readonly Dictionary<EntryId, ulong> _prefixHashes = [];
    private readonly Dictionary<ulong, string> _primaries = [];
    private readonly Dictionary<string, ulong> _promises = [];
    private readonly Dictionary<string, ulong> _commits = [];
    private readonly List<EntryId> _committed = [];

    /// <summary>Entries known to be committed by anyone.</summary>
    public int Committed => _committed.Count;

    /// <summary>Failovers: epochs whose primary became active.</summary>
    public int ActiveEpochs => _primaries.Count;

    /// <summary>The same name means the same bytes and the same prefix.</summary>
    public void Appended(SimulatedNode node, SimulatedLog log, ReplicaEntry entry)
    {
        cluster.Trace.Add(entry.Id.Epoch, entry.Id.Lsn);
        ulong hash = 14695981039346656037;
        if (entry.Id.Lsn > 1)
            hash = _prefixHashes[log[entry.Id.Lsn - 1].Id];
        foreach (byte value in entry.Payload.Span)
            hash = (hash ^ value) * 1099511628211;
        hash = (hash ^ entry.Timestamp) * 1099511628211;
        hash = (hash ^ entry.Id.Epoch) * 1099511628211;
        if (!_prefixHashes.TryAdd(entry.Id, hash) && _prefixHashes[entry.Id] != hash)
            throw new InvariantViolation($"{node.Id} appends an entry {entry.Id} that is not the one of that name elsewhere.");
        if (log.LastTimestamp >= entry.Timestamp)
            throw new InvariantViolation($"{node.Id} appends {entry.Id} with a timestamp that does not rise.");
    }

    /// <summary>A log is cut only above what its voter knows to be committed.</summary>
    public void Truncating(SimulatedNode node, Voter voter, ulong lsn)
    {
        cluster.Trace.Say($"{node.Id} cuts its log after {lsn}");
        if (lsn < voter.CommitLsn)
            throw new InvariantViolation($"{node.Id} cuts after {lsn}, below its commit position {voter.CommitLsn}.");
    }

    /// <summary>What is applied is committed, in one order everywhere, and on a write quorum.</summary>
    public void Applied(SimulatedNode node, ReplicaEntry entry)
    {
        ulong lsn = entry.Id.Lsn;
        if (_commits.GetValueOrDefault(node.Id) >= lsn)
            throw new InvariantViolation($"{node.Id} commits {entry.Id} a second time in one run.");
        _commits[node.Id] = lsn;
        if (lsn <= (ulong)_committed.Count)
        {
            if (_committed[(int)lsn - 1] != entry.Id)
            {
                throw new InvariantViolation(
                    $"{node.Id} commits {entry.Id} where {_committed[(int)lsn - 1]} was committed before.");
            }

            return;
        }

        _committed.Add(entry.Id);
    }

    /// <summary>An epoch has one primary, and it holds everything that was ever committed.</summary>
    public void Leads(SimulatedNode node, ulong epoch, SimulatedLog log)
    {
        string run = node.Process!.Incarnation;
        if (!_primaries.TryAdd(epoch, run))
        {
            if (_primaries[epoch] != run)
                throw new InvariantViolation($"{run} and {_primaries[epoch]} are both primary of epoch {epoch}.");
            return;
        }

        cluster.Trace.Say($"{node.Id} is active in epoch {epoch}");
        for (int i = 0; i < _committed.Count; i++)
        {
            if (_committed[i].Epoch < epoch && log.EpochAt((ulong)i + 1) != _committed[i].Epoch)
                throw new InvariantViolation($"{node.Id} is active in epoch {epoch} without the committed entry {_committed[i]}.");
        }
    }

    /// <summary>An acknowledged write is durable on a write quorum of the disks with a vote.</summary>
    public void Acknowledged(EntryId id, GroupConfiguration? group)
    {
        if (group is null)
            return;
        int holders = group.Voters.Count(voter =>
            cluster.Node(voter.NodeId).Voter == voter && cluster.Node(voter.NodeId).Log.HoldsDurably(id));
        int lost = group.Voters.Count(voter => cluster.Node(voter.NodeId).Voter != voter);
        if (holders + lost < group.WriteQuorum)
            throw new InvariantViolation($"{id} is acknowledged, but durable on {holders} of {group.WriteQuorum} voters.");
    }

    /// <summary>A run of a process ended: what it had not made durable is forgotten, its promise is not.</summary>
    public void Restarted(SimulatedNode node)
    {
        _commits.Remove(node.Id);
        string disk = node.Voter.DiskId;
        ulong before = _promises.GetValueOrDefault(disk);
        if (node.Log.DurablePromise < before)
            throw new InvariantViolation($"{disk} promised epoch {before} and came back with {node.Log.DurablePromise}.");
        _promises[disk] = node.Log.DurablePromise;
    }

    /// <summary>What must hold when everything has come to rest: the copies are equal.</summary>
    public void CheckConvergence()
    {
        NodeProcess[] processes =
            [.. cluster.Store.Conf.Voters.Select(voter => cluster.Node(voter.NodeId).Process!)];
        if (processes.Select(process => process.Machine.Hash()).Distinct().Count() > 1)
            throw new InvariantViolation("The copies differ after everything has come to rest.");
    }
}
