using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Simulation;

/// <summary>The order of messages that chance hits too rarely: an entry of an older epoch reaches a quorum under a later primary and
/// is then replaced by yet another (Ongaro and Ousterhout, "In search of an understandable consensus algorithm", 2014,
/// figure 8).</summary>
internal sealed class DirectedScenario
{
    private static readonly ReplicationOptions OneByOne = new() { MaxAppendBytes = 1, MaxAppendsInFlight = 1 };
    private readonly Dictionary<string, Member> _members = [];
    private readonly ProtocolRules _rules;
    private ulong _epoch;

    private DirectedScenario(ProtocolRules rules)
    {
        _rules = rules;
        foreach (string id in (string[])["a", "b", "c"])
            _members.Add(id, new Member(id, rules));
    }

    /// <summary>Plays it.</summary>
    /// <returns>What does not hold; null: everything holds.</returns>
    public static string? Run(ProtocolRules rules) => new DirectedScenario(rules).Play();

    private string? Play()
    {
        // Everyone has an entry of epoch 1; then only a has X.
        Elect("a", "b", "c");
        Settle("a", "b", "c");
        EntryId x = _members["a"].Leader!.Propose(new byte[] { 1 }, 0, default)!.Value;
        Settle("a");

        // b leads epoch 2 by c's vote, and its first entry reaches nobody.
        Elect("b", "c");
        Settle("b");

        // a leads epoch 3 by c's vote; X reaches c, and the first entry of epoch 3 does not.
        Elect("a", "c");
        Exchange("a", "c");
        ulong committed = _members["a"].Voter.CommitLsn;

        // b leads epoch 4 by c's vote: its log is the greater one.
        Elect("b", "c");
        Settle("b", "c");
        return committed >= x.Lsn && _members["b"].Log.EpochAt(x.Lsn) != x.Epoch
            ? $"{x} was committed in epoch 3 and is not in the log of epoch 4's primary."
            : null;
    }

    /// <summary>Elects a member; only the seals of these voters arrive.</summary>
    private void Elect(string id, params string[] voters)
    {
        Member elected = _members[id];
        ShardVoter[] group = [.. _members.Values.Select(member => member.Voter.Identity)];
        elected.Leader = new ShardLeader(
            new GroupConfiguration
            {
                Generation = ++_epoch,
                Epoch = _epoch,
                PrimaryNodeId = id,
                PrimaryIncarnation = id,
                Voters = group,
                WriteQuorum = 2,
            },
            elected.Voter, elected.Log, elected.Outbox, OneByOne, _rules);
        elected.Leader.Start(default);
        foreach (SealRequest seal in elected.Sync().Select(sent => sent.Message).OfType<SealRequest>().Take(1))
        {
            foreach (string voter in voters)
            {
                _members[voter].Voter.Handle(id, seal);
                foreach (OutgoingMessage reply in _members[voter].Sync())
                    elected.Leader.Handle(reply.Message, default);
            }
        }
    }

    /// <summary>One round of appends to a voter and back.</summary>
    private void Exchange(string from, string to)
    {
        foreach (OutgoingMessage sent in _members[from].Take().Where(sent => sent.NodeId == to).Take(1))
        {
            _members[to].Voter.Handle(from, sent.Message);
            _members[from].Sync();
            foreach (OutgoingMessage reply in _members[to].Sync())
                _members[from].Leader!.Handle(reply.Message, default);
        }
    }

    /// <summary>Syncs the first and exchanges with the others until nothing is under way; what goes elsewhere is
    /// lost.</summary>
    private void Settle(string id, params string[] others)
    {
        for (int round = 0; round < 20; round++)
        {
            foreach (OutgoingMessage sent in _members[id].Sync())
            {
                if (!others.Contains(sent.NodeId))
                    continue;
                _members[sent.NodeId].Voter.Handle(id, sent.Message);
                foreach (OutgoingMessage reply in _members[sent.NodeId].Sync())
                    _members[id].Leader!.Handle(reply.Message, default);
            }
        }
    }

    private sealed class Member
    {
        public Member(string id, ProtocolRules rules) =>
            Voter = new Voter(new ShardVoter(id, id), Log, Outbox, OneByOne, rules);

        public SimulatedLog Log { get; } = new();

        public ReplicationOutbox Outbox { get; } = new();

        public Voter Voter { get; }

        public ShardLeader? Leader { get; set; }

        public IReadOnlyList<OutgoingMessage> Take() => Outbox.TakeImmediate();

        public IReadOnlyList<OutgoingMessage> Sync()
        {
            IReadOnlyList<OutgoingMessage> waiting = Outbox.TakeForSync();
            Log.CompleteSync(Log.BeginSync());
            Leader?.OnSynced(default);
            return [.. Outbox.TakeImmediate(), .. waiting, .. Outbox.TakeForSync()];
        }
    }
}
