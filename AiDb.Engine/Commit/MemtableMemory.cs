using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>The memtables of one database, as its memory governor knows them.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class MemtableMemory : IMemoryConsumer, IDisposable
{
    private readonly MemoryAccount _account;
    private readonly CommitPipeline _pipeline;

    public MemtableMemory(MemoryGovernor governor, CommitPipeline pipeline)
    {
        _pipeline = pipeline;
        _account = governor.Register(this);
    }

    /// <summary>Tells what the memtables hold.</summary>
    /// <param name="state">The memtables.</param>
    /// <param name="coming">Bytes that are about to be written to the active one.</param>
    public void Report(ReadState state, long coming)
    {
        long active = state.Active.SizeBytes + coming;
        long all = active;
        foreach (MemTable memtable in state.Immutable)
            all += memtable.SizeBytes;
        _account.Report(all, active);
    }

    /// <summary>Flushes the active memtable before it is full.</summary>
    public void ReleaseMemory() => _ = RotateAsync();

    /// <inheritdoc/>
    public void Dispose() => _account.Dispose();

    private async Task RotateAsync()
    {
        try
        {
            await _pipeline.RunAsync(PendingKind.Rotate, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AiDbException or ObjectDisposedException)
        {
            // It is being closed, and gives all of its memory back.
        }
    }
}
