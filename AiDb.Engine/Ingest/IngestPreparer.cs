using System.Buffers;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Engine.Transactions;

namespace AiDb.Engine.Ingest;

/// <summary>Checks external tables and brings them durably into the database's folder. Nothing lists them yet: until
/// the log names them, a start removes them.</summary>
/// <remarks>Thread safety: none; one ingest each.</remarks>
internal sealed class IngestPreparer
{
    private const int CopyBytes = 1 << 20;

    private readonly EngineContext _context;
    private readonly uint _tableId;
    private readonly List<(string Path, TableProperties Properties)> _files = [];
    private readonly List<string> _made = [];

    public IngestPreparer(EngineContext context, uint tableId)
    {
        _context = context;
        _tableId = tableId;
    }

    /// <summary>The ids of the files, in the order of their keys.</summary>
    public byte[] Ids { get; private set; } = [];

    /// <summary>Brings the files in; all or none.</summary>
    public void Run(IReadOnlyList<string> paths, bool copy, CancellationToken cancellationToken)
    {
        foreach (string path in paths)
            _files.Add((path, Check(path, cancellationToken)));
        _files.Sort(static (left, right) =>
            InternalKey.Compare(left.Properties.SmallestKey, right.Properties.SmallestKey));
        for (int index = 1; index < _files.Count; index++)
            CheckOrder(_files[index - 1], _files[index]);
        try
        {
            foreach ((string path, TableProperties properties) in _files)
                Bring(path, properties.FileId, copy, cancellationToken);
            _context.FileSystem.SyncDirectory(_context.Path);
        }
        catch (Exception error)
        {
            Undo();
            if (error is IOException disk)
                throw TableErrors.Disk(_context.Path, "bring external tables in as a", disk);
            throw;
        }

        var ids = new ArrayBufferWriter<byte>();
        foreach ((_, TableProperties properties) in _files)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(ids.GetSpan(16), properties.FileId);
            ids.Advance(16);
        }

        Ids = ids.WrittenSpan.ToArray();
    }

    /// <summary>Removes what was brought in.</summary>
    public void Undo()
    {
        foreach (string path in _made)
        {
            try
            {
                _context.FileSystem.DeleteFile(path);
            }
            catch (IOException error)
            {
                Diagnostics.EngineLog.NotDeleted(_context.Logger, path, error);
            }
        }

        _made.Clear();
    }

    private TableProperties Check(string path, CancellationToken cancellationToken)
    {
        if (!_context.FileSystem.FileExists(path))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"There is no file '{path}' to ingest.");
        using TableReader reader = TableReader.Open(_context.FileSystem, path, _context.Cache);
        TableProperties properties = reader.Properties;
        if (properties.MinVersion != 0 || properties.MaxVersion != 0 || properties.ValueReferences.Length > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"'{path}' is a database's own table; only files of {nameof(ExternalTableWriter)} can be ingested.");
        }

        if (properties.RangeDeletions > 0 || properties.MergeOperands > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"'{path}' holds {properties.RangeDeletions} range deletions and {properties.MergeOperands} merge operands; files that " +
                "are ingested hold neither.");
        }

        if (properties.TableIds is not [var id] || id != _tableId)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"'{path}' was written for table {string.Join(", ", properties.TableIds)}, not for {_tableId}.");
        }

        reader.VerifyChecksums(cancellationToken);
        CheckEntries(path, reader, cancellationToken);
        return properties;
    }

    /// <summary>What the properties say is not believed: a file may come from anywhere.</summary>
    private void CheckEntries(string path, TableReader reader, CancellationToken cancellationToken)
    {
        using InternalIterator entries = reader.CreateIterator(fillCache: false, CopyBytes);
        byte[] last = [];
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> key = entries.Key;
            bool isValid = InternalKey.TableId(key) == _tableId && InternalKey.Version(key) == 0
                && !InternalKey.UserKey(key).IsEmpty && !InternalKey.Prefix(key).SequenceEqual(last)
                && InternalValue.Kind(entries.Value) is EntryKind.Put or EntryKind.PutWithExpiry or EntryKind.Delete;
            if (!isValid)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    $"'{path}' holds an entry of key {KeyText.Of(InternalKey.UserKey(key))} that no {nameof(ExternalTableWriter)} " +
                    "writes.");
            }

            last = InternalKey.Prefix(key).ToArray();
        }
    }

    private static void CheckOrder(
        (string Path, TableProperties Properties) left, (string Path, TableProperties Properties) right)
    {
        if (InternalKey.Prefix(left.Properties.LargestKey).SequenceCompareTo(
            InternalKey.Prefix(right.Properties.SmallestKey)) >= 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"'{left.Path}' and '{right.Path}' overlap; files of one ingest must not. Ingest them one after the other.");
        }
    }

    private void Bring(string path, UInt128 id, bool copy, CancellationToken cancellationToken)
    {
        IFileSystem files = _context.FileSystem;
        string target = _context.TablePath(id);
        if (files.FileExists(target))
        {
            throw new AiDbException(
                AiDbErrorKind.AlreadyExists, $"'{path}' has been ingested into this database before, as '{target}'.");
        }

        if (!copy)
        {
            try
            {
                files.Link(path, target);
                _made.Add(target);
            }
            catch (IOException)
            {
                // Another volume, or one without links.
            }
        }

        if (_made.Count == 0 || _made[^1] != target)
            Copy(path, target, cancellationToken);
        using IStorageFile made = files.Open(target, FileOpenMode.ReadWrite);
        made.Sync();
    }

    private void Copy(string path, string target, CancellationToken cancellationToken)
    {
        using IStorageFile source = _context.FileSystem.Open(path, FileOpenMode.Read);
        using IStorageFile copy = _context.FileSystem.Open(target, FileOpenMode.CreateNew);
        _made.Add(target);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            for (long offset = 0, length = source.Length; offset < length;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int read = source.Read(offset, buffer);
                if (read <= 0)
                    throw new IOException($"'{path}' ended while it was copied.");
                copy.Write(offset, buffer.AsSpan(0, read));
                offset += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
