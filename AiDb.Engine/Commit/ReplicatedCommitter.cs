using AiDb.Engine.Log;
using AiDb.Engine.Replication;

namespace AiDb.Engine.Commit;

/// <summary>What the leader does with a group of writes where the database is a replica: has it proposed to the group of
/// replicas. It is applied and answered when the group has committed it; the next group is proposed meanwhile.</summary>
/// <remarks>Thread safety: the leader's own, but <see cref="Epoch"/>.</remarks>
internal sealed class ReplicatedCommitter(EngineContext context, ReplicaApplier applier, MemtableRotation rotation) : ICommitter
{
    private readonly DiskGuard _diskGuard = new(context);

    /// <inheritdoc/>
    public ulong Epoch => applier.Epoch;

    /// <inheritdoc/>
    public void RotateEarly()
    {
        lock (rotation.Gate)
            rotation.RotateEarly();
    }

    /// <inheritdoc/>
    public bool Commit(List<PendingWrite> group)
    {
        PendingWrite first = group[0];
        switch (first.Kind)
        {
            case PendingKind.Rotate:
                lock (rotation.Gate)
                    first.Result = new WriteResult(Applied: true, 0, rotation.Rotate());
                return true;
            case PendingKind.Close:
                applier.Close(new AiDbException(
                    AiDbErrorKind.OutcomeUnknown,
                    "The replica was closed before the write was known to be committed. Read before writing again."));
                return true;
            case PendingKind.Batch:
                return Propose(group);
            default:
                first.Error = new AiDbException(
                    AiDbErrorKind.Unimplemented, first.Kind == PendingKind.Ingest
                        ? "A replicated shard takes no files in: their keys are not in the log that its replicas follow. Write the keys."
                        : "A replica's epochs begin by election.");
                return true;
        }
    }

    private bool Propose(List<PendingWrite> group)
    {
        var batches = new ReadOnlyMemory<byte>[group.Count];
        long bytes = 0;
        for (int index = 0; index < batches.Length; index++)
        {
            // The writer's batch is pooled; the followers may need the bytes for long.
            batches[index] = group[index].Operations!.WrittenSpan.ToArray();
            bytes += batches[index].Length + WriteAheadLog.RecordOverheadBytes;
        }

        if (context.Health.Failure is null)
            _diskGuard.BeforeWriting(bytes);
        int count = group.Count;
        AiDbException? refusal = context.Health.ReadOnlyReason;
        ILogProposer? proposer = null;
        try
        {
            refusal ??= applier.Propose(group, batches, out proposer);
        }
        catch (Exception error)
        {
            // It failed before or while it appended; only the group of replicas could tell, and this one stops.
            refusal = new AiDbException(AiDbErrorKind.OutcomeUnknown, error.Message, error);
        }

        if (refusal is not null)
        {
            foreach (PendingWrite write in group)
                write.Error = DatabaseHealth.Repeat(refusal);
            return true;
        }

        try
        {
            proposer!.Replicate();
        }
        catch (Exception error)
        {
            // Nothing may leave a writer without an answer. What became of the entries is not known.
            var reason = new AiDbException(
                AiDbErrorKind.Internal, $"Replication failed unexpectedly; the replica stops: {error.Message}", error);
            context.Health.Fail(reason);
            applier.StopProposing(new AiDbException(AiDbErrorKind.OutcomeUnknown, reason.Message, error));
        }

        context.Metrics.Committed(count, bytes, synced: true);
        return false;
    }
}
