using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AiDb.Backup.Archiving;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Primary.Migration;

namespace AiDb.Primary.Shards;

/// <summary>Turns write requests into batches of the engine.</summary>
internal sealed class ShardWrites(
    Database database, Func<uint, Table> tableOf, Func<ArchiveRunner?> archiveOf, ShardMoves moves,
    Func<uint, SlotOwnership, Response> wrongSlot, Func<bool> isReplicated)
{
    private const int MaxPooled = 256;
    private const int MaxPooledBytes = 256 << 10;

    /// <summary>How long a write waits for an archive that is behind, where the settings make it wait.</summary>
    private static readonly TimeSpan LongestThrottle = TimeSpan.FromSeconds(20);

    private readonly ConcurrentQueue<WriteBatch> _batches = new();

    /// <summary>Writes a batch whose limits have been checked, if its slots are the shard's.</summary>
    public ValueTask<Response> WriteAsync(Write request, CancellationToken cancellationToken)
    {
        ArchiveRunner? archive = archiveOf();
        if (archive is null)
            return WriteNowAsync(request, cancellationToken);
        ValueTask throttle = ThrottleAsync(archive, cancellationToken);
        return request.Durability != Durability.Archived && throttle.IsCompletedSuccessfully
            ? WriteNowAsync(request, cancellationToken)
            : WriteArchivedAsync(archive, throttle, request, cancellationToken);
    }

    /// <summary>Holds a write up while the archive is too far behind, where the settings ask for that.</summary>
    public static ValueTask ThrottleAsync(ArchiveRunner archive, CancellationToken cancellationToken) =>
        archive.ThrottleAsync(LongestThrottle, cancellationToken);

    /// <summary>Waits until an entry is archived.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.OutcomeUnknown"/>: it took too long.</exception>
    public static async ValueTask WaitArchivedAsync(ArchiveRunner archive, ulong lsn, CancellationToken cancellationToken)
    {
        try
        {
            await archive.Archiver.WaitArchivedAsync(lsn, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException error)
        {
            throw new AiDbException(
                AiDbErrorKind.OutcomeUnknown,
                "The write is on the primary's disk, but was not archived in time: the store is slow or away. "
                + archive.Archiver.GetStatus().Problem, error);
        }
    }

    private async ValueTask<Response> WriteArchivedAsync(
        ArchiveRunner archive, ValueTask throttle, Write request, CancellationToken cancellationToken)
    {
        await throttle.ConfigureAwait(false);
        Response response = await WriteNowAsync(request, cancellationToken).ConfigureAwait(false);
        if (request.Durability == Durability.Archived && response.Write is not null)
            await WaitArchivedAsync(archive, response.Position.Lsn, cancellationToken).ConfigureAwait(false);
        return response;
    }

    private ValueTask<Response> WriteNowAsync(Write request, CancellationToken cancellationToken)
    {
        WriteDurability durability = DurabilityOf(request.Durability, archiveOf() is not null);
        if (isReplicated())
            durability = WriteDurability.Synced;
        WriteBatch batch = _batches.TryDequeue(out WriteBatch? pooled) ? pooled : new WriteBatch();
        SlotOwnership ownership = moves.Slots.EnterWrite();
        try
        {
            foreach (WriteOperation operation in request.Operations)
            {
                uint slot = ownership.SlotOf(operation.TableId, operation.Key.Span, operation.Slot);
                if (!ownership.Owns(slot))
                {
                    ShardSlots.ExitWrite(ownership);
                    batch.Clear();
                    Return(batch);
                    return ValueTask.FromResult(wrongSlot(slot, ownership));
                }

                Add(batch, operation);
                moves.Count(slot);
            }

            // Behind the others, whose places in the batch errors name.
            foreach (WriteOperation operation in request.Operations)
            {
                if (operation.NamesPartition)
                    AddPartition(batch, operation);
            }

            return FinishAsync(
                batch,
                database.TryWriteAsync(batch, durability, cancellationToken),
                Reached(request.Durability, isReplicated()),
                request.Operations.Count,
                ownership);
        }
        catch
        {
            ShardSlots.ExitWrite(ownership);
            Return(batch);
            throw;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Response> FinishAsync(
        WriteBatch batch, ValueTask<WriteResult> write, Durability reached, int operations, SlotOwnership ownership)
    {
        WriteResult result;
        try
        {
            // After an exception the engine may still hold the batch; it is left to the garbage collector.
            result = await write.ConfigureAwait(false);
        }
        finally
        {
            // Written, or in the queue in front of whatever comes from here on.
            ShardSlots.ExitWrite(ownership);
        }

        Return(batch);
        var response = new Response { Position = new Position { Epoch = database.Epoch, Lsn = result.Lsn } };
        if (result.Applied)
        {
            response.Write = new Written { Version = result.Version, Durability = reached };
            return response;
        }

        string found = result.CurrentVersion == 0 ? "the key is absent" : $"the key has version {result.CurrentVersion}";
        string which = operations == 1 ? "condition" : $"condition of operation {result.FailedOperation}";
        response.Error = new Error
        {
            Kind = (int)AiDbErrorKind.PreconditionFailed,
            Message = $"The {which} does not hold: {found}.",
            FailedOperation = result.FailedOperation,
            CurrentVersion = result.CurrentVersion,
        };
        return response;
    }

    private void Add(WriteBatch batch, WriteOperation operation)
    {
        Table table = tableOf(operation.TableId);
        WriteCondition condition = ConditionOf(operation.Condition);
        switch (operation.Kind)
        {
            case WriteOperation.Types.Kind.Put:
                TimeSpan? timeToLive = operation.TtlMs == 0 ? null : TimeSpan.FromMilliseconds(operation.TtlMs);
                batch.Put(table, operation.Key.Span, operation.Value.Span, timeToLive, condition);
                break;
            case WriteOperation.Types.Kind.Delete:
                batch.Delete(table, operation.Key.Span, condition);
                break;
            default:
                batch.Require(table, operation.Key.Span, condition);
                break;
        }
    }

    private void AddPartition(WriteBatch batch, WriteOperation operation)
    {
        if (operation.Kind == WriteOperation.Types.Kind.Delete)
        {
            moves.Partitions.Delete(batch, operation.TableId, operation.Key.Span);
        }
        else if (operation.Kind == WriteOperation.Types.Kind.Put)
        {
            TimeSpan? timeToLive = operation.TtlMs == 0 ? null : TimeSpan.FromMilliseconds(operation.TtlMs);
            moves.Partitions.Put(batch, operation.TableId, operation.Key.Span, (int)operation.Slot, timeToLive);
        }
    }

    private void Return(WriteBatch batch)
    {
        if (_batches.Count >= MaxPooled || batch.SizeBytes > MaxPooledBytes)
            return;
        batch.Clear();
        _batches.Enqueue(batch);
    }

    private static WriteCondition ConditionOf(Condition? condition) => condition?.Kind switch
    {
        null or Condition.Types.Kind.None => default,
        Condition.Types.Kind.Absent => WriteCondition.MustBeAbsent,
        Condition.Types.Kind.Exists => WriteCondition.MustExist,
        Condition.Types.Kind.VersionEquals => WriteCondition.VersionIs(condition.Version),
        Condition.Types.Kind.VersionDiffers => WriteCondition.VersionIsNot(condition.Version),
        _ => throw RequestLimits.Invalid($"condition.kind is {(int)condition.Kind}, which is not known."),
    };

    // The write quorum of a group of one is the one disk: what is synced has reached it. In a group of several every write
    // waits for the quorum, whatever less it asked for.
    public static WriteDurability DurabilityOf(Durability durability, bool isArchived) => durability switch
    {
        Durability.Unspecified or Durability.Local or Durability.Quorum => WriteDurability.Synced,
        Durability.Memory => WriteDurability.Memory,
        Durability.Archived => isArchived ? WriteDurability.Synced : throw new AiDbException(
            AiDbErrorKind.Unimplemented,
            "durability=archived needs a node with an archive (AiDb:Backup:Location); ask for local or quorum."),
        _ => throw RequestLimits.Invalid($"durability is {(int)durability}, which is not known."),
    };

    private static Durability Reached(Durability asked, bool isReplicated) => asked switch
    {
        Durability.Archived => Durability.Archived,
        _ when isReplicated => Durability.Quorum,
        Durability.Unspecified => Durability.Local,
        _ => asked,
    };
}
