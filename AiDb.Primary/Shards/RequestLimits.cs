using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;

namespace AiDb.Primary.Shards;

/// <summary>What a request must keep to; the messages name the field and the limit.</summary>
internal static class RequestLimits
{
    /// <summary>Whether a request writes something into the log.</summary>
    public static bool ChangesState(Request request) => request.OperationCase switch
    {
        Request.OperationOneofCase.Write or Request.OperationOneofCase.DropTable => true,
        Request.OperationOneofCase.Collection => request.Collection.OperationCase is
            CollectionCall.OperationOneofCase.Write or CollectionCall.OperationOneofCase.Apply
            or CollectionCall.OperationOneofCase.Drop,
        _ => false,
    };

    /// <summary>Whether a read may be answered by nobody but the present primary.</summary>
    public static bool MustBeConfirmed(Request request) => request.OperationCase switch
    {
        Request.OperationOneofCase.Get => IsLinearizable(request.Get.Level),
        Request.OperationOneofCase.MultiGet => IsLinearizable(request.MultiGet.Level),
        Request.OperationOneofCase.Scan => IsLinearizable(request.Scan.Level) && request.Scan.SnapshotVersion == 0,
        Request.OperationOneofCase.ReadPosition or Request.OperationOneofCase.Collection => true,
        _ => false,
    };

    private const ulong MaxTimeToLiveMs = 100UL * 366 * 24 * 3600 * 1000;

    public static void CheckTable(uint tableId)
    {
        if (tableId < Table.FirstHostId)
            throw Invalid($"table_id is {tableId}; the ids of the catalogue begin at {Table.FirstHostId}.");
    }

    public static void CheckSlot(uint slot)
    {
        if (slot >= SlotHash.SlotCount)
            throw Invalid($"slot is {slot}; slots are 0 to {SlotHash.SlotCount - 1}.");
    }

    public static void CheckKey(int length)
    {
        if (length is 0 or > WireLimits.MaxKeyBytes)
            throw Invalid($"key has {length} bytes; a key has 1 to {WireLimits.MaxKeyBytes}.");
    }

    public static void CheckMultiGet(MultiGet request)
    {
        if (request.Keys.Count > WireLimits.MaxOperations)
            throw Invalid($"keys has {request.Keys.Count} entries; at most {WireLimits.MaxOperations} are allowed.");
        if (request.Slots.Count != request.Keys.Count)
            throw Invalid($"slots has {request.Slots.Count} entries, keys has {request.Keys.Count}.");
    }

    public static void CheckWrite(Write request)
    {
        if (request.Operations.Count is 0 or > WireLimits.MaxOperations)
        {
            throw Invalid(
                $"operations has {request.Operations.Count} entries; a batch has 1 to {WireLimits.MaxOperations}.");
        }

        long bytes = 0;
        for (int index = 0; index < request.Operations.Count; index++)
        {
            WriteOperation operation = request.Operations[index];
            CheckOperation(operation, index);
            bytes += operation.Key.Length + operation.Value.Length;
        }

        if (bytes > WireLimits.MaxBatchBytes)
        {
            throw Invalid(
                $"operations have {bytes} bytes of keys and values; a batch has at most {WireLimits.MaxBatchBytes}.");
        }
    }

    private static void CheckOperation(WriteOperation operation, int index)
    {
        CheckTable(operation.TableId);
        CheckSlot(operation.Slot);
        CheckKey(operation.Key.Length);
        if (operation.Value.Length > WireLimits.MaxValueBytes)
        {
            throw Invalid(
                $"value of operation {index} has {operation.Value.Length} bytes; a value has at most "
                + $"{WireLimits.MaxValueBytes}.");
        }

        if (operation.TtlMs > MaxTimeToLiveMs)
            throw Invalid($"ttl_ms of operation {index} is {operation.TtlMs}; at most {MaxTimeToLiveMs} (100 years).");
        bool conditional = operation.Condition is { Kind: not Condition.Types.Kind.None };
        switch (operation.Kind)
        {
            case WriteOperation.Types.Kind.Put:
                break;
            case WriteOperation.Types.Kind.Delete:
                break;
            case WriteOperation.Types.Kind.Require when conditional:
                break;
            case WriteOperation.Types.Kind.Require:
                throw Invalid($"operation {index} only checks a condition, and has none.");
            default:
                throw Invalid($"kind of operation {index} is {(int)operation.Kind}; put, delete and require are known.");
        }
    }

    public static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message);

    private static bool IsLinearizable(ReadLevel? level) => level?.Consistency == Consistency.Linearizable;
}
