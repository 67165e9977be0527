using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Log;

/// <summary>The log's folder: names, making and giving up segments.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Invariant: a <c>.log</c> name appears only
/// on a file whose header
/// is durable, and a spare is written to only after the loss of its <c>.log</c> name is durable - otherwise a
/// crash could
/// bring the old name back over new bytes.</remarks>
internal sealed partial class LogDirectory
{
    private const string SegmentSuffix = ".log";
    private const string SpareSuffix = ".spare";
    private const string NewName = "new.tmp";
    private const int MaxSpares = 2;

    private readonly LogOptions _options;
    private readonly IFileSystem _fileSystem;
    private readonly Lock _gate = new();
    private readonly Queue<string> _spares = new();

    public LogDirectory(LogOptions options)
    {
        _options = options;
        _fileSystem = options.FileSystem;
    }

    /// <summary>Makes the folder where it is missing, and its name durable.</summary>
    public void Prepare()
    {
        _fileSystem.CreateDirectory(_options.Directory);
        string? parent = Path.GetDirectoryName(_options.Directory);
        if (!string.IsNullOrEmpty(parent))
            _fileSystem.SyncDirectory(parent);
    }

    public string PathOf(ulong number) => $"{_options.Directory}/{number:x16}{SegmentSuffix}";

    /// <summary>The numbers of the segments, ascending.</summary>
    public List<ulong> ListSegments()
    {
        List<ulong> numbers = [];
        foreach (string name in _fileSystem.ListFiles(_options.Directory))
        {
            if (name.Length == 16 + SegmentSuffix.Length && name.EndsWith(SegmentSuffix, StringComparison.Ordinal) &&
                ulong.TryParse(name.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number))
                numbers.Add(number);
        }

        numbers.Sort();
        return numbers;
    }

    /// <summary>Finds the spares that an earlier process left.</summary>
    public void CollectSpares()
    {
        bool found = false;
        foreach (string name in _fileSystem.ListFiles(_options.Directory))
        {
            if (!name.EndsWith(SpareSuffix, StringComparison.Ordinal))
                continue;
            string path = $"{_options.Directory}/{name}";
            if (_spares.Count < MaxSpares)
                _spares.Enqueue(path);
            else
                _fileSystem.DeleteFile(path);
            found = true;
        }

        if (found)
            SyncNames();
    }

    public LogSegment Open(ulong number)
    {
        string path = PathOf(number);
        IStorageFile file = _fileSystem.Open(path, FileOpenMode.ReadWrite);
        try
        {
            Span<byte> bytes = stackalloc byte[LogFormat.SegmentHeaderBytes];
            int read = file.Read(0, bytes);
            return new LogSegment(path, file, LogSegmentHeader.Read(bytes[..read], path, number), file.Length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes a segment from a spare or anew; on return its name and header are durable.</summary>
    public LogSegment Create(ulong number, LogChain chain, long sizeBytes)
    {
        var header = new LogSegmentHeader(NewFileId(), number, chain);
        string path = PathOf(number);
        string preparing = TakeSpare() ?? $"{_options.Directory}/{NewName}";
        IStorageFile file = OpenPrepared(preparing);
        try
        {
            file.Preallocate(Math.Max(sizeBytes, _options.SegmentBytes));
            Span<byte> bytes = stackalloc byte[LogFormat.SegmentHeaderBytes];
            header.Write(bytes);
            file.Write(0, bytes);
            SyncFile(file);
            _fileSystem.Rename(preparing, path);
            SyncNames();
            return new LogSegment(path, file, header, LogFormat.SegmentHeaderBytes);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Gives files up: as spares where nobody reads them any more and spares are few, else by
    /// deletion.</summary>
    public void Release(IReadOnlyList<LogSegment> segments)
    {
        List<string> spares = [];
        foreach (LogSegment segment in segments)
        {
            bool keep = !segment.IsShared && segment.AllocatedBytes <= _options.SegmentBytes;
            segment.ReleaseReference();
            lock (_gate)
                keep &= _spares.Count + spares.Count < MaxSpares;
            try
            {
                if (keep)
                {
                    string spare = Path.ChangeExtension(segment.Path, SpareSuffix);
                    _fileSystem.Rename(segment.Path, spare);
                    spares.Add(spare);
                }
                else
                {
                    _fileSystem.DeleteFile(segment.Path);
                }
            }
            catch (IOException error)
            {
                // The file stays; the next start finds that it is not needed.
                LogReleaseFailed(_options.Logger, segment.Path, error);
            }
        }

        if (segments.Count == 0)
            return;
        SyncNames();
        lock (_gate)
        {
            foreach (string spare in spares)
                _spares.Enqueue(spare);
        }
    }

    /// <summary>Deletes a segment durably.</summary>
    public void Delete(LogSegment segment)
    {
        segment.ReleaseReference();
        _fileSystem.DeleteFile(segment.Path);
        SyncNames();
    }

    /// <summary>Deletes a segment that is not open.</summary>
    public void Delete(ulong number) => _fileSystem.DeleteFile(PathOf(number));

    /// <summary>Makes the names in the folder durable.</summary>
    public void SyncNames()
    {
        try
        {
            _fileSystem.SyncDirectory(_options.Directory);
        }
        catch (IOException error)
        {
            throw new LogSyncException(error);
        }
    }

    private static void SyncFile(IStorageFile file)
    {
        try
        {
            file.Sync();
        }
        catch (IOException error)
        {
            throw new LogSyncException(error);
        }
    }

    private IStorageFile OpenPrepared(string path)
    {
        if (path.EndsWith(SpareSuffix, StringComparison.Ordinal))
            return _fileSystem.Open(path, FileOpenMode.ReadWrite);
        _fileSystem.DeleteFile(path);
        return _fileSystem.Open(path, FileOpenMode.CreateNew);
    }

    private string? TakeSpare()
    {
        lock (_gate)
            return _spares.TryDequeue(out string? spare) ? spare : null;
    }

    private UInt128 NewFileId()
    {
        Span<byte> id = stackalloc byte[16];
        if (_options.Random is { } random)
        {
            lock (random)
                random.NextBytes(id);
        }
        else
        {
            RandomNumberGenerator.Fill(id);
        }

        return BinaryPrimitives.ReadUInt128LittleEndian(id);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not give up the log segment {Path}")]
    private static partial void LogReleaseFailed(ILogger logger, string path, Exception error);
}
