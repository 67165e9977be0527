using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.Recovery;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Images;

/// <summary>Makes a database's folder out of what a <see cref="TreeImage"/> said, the files, and log entries that
/// follow. The folder is no database before <see cref="Complete"/>, which is one step.</summary>
/// <remarks>Thread safety: none. The caller puts the files into the folder (<see cref="ImageFile.Name"/>) and syncs
/// them before <see cref="Complete"/>.</remarks>
public sealed class ImageWriter : IDisposable
{
    /// <summary>Entries are written in groups of about so many bytes.</summary>
    private const long GroupBytes = 1 << 20;

    private readonly IFileSystem _files;
    private readonly string _path;
    private readonly VersionEdit _whole;
    private readonly Random? _random;
    private readonly WriteAheadLog _log;
    private long _groupBytes;
    private LogPosition _last;

    /// <summary>Begins in an empty or new folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="statement"><see cref="TreeImage.Statement"/>.</param>
    /// <param name="options">Settings of the database to be; its log folder must be empty too.</param>
    /// <param name="components">Disk and randomness.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: the folder holds something;
    /// <see cref="AiDbErrorKind.DataLoss"/>: the statement is malformed.</exception>
    public ImageWriter(
        string path, ReadOnlyMemory<byte> statement, DatabaseOptions? options = null, DatabaseComponents? components = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new DatabaseOptions();
        components ??= new DatabaseComponents();
        _files = components.FileSystem;
        _path = path;
        _random = components.Random;
        _whole = Decode(statement);
        _last = _whole.Flushed!.Value;
        string logDirectory = options.LogDirectory ?? DatabaseFiles.Combine(path, DatabaseFiles.LogDirectory);
        ThrowUnlessEmpty(_files, path);
        ThrowUnlessEmpty(_files, logDirectory);
        _files.CreateDirectory(path);
        _log = WriteAheadLog.Open(
            new LogOptions
            {
                Directory = logDirectory,
                SegmentBytes = options.LogSegmentBytes,
                MapSegments = options.MapLogSegments,
                FileSystem = _files,
                Random = _random,
            },
            new LogOpenState { FirstLsn = _last.Lsn + 1, LastTimestamp = _last.Timestamp, Epoch = _last.Epoch });
    }

    /// <summary>The last entry, of the files or the log.</summary>
    public LogPosition Last => _last;

    /// <summary>The files that a statement names.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is malformed.</exception>
    public static IReadOnlyList<ImageFile> FilesOf(ReadOnlyMemory<byte> statement) => TreeImage.FilesOf(Decode(statement));

    /// <summary>The file of a database's folder that says, while it is there, that missing tables are not lost but still being
    /// fetched. It may be there before the database is.</summary>
    public const string RestoringFile = DatabaseFiles.Restoring;

    /// <summary>Whether a folder holds a database.</summary>
    public static bool IsDatabase(IFileSystem files, string directory)
    {
        ArgumentNullException.ThrowIfNull(files);
        return files.FileExists(DatabaseFiles.Combine(directory, DatabaseFiles.Current));
    }

    /// <summary>Whether a folder can take a database: it has nothing in it but, perhaps,
    /// <see cref="RestoringFile"/>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>.</exception>
    public static void ThrowUnlessEmpty(IFileSystem files, string directory)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (files.ListFiles(directory).All(static name => name == DatabaseFiles.Restoring)
            && files.ListDirectories(directory).Count == 0)
        {
            return;
        }

        throw new AiDbException(
            AiDbErrorKind.AlreadyExists,
            $"'{directory}' is not empty. Nothing was changed: restore into a folder that does not exist, or move this one away.");
    }

    /// <summary>Adds the entry that comes next.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it does not follow the one
    /// before.</exception>
    public void Append(LogPosition position, LogRecordType type, ReadOnlySpan<byte> payload)
    {
        if (position.Lsn != _last.Lsn + 1 || position.Epoch < _last.Epoch || position.Timestamp <= _last.Timestamp)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"Log entry {position.Epoch}/{position.Lsn} of time {position.Timestamp} does not follow entry "
                + $"{_last.Epoch}/{_last.Lsn} of time {_last.Timestamp}.");
        }

        _log.Append(type, position.Epoch, position.Lsn, position.Timestamp, payload);
        _last = position;
        _groupBytes += payload.Length + WriteAheadLog.RecordOverheadBytes;
        if (_groupBytes >= GroupBytes)
            WriteGroup();
    }

    /// <summary>Makes the folder a database, durably.</summary>
    public void Complete()
    {
        WriteGroup();
        _log.Sync();
        _files.SyncDirectory(_path);
        _whole.KnownDurableLsn = _last.Lsn;
        using (var manifest = new ManifestLog(
            _files, _path, new ManifestState(), 0, () => ManifestLog.RandomId(_random)))
        {
            manifest.Append(_whole);
        }

        if (DatabaseFolder.Parent(_path) is { } parent)
            _files.SyncDirectory(parent);
    }

    /// <inheritdoc/>
    public void Dispose() => _log.Dispose();

    private void WriteGroup()
    {
        _log.WriteGroup();
        _groupBytes = 0;
    }

    private static VersionEdit Decode(ReadOnlyMemory<byte> statement) =>
        VersionEdit.TryDecode(statement.Span) is { DatabaseId: not null, Flushed: not null } whole
        && new ManifestState().TryApply(whole)
            ? whole
            : throw new AiDbException(AiDbErrorKind.DataLoss, "The statement of a tree is malformed.");
}
