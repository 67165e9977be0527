using AiDb.Engine.Caching;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Encoding;
using AiDb.Engine.Storage;

namespace AiDb.Engine.ValueFiles;

/// <summary>The value files of one flush or compaction: takes big values out of the entries that are written, and
/// moves values out of files that are mostly garbage. What is not taken over is deleted with it.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class ValueSeparator : IDisposable
{
    /// <summary>Bytes of a value file beyond which another is begun: garbage is collected by the file.</summary>
    private const long MaxFileBytes = 256L << 20;

    private readonly EngineContext _context;
    private readonly ValueFileSet? _files;
    private readonly IReadOnlyDictionary<UInt128, LiveValueFile> _rewritten;
    private readonly Action<LiveValueFile> _onUnreferenced;
    private readonly List<LiveValueFile> _finished = [];
    private readonly List<UInt128> _begun = [];
    private readonly GrowingBuffer _entry = new(256);
    private ValueFileWriter? _writer;
    private IStorageFile? _file;

    /// <summary>Makes one.</summary>
    /// <param name="context">The database.</param>
    /// <param name="files">The files that entries may point into; null: they do not point.</param>
    /// <param name="onUnreferenced">Called by the last user of a finished file.</param>
    public ValueSeparator(EngineContext context, ValueFileSet? files, Action<LiveValueFile> onUnreferenced)
    {
        _context = context;
        _files = files;
        _rewritten = files?.MostlyGarbage() ?? new Dictionary<UInt128, LiveValueFile>();
        _onUnreferenced = onUnreferenced;
    }

    /// <summary>The finished files.</summary>
    public IReadOnlyList<LiveValueFile> Finished => _finished;

    /// <summary>The internal value to write into the table; valid until the next call.</summary>
    public ReadOnlySpan<byte> Convert(ReadOnlySpan<byte> internalValue)
    {
        EntryKind kind = InternalValue.Kind(internalValue);
        if (kind is EntryKind.Put or EntryKind.PutWithExpiry or EntryKind.MovedPut or EntryKind.MovedPutWithExpiry)
        {
            ReadOnlySpan<byte> value = InternalValue.UserValue(internalValue);
            return IsBig(value.Length) ? Separate(kind, internalValue, value) : internalValue;
        }

        if (!InternalValue.IsSeparated(kind) || _rewritten.Count == 0)
            return internalValue;
        ValuePointer pointer = ValuePointer.Read(InternalValue.UserValue(internalValue));
        return _rewritten.TryGetValue(pointer.FileId, out LiveValueFile? file)
            ? Move(file, pointer, InternalValue.Inline(kind), internalValue)
            : internalValue;
    }

    /// <summary>Ends the current file, durably but for its name, if there is one.</summary>
    public void FinishFile()
    {
        if (_writer is null)
            return;
        ValueFileMetadata metadata = _writer.Finish();
        try
        {
            _file!.Sync();
        }
        catch (IOException error)
        {
            throw ValueFileFormat.Disk(_file!.Path, "sync", error);
        }

        CloseWriter();
        ValueFileReader reader = ValueFileReader.Open(
            _context.FileSystem, _context.ValueFilePath(metadata.Id), _context.Cache);
        _finished.Add(new LiveValueFile(metadata, reader, _onUnreferenced));
        if (reader.Metadata != metadata with { Checksum = 0 })
            throw new AiDbException(AiDbErrorKind.Internal, $"{reader.Path} does not read as it was written.");
    }

    /// <summary>The file of an id that a written table points into.</summary>
    public LiveValueFile Find(UInt128 id) =>
        _finished.Find(file => file.Metadata.Id == id)
        ?? _files?.Find(id)
        ?? throw new AiDbException(AiDbErrorKind.Internal, $"A table points to the unknown value file {id:x32}.");

    /// <summary>Deletes what was begun.</summary>
    public void DeleteFiles()
    {
        foreach (UInt128 id in _begun)
        {
            try
            {
                _context.FileSystem.DeleteFile(_context.ValueFilePath(id));
            }
            catch (IOException error)
            {
                // It is removed at the next start.
                EngineLog.NotDeleted(_context.Logger, _context.ValueFilePath(id), error);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CloseWriter();
        _entry.Dispose();
        foreach (LiveValueFile file in _finished)
            file.Release();
    }

    private bool IsBig(int length) =>
        _context.Options.SeparateValuesFromBytes > 0 && length >= _context.Options.SeparateValuesFromBytes;

    /// <summary>Puts a value into the value file; expiry and version are those of an entry.</summary>
    private ReadOnlySpan<byte> Separate(EntryKind kind, ReadOnlySpan<byte> of, ReadOnlySpan<byte> value)
    {
        if (_writer is { } full && full.SizeBytes >= MaxFileBytes)
            FinishFile();
        if (_writer is null)
            Begin();
        ValuePointer pointer = _writer!.Add(value);
        _entry.Clear();
        EntryKind separated = InternalValue.Separated(kind);
        Span<byte> entry = _entry.Extend(InternalValue.Length(separated, ValuePointer.Bytes));
        pointer.Write(entry[InternalValue.WriteHeader(
            entry, separated, InternalValue.ExpiryUnixMs(of), InternalValue.MovedVersion(of))..]);
        return entry;
    }

    private ReadOnlySpan<byte> Move(
        LiveValueFile file, ValuePointer pointer, EntryKind kind, ReadOnlySpan<byte> pointing)
    {
        using BlockLease lease = file.Reader.Read(pointer, fillCache: false, fromScan: true);
        ReadOnlySpan<byte> value = lease.Span[ValueFileFormat.RecordHeaderBytes..];
        if (IsBig(value.Length))
            return Separate(kind, pointing, value);
        _entry.Clear();
        Span<byte> entry = _entry.Extend(InternalValue.Length(kind, value.Length));
        InternalValue.Write(
            entry, kind, InternalValue.ExpiryUnixMs(pointing), value, InternalValue.MovedVersion(pointing));
        return entry;
    }

    private void Begin()
    {
        UInt128 id = _context.NewId();
        string path = _context.ValueFilePath(id);
        try
        {
            _file = _context.FileSystem.Open(path, FileOpenMode.CreateNew);
        }
        catch (IOException error)
        {
            throw ValueFileFormat.Disk(path, "make", error);
        }

        _begun.Add(id);
        _writer = new ValueFileWriter(_file, id);
    }

    private void CloseWriter()
    {
        _writer?.Dispose();
        _writer = null;
        _file?.Dispose();
        _file = null;
    }
}
