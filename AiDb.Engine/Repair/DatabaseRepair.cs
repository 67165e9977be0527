using AiDb.Engine.Catalogues;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Manifest;
using AiDb.Engine.Recovery;
using AiDb.Engine.State;

namespace AiDb.Engine.Repair;

/// <summary>A repair from lock to check: the job under the folder's lock, then the database is opened once, so that what
/// was made is known to open and the catalogue can be mended through the log.</summary>
internal static class DatabaseRepair
{
    public static RepairReport Run(
        string path, DatabaseOptions options, DatabaseComponents components, bool dryRun, IProgress<string>? progress,
        CancellationToken cancellationToken)
    {
        path = path.Length > 1 ? path.TrimEnd('/', '\\') : path;
        RepairReport report;
        using (var context = new EngineContext(path, options with { BlockCacheBytes = 0 }, components with { BlockCache = null }))
        {
            CheckExists(context);
            try
            {
                using FolderLocks locks = FolderLocks.Take(context);
                report = new RepairJob(context, progress, cancellationToken).Run(dryRun);
            }
            catch (IOException error)
            {
                throw new AiDbException(
                    AiDbErrorKind.Unavailable, $"The repair of {path} did not end: {error.Message}. Repeat it.", error);
            }

            EngineLog.Repaired(
                context.Logger, path, report.Damage.Count, report.TablesKept, report.TablesSalvaged, report.TablesLost,
                report.Losses.Count, dryRun);
        }

        return dryRun || !report.IsNeeded ? report : report with { Renamed = MendCatalogue(path, options, components) };
    }

    private static void CheckExists(EngineContext context)
    {
        bool exists = context.FileSystem.ListFiles(context.Path).Any(static name =>
                name == DatabaseFiles.Current || DatabaseFiles.IsManifest(name, out _) || DatabaseFiles.IsTable(name, out _)
                || DatabaseFiles.IsValueFile(name, out _))
            || context.FileSystem.ListFiles(context.LogDirectory).Any(Inspection.LogInspector.IsSegment);
        if (DatabaseFolder.IsRestoring(context))
            throw DatabaseFolder.StillRestoring(context);
        if (!exists)
        {
            throw new AiDbException(
                AiDbErrorKind.NotFound, $"There is no database in {context.Path}, nor anything that is left of one.");
        }
    }

    /// <summary>Gives tables that lost their names new ones, and keeps their ids from being used again.</summary>
    private static List<uint> MendCatalogue(string path, DatabaseOptions options, DatabaseComponents components)
    {
        using Database database = Database.Open(path, options with { CreateIfMissing = false }, components);
        Catalogue catalogue = database.Catalogue;
        HashSet<uint> named = [];
        foreach (string name in catalogue.Names())
        {
            if (catalogue.TryFind(name, out (uint Id, ulong Version) found))
                named.Add(found.Id);
        }

        List<uint> ids = [.. IdsWithKeys(database).Where(static id => id is > 0 and < Table.FirstHostId)];
        List<uint> unnamed = [.. ids.Where(id => !named.Contains(id) && !catalogue.IsDropped(id))];
        (uint nextId, ulong version) = catalogue.NextId;
        uint wanted = Math.Max(nextId, ids.Concat(named).DefaultIfEmpty().Max() + 1);
        var system = new Table(database, Catalogue.SystemTableId, null);
        var batch = new WriteBatch();
        foreach (uint id in unnamed)
            batch.Put(system, Catalogue.KeyOfName($"recovered-{id}"), Catalogue.ValueOfId(id));
        if (wanted > nextId)
        {
            batch.Put(
                system, Catalogue.NextIdKeyBytes, Catalogue.ValueOfId(wanted),
                condition: version == 0 ? WriteCondition.MustBeAbsent : WriteCondition.VersionIs(version));
        }

        if (batch.Count > 0)
            database.Write(batch, WriteDurability.Synced);
        return unnamed;
    }

    private static SortedSet<uint> IdsWithKeys(Database database)
    {
        SortedSet<uint> ids = [];
        ReadState state = database.AcquireState(null, out _);
        try
        {
            var open = Iteration.StateIterators.Open(state);
            Iteration.MergingIterator entries = open.Merged;
            Span<byte> next = stackalloc byte[Encoding.InternalKey.OverheadBytes];
            entries.SeekToFirst();
            while (entries.Valid)
            {
                uint id = Encoding.InternalKey.TableId(entries.Key);
                ids.Add(id);
                if (id == uint.MaxValue)
                    break;
                Encoding.InternalKey.Write(next, id + 1, default, ulong.MaxValue);
                entries.Seek(next);
            }

            open.Return();
        }
        finally
        {
            state.Release();
        }

        return ids;
    }
}
