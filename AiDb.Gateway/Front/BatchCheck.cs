using AiDb.Contracts;
using AiDb.Contracts.V1;

namespace AiDb.Gateway.Front;

/// <summary>Checks a batch as a whole, so that nothing of an invalid one is applied.</summary>
internal static class BatchCheck
{
    /// <summary>Checks every operation and the size.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the
    /// operation.</exception>
    public static void Check(BatchRequest call)
    {
        RequestLimits.CheckCount(call.Operations.Count, "operations");
        RequestLimits.CheckPartition(call.Partition);
        RequestLimits.CheckDurability(call.Durability);
        long bytes = 0;
        for (int i = 0; i < call.Operations.Count; i++)
            bytes += CheckOperation(call.Operations[i], i);
        if (bytes > WireLimits.MaxBatchBytes)
        {
            throw RequestLimits.Invalid(
                $"operations: keys and values of a batch have at most {WireLimits.MaxBatchBytes} bytes (128 MiB), not {bytes}.");
        }
    }

    private static long CheckOperation(BatchOperation operation, int index)
    {
        try
        {
            RequestLimits.CheckTable(operation.Table);
            RequestLimits.CheckKey(operation.Key.Span);
            RequestLimits.CheckCondition(operation.Condition);
            switch (operation.ActionCase)
            {
                case BatchOperation.ActionOneofCase.Put:
                    RequestLimits.CheckValue(operation.Put.Value);
                    RequestLimits.CheckTimeToLive(operation.Put.TtlMs);
                    return operation.Key.Length + operation.Put.Value.Length;
                case BatchOperation.ActionOneofCase.Delete when operation.Delete:
                    return operation.Key.Length;
                case BatchOperation.ActionOneofCase.Require when operation.Require:
                    if (operation.Condition is null || operation.Condition.Kind == Condition.Types.Kind.None)
                        throw RequestLimits.Invalid("condition: `require` needs one.");
                    return operation.Key.Length;
                default:
                    throw RequestLimits.Invalid("action: one of put, delete, require must be set.");
            }
        }
        catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.InvalidArgument)
        {
            throw RequestLimits.Invalid($"operations[{index}].{exception.Message}");
        }
    }
}
