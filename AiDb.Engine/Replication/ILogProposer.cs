namespace AiDb.Engine.Replication;

/// <summary>Who puts this replica's own writes into the log of its group: the host, while it is the primary.</summary>
public interface ILogProposer
{
    /// <summary>Appends batches in order, in one epoch; null: this replica does not lead, and nothing was appended. It calls
    /// <see cref="ReplicaLog.Append"/> before it returns, and waits for nothing.</summary>
    /// <param name="batches">The batches; never changed afterwards.</param>
    /// <returns>The epoch and the LSN of the first; the others follow it.</returns>
    (ulong Epoch, ulong FirstLsn)? Propose(IReadOnlyList<ReadOnlyMemory<byte>> batches);

    /// <summary>Sends what was proposed, and syncs the own log meanwhile. Writes are answered when they are committed, which
    /// may be during this call or later.</summary>
    void Replicate();
}
