using AiDb.Engine.Compaction;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>Decides when the active memtable becomes immutable.</summary>
/// <remarks>Thread safety: whoever applies entries calls it; where that is not one thread, under
/// <see cref="Gate"/>.</remarks>
internal sealed class MemtableRotation(EngineContext context, StateHolder state, BackgroundWork background)
{
    /// <summary>Bytes of the log that one memtable may stand for, as a multiple of its own limit.</summary>
    private const int LoggedBytesOfMemtable = 4;

    private long _loggedBytes;

    /// <summary>Held by those who apply and those who rotate, where they are not the same.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Counts what the active memtable stands for in the log.</summary>
    public void Logged(long bytes) => _loggedBytes += bytes;

    /// <summary>Makes the active memtable immutable when it is full, or when it holds little of much that was logged:
    /// batches whose conditions fail leave nothing in it, yet the log and their outcomes are kept until the flush.</summary>
    public void RotateWhenFull()
    {
        if (state.Active.SizeBytes >= context.Options.MemtableBytes
            || _loggedBytes >= LoggedBytesOfMemtable * context.Options.MemtableBytes)
        {
            Rotate();
        }
    }

    /// <summary>Makes the active memtable immutable unless it holds next to nothing, so that its memory comes
    /// back.</summary>
    public void RotateEarly()
    {
        if (state.Active.SizeBytes >= MemoryGovernor.LeastReleaseBytes)
            Rotate();
    }

    /// <summary>Makes the active memtable immutable.</summary>
    /// <returns>The ordinal of the last immutable memtable.</returns>
    public ulong Rotate()
    {
        MemTable active = state.Active;
        if (active.IsUntouched)
            return active.Ordinal - 1;
        _loggedBytes = 0;
        state.Rotate(new MemTable(context.Options.MemtableBytes, active.LastPosition, active.Ordinal + 1));
        background.ScheduleFlush();
        return active.Ordinal;
    }
}
