namespace AiDb.Cluster.Replication;

/// <summary>Messages that a state machine wants sent. What depends on bytes reaching the disk waits for the sync that
/// covers them; the host takes it out after that sync.</summary>
/// <remarks>Thread safety: none; it belongs to the host of one voter.</remarks>
public sealed class ReplicationOutbox
{
    private List<OutgoingMessage> _immediate = [];
    private List<OutgoingMessage> _afterSync = [];

    /// <summary>Whether anything waits for the disk.</summary>
    public bool NeedsSync => _afterSync.Count > 0;

    /// <summary>Sends as soon as may be.</summary>
    public void Send(string nodeId, ReplicationMessage message) => _immediate.Add(new OutgoingMessage(nodeId, message));

    /// <summary>Sends when all that was written up to now is durable.</summary>
    public void SendAfterSync(string nodeId, ReplicationMessage message) =>
        _afterSync.Add(new OutgoingMessage(nodeId, message));

    /// <summary>Takes what may be sent at once.</summary>
    public IReadOnlyList<OutgoingMessage> TakeImmediate() => Take(ref _immediate);

    /// <summary>Takes what waits for a sync that begins now; to be sent when it has ended well, and never if it has
    /// not.</summary>
    public IReadOnlyList<OutgoingMessage> TakeForSync() => Take(ref _afterSync);

    private static IReadOnlyList<OutgoingMessage> Take(ref List<OutgoingMessage> list)
    {
        if (list.Count == 0)
            return [];
        List<OutgoingMessage> taken = list;
        list = [];
        return taken;
    }
}

/// <summary>A message and where it goes.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Message">The message.</param>
public readonly record struct OutgoingMessage(string NodeId, ReplicationMessage Message);
