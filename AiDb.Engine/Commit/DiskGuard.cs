using System.Globalization;
using AiDb.Engine.Diagnostics;

namespace AiDb.Engine.Commit;

/// <summary>Refuses writes before the disk is full, and takes them again when there is space.</summary>
/// <remarks>Thread safety: the leader's own. The volume is asked once per MiB written, and before every group
/// while writes are refused.</remarks>
internal sealed class DiskGuard
{
    private const long CheckEveryBytes = 1 << 20;

    private readonly EngineContext _context;
    private long _untilCheck;

    public DiskGuard(EngineContext context) => _context = context;

    /// <summary>Checks the volumes when it is time; afterwards <see cref="DatabaseHealth.DiskFull"/> says how
    /// it stands.</summary>
    public void BeforeWriting(long bytes)
    {
        if (_context.Options.MinFreeDiskBytes == 0)
            return;
        _untilCheck -= bytes;
        if (_untilCheck > 0 && _context.Health.DiskFull is null)
            return;
        _untilCheck = CheckEveryBytes;
        try
        {
            // The fuller of the two volumes decides, in one step: writes are not taken again in between.
            string directory = _context.Path;
            long free = _context.FileSystem.GetFreeBytes(directory);
            if (_context.Options.LogDirectory is { } logDirectory
                && _context.FileSystem.GetFreeBytes(logDirectory) is var freeForLog && freeForLog < free)
            {
                (directory, free) = (logDirectory, freeForLog);
            }

            Judge(directory, free);
        }
        catch (IOException error)
        {
            // The write itself will tell whether the disk works.
            EngineLog.FreeSpaceUnknown(_context.Logger, _context.Path, error);
        }
    }

    private void Judge(string directory, long free)
    {
        long wanted = _context.Options.MinFreeDiskBytes;
        bool wasFull = _context.Health.DiskFull is not null;
        if (free >= wanted)
        {
            _context.Health.DiskFull = null;
            _context.Stalls.End(WriteStallKind.DiskFull);
            if (wasFull)
                EngineLog.DiskHasSpace(_context.Logger, _context.Path, free);
            return;
        }

        _context.Health.DiskFull = new AiDbException(
            AiDbErrorKind.ResourceExhausted,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The volume of {directory} has {free} free bytes, less than {nameof(DatabaseOptions.MinFreeDiskBytes)} ") +
            string.Create(
                CultureInfo.InvariantCulture,
                $"({wanted}): writes are refused, reads go on. Free space; writes are taken again by themselves."));
        _context.Stalls.Begin(WriteStallKind.DiskFull, _context.Health.DiskFull.Message);
        if (!wasFull)
            EngineLog.DiskFull(_context.Logger, _context.Path, free, wanted);
    }
}
