using AiDb.Cluster;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using Kind = AiDb.Contracts.Internal.V1.WriteOperation.Types.Kind;

namespace AiDb.Gateway.Front;

/// <summary>Writes of single keys and of batches.</summary>
internal sealed class Writes(ShardCaller caller, AcknowledgedPositions acknowledged)
{
    private static readonly Action<Request, ShardRoute, Write> Fill = (request, route, write) =>
    {
        // The slots of hashes are the same in every attempt; those of ranges are the part's.
        foreach (WriteOperation operation in write.Operations)
            operation.Slot = (uint)route.Slot;
        request.Write = write;
    };

    /// <summary>Sets a key.</summary>
    public ValueTask<WriteResponse> PutAsync(
        TableDescriptor table, PutRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        WriteOperation operation = new()
        {
            Kind = Kind.Put,
            TableId = table.Id,
            Key = call.Key,
            Value = call.Value,
            TtlMs = call.TtlMs == 0 ? table.Settings.DefaultTtlMs : call.TtlMs,
            Condition = call.Condition,
            NamesPartition = !call.Partition.IsEmpty,
        };
        return WriteOneAsync(
            SlotSource.Of(table, call.Key, call.Partition), operation, call.Durability, deadline, cancellationToken);
    }

    /// <summary>Deletes a key.</summary>
    public ValueTask<WriteResponse> DeleteAsync(
        TableDescriptor table, DeleteRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        WriteOperation operation = new()
        {
            Kind = Kind.Delete,
            TableId = table.Id,
            Key = call.Key,
            Condition = call.Condition,
            NamesPartition = !call.Partition.IsEmpty,
        };
        return WriteOneAsync(
            SlotSource.Of(table, call.Key, call.Partition), operation, call.Durability, deadline, cancellationToken);
    }

    /// <summary>Writes a batch.</summary>
    /// <param name="tables">Of each operation.</param>
    /// <param name="call">The batch.</param>
    /// <param name="deadline">When to give up.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public ValueTask<BatchResponse> BatchAsync(
        TableDescriptor[] tables, BatchRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        bool atomic = !call.HasAtomic || call.Atomic;
        List<BatchPart> parts = BatchPart.Split(tables, call, atomic, caller.Router.Map);
        return atomic
            ? WriteAtomicAsync(parts[0], call.Durability, deadline, cancellationToken)
            : WritePartsAsync(parts, call, deadline, cancellationToken);
    }

    private async ValueTask<WriteResponse> WriteOneAsync(
        SlotSource source, WriteOperation operation, Durability durability, Deadline deadline,
        CancellationToken cancellationToken)
    {
        Write write = new() { Durability = durability };
        write.Operations.Add(operation);
        (uint shard, Response response) = await SendAsync(source, write, deadline, cancellationToken);
        SessionToken session = default;
        session.Advance(shard, ShardPosition.From(response.Position));
        return new WriteResponse
        {
            Version = response.Write.Version,
            Durability = response.Write.Durability,
            Session = session.ToString(),
        };
    }

    private async ValueTask<BatchResponse> WriteAtomicAsync(
        BatchPart part, Durability durability, Deadline deadline, CancellationToken cancellationToken)
    {
        (uint shard, Response response) = await SendAtomicAsync(part, durability, deadline, cancellationToken);
        SessionToken session = default;
        session.Advance(shard, ShardPosition.From(response.Position));
        return new BatchResponse
        {
            Version = response.Write.Version,
            Durability = response.Write.Durability,
            Session = session.ToString(),
        };
    }

    // Each partition stands or falls by itself; its operations share one outcome.
    private async ValueTask<BatchResponse> WritePartsAsync(
        List<BatchPart> parts, BatchRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        OperationResult[] results = new OperationResult[call.Operations.Count];
        BatchResponse batch = new();
        SessionToken session = default;
        while (parts.Count > 0)
        {
            List<BatchPart> open = parts;
            (uint Shard, Response? Response)[] answers = new (uint, Response?)[open.Count];
            await Parallel.ForAsync(
                0,
                open.Count,
                new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = cancellationToken },
                async (i, token) => answers[i] = await TryWriteAsync(open[i], results, call.Durability, deadline, token));
            foreach ((uint shard, Response? response) in answers)
            {
                if (response is null)
                    continue;
                session.Advance(shard, ShardPosition.From(response.Position));
                Durability reached = response.Write.Durability;
                batch.Durability = batch.Durability == Durability.Unspecified || reached < batch.Durability
                    ? reached
                    : batch.Durability;
            }

            // Parts without any result were divided by a split before anything was done.
            ClusterMap map = caller.Router.Map;
            parts = [.. open.Where(part => results[part.Indexes[0]] is null).SelectMany(part => part.Divide(map))];
        }

        batch.Session = session.ToString();
        batch.Results.AddRange(results);
        return batch;
    }

    private async ValueTask<(uint Shard, Response Response)> SendAtomicAsync(
        BatchPart part, Durability durability, Deadline deadline, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(part.Source, part.ToWrite(durability), deadline, cancellationToken);
        }
        catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.Aborted && part.IsDividedBy(caller.Router.Map))
        {
            throw part.Across();
        }
    }

    /// <summary>Writes a part. Where a split has divided it nothing is done, and it gets no result.</summary>
    private async ValueTask<(uint Shard, Response? Response)> TryWriteAsync(
        BatchPart part, OperationResult[] results, Durability durability, Deadline deadline,
        CancellationToken cancellationToken)
    {
        try
        {
            (uint shard, Response response) =
                await SendAsync(part.Source, part.ToWrite(durability), deadline, cancellationToken);
            foreach (int index in part.Indexes)
                results[index] = new OperationResult { Version = response.Write.Version };
            return (shard, response);
        }
        catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.Aborted && part.IsDividedBy(caller.Router.Map))
        {
            return (0, null);
        }
        catch (AiDbException exception)
        {
            Error error = FailedCondition.ToError(exception).Clone();
            if (exception.Kind == AiDbErrorKind.PreconditionFailed
                && error.FailedOperation >= 0 && error.FailedOperation < part.Indexes.Count)
            {
                error.FailedOperation = part.Indexes[error.FailedOperation];
            }

            foreach (int index in part.Indexes)
                results[index] = new OperationResult { Error = error };
            return (0, null);
        }
    }

    private async ValueTask<(uint Shard, Response Response)> SendAsync(
        SlotSource source, Write write, Deadline deadline, CancellationToken cancellationToken)
    {
        (uint shard, Response response) =
            await caller.SendToSlotAsync(source, Fill, write, isRead: false, deadline, cancellationToken);
        if (response.Write is null)
            throw new AiDbException(AiDbErrorKind.OutcomeUnknown, "A node answered a write with something else.");
        acknowledged.Advance(shard, ShardPosition.From(response.Position));
        return (shard, response);
    }
}
