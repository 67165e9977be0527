namespace AiDb.Cluster.Replication;

/// <summary>Carries messages between the voters of shards.</summary>
/// <remarks>Thread safety: may be called concurrently, also while locks are held.</remarks>
public interface IReplicationTransport
{
    /// <summary>Sends a message to a node's voter of a shard. It never waits and may lose the message, since the protocol
    /// repeats; messages to one node arrive in the order in which they were sent, as far as they do.</summary>
    void Send(string nodeId, uint shard, ReplicationMessage message);
}
