using AiDb.Cluster.Replication;

namespace AiDb.Simulation.World;

/// <summary>The metadata store as the voters of one group meet it.</summary>
internal interface IGroupStore
{
    /// <summary>What is stored.</summary>
    GroupConfiguration Conf { get; }

    /// <summary>Keeps a node's registration alive.</summary>
    void KeepAlive(string node, string incarnation, string diskId, ulong steppedDownEpoch);

    /// <summary>Reads <c>conf</c>.</summary>
    void Read(string place, Action<GroupConfiguration> answer);

    /// <summary>Replaces <c>conf</c> if it is still of a generation. The answer may never come, whatever happened.</summary>
    void Replace(string place, ulong generation, GroupConfiguration next, Action<bool>? answer = null);

    /// <summary>Tells a place of every change, while it is reached.</summary>
    void Watch(string place, Action<GroupConfiguration> hear);
}
