using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Commit;
using AiDb.Engine.Compaction;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Ingest;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.Merging;
using AiDb.Engine.Replication;
using AiDb.Engine.State;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Recovery;

/// <summary>Opens a database: folder lock, manifest, tables, catalogue, log, replay. It fails closed: nothing
/// is changed before everything was read and found whole.</summary>
internal static class DatabaseOpener
{
    /// <summary>Opens it.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="options">Its settings.</param>
    /// <param name="components">What it is built from.</param>
    /// <param name="isReplica">Whether others decide what is committed.</param>
    public static DatabaseParts Open(
        string path, DatabaseOptions options, DatabaseComponents components, bool isReplica = false)
    {
        var context = new EngineContext(path.Length > 1 ? path.TrimEnd('/', '\\') : path, options, components);
        try
        {
            return Open(context, isReplica);
        }
        catch (IOException error)
        {
            context.Dispose();
            throw new AiDbException(
                DiskErrors.IsOutOfSpace(error) ? AiDbErrorKind.ResourceExhausted : AiDbErrorKind.Unavailable,
                $"Could not open the database in {context.Path}: {error.Message}", error);
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    private static DatabaseParts Open(EngineContext context, bool isReplica)
    {
        IFileSystem files = context.FileSystem;
        bool exists = files.FileExists(DatabaseFiles.Combine(context.Path, DatabaseFiles.Current));
        if (!exists && !context.Options.CreateIfMissing)
        {
            throw new AiDbException(
                AiDbErrorKind.NotFound,
                $"There is no database in {context.Path}. Check the path, or set " +
                $"{nameof(DatabaseOptions.CreateIfMissing)} to make one.");
        }

        if (!exists)
            DatabaseFolder.Create(context);
        FolderLocks folderLock = FolderLocks.Take(context);
        try
        {
            // Another process may have made it between the look and the lock.
            if (!files.FileExists(DatabaseFiles.Combine(context.Path, DatabaseFiles.Current)))
                DatabaseFolder.Initialize(context);
            return OpenLocked(context, folderLock, isReplica);
        }
        catch
        {
            folderLock.Dispose();
            throw;
        }
    }

    private static DatabaseParts OpenLocked(EngineContext context, IDisposable folderLock, bool isReplica)
    {
        ulong number = CurrentFile.Read(context.FileSystem, context.Path);
        string manifestPath = DatabaseFiles.Combine(context.Path, DatabaseFiles.Manifest(number));
        if (!context.FileSystem.FileExists(manifestPath))
            throw ManifestFile.Damaged(manifestPath, 0, "it is missing, but CURRENT names it");
        ManifestState manifestState = ManifestFile.Read(context.FileSystem, manifestPath);
        var manifest = new ManifestLog(context.FileSystem, context.Path, manifestState, number, context.NewId);
        LogPosition flushed = manifestState.Flushed;
        context.Clock.Observe(flushed.Timestamp);

        TreeVersion? tree = null;
        StateHolder? state = null;
        WriteAheadLog? log = null;
        TreeStore? store = null;
        try
        {
            // The tables' last users reach the store, which cannot be there before them; before it, nothing
            // is obsolete.
            tree = DatabaseFolder.OpenTables(
                context, manifestState, table => store?.OnUnreferenced(table), file => store?.OnUnreferenced(file));
            var merges = new MergeOperators([.. BuiltInMergeOperators.All, .. context.MergeOperators]);
            state = new StateHolder(new MemTable(context.Options.MemtableBytes, flushed, ordinal: 1), tree, merges);
            store = new TreeStore(context, manifest, state);
            var catalogue = new Catalogue(merges);
            LoadCatalogue(state, catalogue);
            log = OpenLog(context, manifestState);
            var outcomes = new BatchOutcomes(
                manifestState.OutcomesKnownSince ?? flushed.Lsn + 1, manifestState.RejectedBatches);
            var applier = new BatchApplier(state, catalogue, outcomes)
            {
                Ingests = new IngestInstaller(context, store, catalogue, outcomes),
            };
            VoterState? voter = isReplica ? VoterFile.Read(context.FileSystem, context.Path) : null;
            long replayed = voter is null ? Replay(context, log, state, applier, flushed) : 0;
            context.Clock.Observe(log.LastTimestamp);

            // The replay of an ingest may have begun a new manifest.
            DatabaseFolder.MakeDurable(
                context, DatabaseFiles.Combine(context.Path, DatabaseFiles.Manifest(manifest.Number)));
            DatabaseFolder.RemoveOrphans(context, manifestState, manifest.Number);
            var parts = new DatabaseParts(context, folderLock, log, state, catalogue, store, outcomes, applier, voter);
            EngineLog.Opened(
                context.Logger, context.Path, manifestState.Tables.Count, replayed, state.Applied.Lsn, log.Epoch);
            parts.Background.ScheduleFlush();
            parts.Background.ScheduleCompaction();
            return parts;
        }
        catch
        {
            log?.Dispose();
            if (state is not null)
                state.Close();
            else
                tree?.Release();
            manifest.Dispose();
            throw;
        }
    }

    private static WriteAheadLog OpenLog(EngineContext context, ManifestState manifest)
    {
        var options = new LogOptions
        {
            Directory = context.LogDirectory,
            SegmentBytes = context.Options.LogSegmentBytes,
            MapSegments = context.Options.MapLogSegments,
            RetentionBytes = context.Options.LogRetentionBytes,
            ArchiveBytes = context.Options.ArchiveLogBytes,
            FileSystem = context.FileSystem,
            Random = context.Random,
            Logger = context.Logger,
        };
        return WriteAheadLog.Open(options, new LogOpenState
        {
            FirstLsn = manifest.Flushed.Lsn + 1,
            KnownDurableLsn = manifest.KnownDurableLsn,
            LastTimestamp = manifest.Flushed.Timestamp,
            Epoch = manifest.Flushed.Epoch,
        });
    }

    private static void LoadCatalogue(StateHolder state, Catalogue catalogue)
    {
        ReadState read = state.Acquire();
        try
        {
            var entries = Iteration.StateIterators.Open(read);
            catalogue.Load(entries.Merged);
            entries.Return();
        }
        finally
        {
            read.Release();
        }
    }

    /// <summary>Applies what the log holds beyond the tables; stand-alone, everything valid in it is
    /// committed.</summary>
    private static long Replay(
        EngineContext context, WriteAheadLog log, StateHolder state, BatchApplier applier, LogPosition flushed)
    {
        long replayed = 0;
        ulong end = log.AppendedLsn;
        using (LogReader reader = log.OpenReader(flushed.Lsn + 1))
        {
            while (reader.TryRead(end, out LogEntry entry))
            {
                if (state.Active.SizeBytes >= context.Options.MemtableBytes)
                {
                    MemTable full = state.Active;
                    state.Rotate(new MemTable(context.Options.MemtableBytes, full.LastPosition, full.Ordinal + 1));
                }

                if (entry.Type == LogRecordType.Batch)
                    applier.Apply(entry.Position, entry.Payload.Span, mayHaveConditions: true);
                else
                    applier.Skip(entry.Position);
                state.Publish(entry.Position);
                replayed++;
            }
        }

        log.Commit(end);
        return replayed;
    }
}
