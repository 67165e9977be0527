using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Diagnostics;

/// <summary>What the engine logs.</summary>
internal static partial class EngineLog
{
    [LoggerMessage(Level = LogLevel.Information,
        Message = "Opened {Path}: {Tables} tables, {Replayed} log entries replayed, at entry {Lsn} of epoch {Epoch}")]
    public static partial void Opened(ILogger logger, string path, int tables, long replayed, ulong lsn, ulong epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "Closed {Path}")]
    public static partial void Closed(ILogger logger, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} was closed, but its log could not be synced")]
    public static partial void CloseFailed(ILogger logger, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Path} is read-only until it is opened anew")]
    public static partial void ReadOnly(ILogger logger, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Path} refuses writes: {FreeBytes} free bytes are less than {MinFreeDiskBytes}")]
    public static partial void DiskFull(ILogger logger, string path, long freeBytes, long minFreeDiskBytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Path} takes writes again: {FreeBytes} bytes are free")]
    public static partial void DiskHasSpace(ILogger logger, string path, long freeBytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path}: the volume's free space is not known")]
    public static partial void FreeSpaceUnknown(ILogger logger, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path}: a write was held up for too long ({Kind}): {Cause}")]
    public static partial void WriteTimedOut(ILogger logger, string path, WriteStallKind kind, string cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path}: stall {Kind} began: {Cause}")]
    public static partial void StallBegan(ILogger logger, string path, WriteStallKind kind, string cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path}: stall {Kind} ended after {Elapsed}")]
    public static partial void StallEnded(ILogger logger, string path, WriteStallKind kind, TimeSpan elapsed);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path}: {Work} failed and is tried again in {Delay}")]
    public static partial void BackgroundFailed(ILogger logger, string path, string work, TimeSpan delay, Exception error);

    [LoggerMessage(Level = LogLevel.Debug,
        Message = "{Path}: flushed {Entries} entries up to {Lsn} in {Elapsed}")]
    public static partial void Flushed(ILogger logger, string path, long entries, ulong lsn, TimeSpan elapsed);

    [LoggerMessage(Level = LogLevel.Debug,
        Message = "{Path}: compacted {Inputs} tables ({InputBytes} bytes) to {Outputs} in level {Level} in {Elapsed}: {Reason}")]
    public static partial void Compacted(
        ILogger logger, string path, int inputs, long inputBytes, int outputs, int level, TimeSpan elapsed, string reason);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Path}: what the compaction filter decided was not written; a later compaction asks it again")]
    public static partial void FilterNotWritten(ILogger logger, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{File} is not needed and could not be deleted")]
    public static partial void NotDeleted(ILogger logger, string file, Exception error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Repair of {Path} (dry run: {DryRun}): {Damage} damaged places; tables kept {Kept}, salvaged {Salvaged}, lost {Lost}; {Losses} losses")]
    public static partial void Repaired(
        ILogger logger, string path, int damage, int kept, int salvaged, int lost, int losses, bool dryRun);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Path}: scrubbed {Files} files of {Bytes} bytes; {Damage} damaged places")]
    public static partial void Scrubbed(ILogger logger, string path, int files, long bytes, int damage);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path}: the scrub could not go on")]
    public static partial void ScrubFailed(ILogger logger, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{File} is damaged at byte {Offset}: {What}")]
    public static partial void DamageFound(ILogger logger, string file, long offset, string what);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path}: the disk hangs: {Operation} of {File} has not returned for {Elapsed}")]
    public static partial void DiskStalled(ILogger logger, string path, DiskOperation operation, string file, TimeSpan elapsed);
}
