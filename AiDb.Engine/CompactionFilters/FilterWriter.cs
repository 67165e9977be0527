using AiDb.Engine.Commit;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.State;

namespace AiDb.Engine.CompactionFilters;

/// <summary>Writes what a compaction filter decided, in batches on the condition that nothing was written to the keys
/// since.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Nobody waits for it: a compaction that waited for a
/// write which waits for compactions would never end.</remarks>
internal sealed class FilterWriter
{
    private const int MaxBatchOperations = 512;
    private const int MaxBatchBytes = 1 << 20;

    private readonly EngineContext _context;
    private readonly StateHolder _state;
    private readonly CommitPipeline _pipeline;

    public FilterWriter(EngineContext context, StateHolder state, CommitPipeline pipeline)
    {
        _context = context;
        _state = state;
        _pipeline = pipeline;
    }

    /// <summary>Begins to write.</summary>
    public void Begin(List<FilterDecision> decisions) =>
        _context.Executor.Queue("compaction filter", () => _ = WriteAllAsync(decisions));

    private async Task WriteAllAsync(List<FilterDecision> decisions)
    {
        try
        {
            for (int from = 0; from < decisions.Count && !_context.IsClosing;)
            {
                int count = 0;
                for (long bytes = 0; from + count < decisions.Count && count < MaxBatchOperations; count++)
                {
                    bytes += decisions[from + count].SizeBytes;
                    if (count > 0 && bytes > MaxBatchBytes)
                        break;
                }

                await WriteAsync(StillTrue(decisions.GetRange(from, count))).ConfigureAwait(false);
                from += count;
            }
        }
        catch (Exception error) when (error is AiDbException or ObjectDisposedException)
        {
            // A later compaction asks the filter again.
            EngineLog.FilterNotWritten(_context.Logger, _context.Path, error);
        }
    }

    /// <summary>Writes decisions together; those whose key was written to meanwhile are left out.</summary>
    private async Task WriteAsync(List<FilterDecision> decisions)
    {
        while (decisions.Count > 0)
        {
            var batch = new WriteBatch();
            ulong nowMs = _context.Clock.NowMs();
            foreach (FilterDecision decision in decisions)
            {
                // An entry that has expired needs no other value.
                ulong timeToLiveMs = decision.ExpiresAtMs <= nowMs ? 0 : decision.ExpiresAtMs - nowMs;
                bool expired = decision.ExpiresAtMs != 0 && timeToLiveMs == 0;
                batch.Replace(
                    decision.TableId, decision.Key, expired ? null : decision.Value, timeToLiveMs, decision.Version);
            }

            WriteResult result = await _pipeline.WriteAsync(batch, synced: false, CancellationToken.None)
                .ConfigureAwait(false);
            if (result.Applied)
                return;
            decisions.RemoveAt(result.FailedOperation);
        }
    }

    /// <summary>Leaves out what was written to since the compaction, so that few batches fail.</summary>
    private List<FilterDecision> StillTrue(List<FilterDecision> decisions)
    {
        ReadState state = _state.Acquire();
        try
        {
            ulong nowMs = _context.Clock.NowMs();
            decisions.RemoveAll(decision =>
                PointReader.FindVersion(state, decision.TableId, decision.Key, nowMs) != decision.Version);
            return decisions;
        }
        finally
        {
            state.Release();
        }
    }
}
