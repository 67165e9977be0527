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
            Check(_context.Path);
            if (_context.Options.LogDirectory is { } logDirectory && _context.Health.DiskFull is null)
                Check(logDirectory);
        }
        catch (IOException error)
        {
            // The write itself will tell whether the disk works.
            EngineLog.FreeSpaceUnknown(_context.Logger, _context.Path, error);
        }
    }

    private void Check(string directory)
    {
        long free = _context.FileSystem.GetFreeBytes(directory);
        long wanted = _context.Options.MinFreeDiskBytes;
        bool wasFull = _context.Health.DiskFull is not null;
        if (free >= wanted)
        {
            _context.Health.DiskFull = null;
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
        if (!wasFull)
            EngineLog.DiskFull(_context.Logger, _context.Path, free, wanted);
    }
}
