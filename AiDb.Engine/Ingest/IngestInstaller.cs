using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Compaction;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Ingest;

/// <summary>Applies the log entry of an ingest: its files become tables of the tree, at run time as at
/// replay.</summary>
/// <remarks>
/// Invariants: everything before the entry is in tables already, and the edit that adds the files also moves the
/// last flushed entry to it. So the entry is replayed exactly when its files are not listed yet, and no entry
/// before it is ever decided again with its keys in sight. The files go to level 0, which no compaction adds to; one
/// whose keys meet no other only changes its level later. Thread safety: the applier's own.
/// </remarks>
internal sealed class IngestInstaller
{
    private const int ReadBytes = 1 << 20;

    private readonly EngineContext _context;
    private readonly TreeStore _store;
    private readonly Catalogue _catalogue;
    private readonly BatchOutcomes _outcomes;

    public IngestInstaller(
        EngineContext context, TreeStore store, Catalogue catalogue, BatchOutcomes outcomes)
    {
        _context = context;
        _store = store;
        _catalogue = catalogue;
        _outcomes = outcomes;
    }

    /// <summary>Makes the files part of the tree.</summary>
    /// <param name="position">The entry's position; its timestamp is the version of all their entries.</param>
    /// <param name="tableId">The table.</param>
    /// <param name="ids">Their ids, 16 bytes each.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: a file is missing or damaged; or the
    /// disk failed.</exception>
    public void Install(LogPosition position, uint tableId, ReadOnlySpan<byte> ids)
    {
        if (ids.IsEmpty || ids.Length % 16 != 0)
            throw Damaged(position, "its list of files is malformed");
        if (_store.Flushed.Lsn != position.Lsn - 1)
            throw Damaged(position, $"the tables hold everything up to entry {_store.Flushed.Lsn}");
        List<LiveTable> tables = [];
        try
        {
            var edit = new VersionEdit
            {
                Flushed = position,
                Outcomes = _outcomes.Advance(_outcomes.KnownSinceLsn, _store.Flushed.Lsn, position.Lsn),
            };
            if (!_catalogue.IsDropped(tableId))
            {
                for (; !ids.IsEmpty; ids = ids[16..])
                    tables.Add(Open(BinaryPrimitives.ReadUInt128LittleEndian(ids), position.Timestamp));
            }

            foreach (LiveTable table in tables)
                edit.Added.Add((0, table.Metadata));
            _store.Change(edit, tables);
        }
        catch (IOException error)
        {
            throw TableErrors.Disk(_context.Path, "take in an ingested", error);
        }
        finally
        {
            foreach (LiveTable table in tables)
                table.Release();
        }
    }

    private LiveTable Open(UInt128 id, ulong version)
    {
        string path = _context.TablePath(id);
        TableReader reader = TableReader.Open(_context.FileSystem, path, _context.Cache);
        try
        {
            TableProperties properties = reader.Properties with { FileChecksum = Checksum(path) };
            TableMetadata metadata = TableMetadata.From(properties, _store.NextSequence());
            return new LiveTable(metadata with { VersionOfAllEntries = version }, reader, _store.OnUnreferenced);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    private ulong Checksum(string path)
    {
        var hash = new XxHash3();
        using IStorageFile file = _context.FileSystem.Open(path, FileOpenMode.Read);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            long offset = 0;
            for (int read; (read = file.Read(offset, buffer)) > 0; offset += read)
                hash.Append(buffer.AsSpan(0, read));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return hash.GetCurrentHashAsUInt64();
    }

    private AiDbException Damaged(LogPosition position, string what) => new(
        AiDbErrorKind.DataLoss,
        $"The log of {_context.Path} has an ingest as entry {position.Lsn} that cannot be applied: {what}. Restore the " +
        "database from a checkpoint or a backup, or rebuild this node from a replica.");
}
