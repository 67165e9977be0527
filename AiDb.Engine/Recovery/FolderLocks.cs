using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Recovery;

/// <summary>The locks of an open database: of its folder, and of its log's where that lies elsewhere, since a copy of the
/// database might be opened with the same one.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class FolderLocks : IDisposable
{
    private readonly IDisposable _folder;
    private readonly IDisposable? _log;

    private FolderLocks(IDisposable folder, IDisposable? log)
    {
        _folder = folder;
        _log = log;
    }

    /// <summary>Takes them.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: another database, or another process,
    /// has the folder or the log.</exception>
    public static FolderLocks Take(EngineContext context)
    {
        IFileSystem files = context.FileSystem;
        IDisposable folder = files.Lock(DatabaseFiles.Combine(context.Path, DatabaseFiles.Lock));
        try
        {
            return new FolderLocks(folder, context.Options.LogDirectory is { } log ? TakeLog(files, log) : null);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _log?.Dispose();
        _folder.Dispose();
    }

    private static IDisposable? TakeLog(IFileSystem files, string directory)
    {
        try
        {
            return files.Lock(DatabaseFiles.Combine(directory, DatabaseFiles.Lock));
        }
        catch (DirectoryNotFoundException)
        {
            // What is missing there is told when the log is read.
            return null;
        }
    }
}
