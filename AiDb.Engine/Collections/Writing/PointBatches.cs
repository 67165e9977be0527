using System.Runtime.ExceptionServices;
using AiDb.Engine.Commit;

namespace AiDb.Engine.Collections.Writing;

/// <summary>Writes batches that hold points: the indexes are told between the commit and the answer, whether or not the
/// caller still waits.</summary>
internal static class PointBatches
{
    /// <summary>Writes a batch and waits.</summary>
    public static WriteResult Write(
        CommitPipeline pipeline, WriteBatch batch, IReadOnlyList<AttachedPoints> points, bool synced)
    {
        Begin(points);
        WriteResult? result = null;
        try
        {
            result = pipeline.Write(batch, synced);
            return result.Value;
        }
        finally
        {
            End(points, result);
        }
    }

    /// <summary>Writes a batch. Cancelling gives up waiting, not the write.</summary>
    public static async ValueTask<WriteResult> WriteAsync(
        CommitPipeline pipeline, WriteBatch batch, IReadOnlyList<AttachedPoints> points, bool synced,
        CancellationToken cancellationToken)
    {
        Task<WriteResult> write = CommitAsync(pipeline, batch, points, synced);
        try
        {
            return await write.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException error) when (!write.IsCompleted)
        {
            batch.Detach();
            throw new AiDbException(
                AiDbErrorKind.OutcomeUnknown, "The wait for the write was cancelled; it may still be applied.", error);
        }
    }

    private static async Task<WriteResult> CommitAsync(
        CommitPipeline pipeline, WriteBatch batch, IReadOnlyList<AttachedPoints> points, bool synced)
    {
        Begin(points);
        WriteResult? result = null;
        try
        {
            result = await pipeline.WriteAsync(batch, synced, CancellationToken.None).ConfigureAwait(false);
            return result.Value;
        }
        finally
        {
            End(points, result);
        }
    }

    private static void Begin(IReadOnlyList<AttachedPoints> points)
    {
        foreach (AttachedPoints attached in points)
            attached.Begin();
    }

    private static void End(IReadOnlyList<AttachedPoints> points, WriteResult? result)
    {
        // The points are written: a collection that fails, being closed for instance, keeps none from others.
        Exception? failure = null;
        foreach (AttachedPoints attached in points)
        {
            try
            {
                attached.End(result);
            }
            catch (Exception error)
            {
                failure ??= error;
            }
        }

        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
    }
}
