using AiDb.Engine.Diagnostics;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Recovery;

/// <summary>A database's folder: how it is made, which tables belong to it, what is left over in
/// it.</summary>
internal static class DatabaseFolder
{
    /// <summary>Makes the folder, durably.</summary>
    public static void Create(EngineContext context)
    {
        context.FileSystem.CreateDirectory(context.Path);

        // The log makes it durable; it is there for its lock.
        if (context.Options.LogDirectory is { } log)
            context.FileSystem.CreateDirectory(log);
        if (Parent(context.Path) is { } parent)
            context.FileSystem.SyncDirectory(parent);
    }

    /// <summary>Makes an empty database in a folder that holds none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the folder holds the remains of
    /// one.</exception>
    public static void Initialize(EngineContext context)
    {
        foreach (string name in context.FileSystem.ListFiles(context.Path))
        {
            if (DatabaseFiles.IsTable(name, out _) || DatabaseFiles.IsValueFile(name, out _))
                throw Remains(context, name);
        }

        foreach (string name in context.FileSystem.ListFiles(context.LogDirectory))
        {
            if (name.EndsWith(".log", StringComparison.Ordinal))
                throw Remains(context, name);
        }

        using var manifest = new ManifestLog(context.FileSystem, context.Path, new ManifestState(), 0, context.NewId);
        manifest.Append(new VersionEdit { DatabaseId = context.NewId(), Flushed = default(LogPosition) });
    }

    /// <summary>Opens every table that the manifest lists.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: one is missing or not the one
    /// listed.</exception>
    public static TreeVersion OpenTables(
        EngineContext context, ManifestState manifest, Action<LiveTable> onUnreferenced,
        Action<LiveValueFile> onValueFileUnreferenced)
    {
        var valueFiles = new Dictionary<UInt128, LiveValueFile>();
        List<LiveTable>[] levels = new List<LiveTable>[VersionEdit.Levels];
        for (int level = 0; level < levels.Length; level++)
            levels[level] = [];
        try
        {
            foreach (ValueFileMetadata metadata in manifest.ValueFiles.Values)
                valueFiles.Add(metadata.Id, OpenValueFile(context, metadata, onValueFileUnreferenced));
            foreach ((int level, TableMetadata metadata) in manifest.Tables.Values)
                levels[level].Add(OpenTable(context, metadata, onUnreferenced, valueFiles));
            foreach (LiveTable table in levels[0])
                table.Reader.PinPartitions();
            return new TreeVersion([.. levels.Select(static (tables, level) => TreeVersion.Order(level, tables))]);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Internal)
        {
            // No program of this kind wrote it so; what a key holds cannot be told from tables that overlap.
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"The manifest of {context.Path} is damaged: {error.Message} Restore the database from a checkpoint or a backup, or " +
                "rebuild this node from a replica.", error);
        }
        finally
        {
            // The version holds references of its own.
            foreach (LiveTable table in levels.SelectMany(static tables => tables))
                table.Release();
            foreach (LiveValueFile file in valueFiles.Values)
                file.Release();
        }
    }

    /// <summary>Makes durable what was read: a process that was killed between writing and syncing left a
    /// manifest that a loss of power would take back, while tables deleted because of it stay gone. Its bytes
    /// are written anew, since after a sync that failed the system shows bytes that it will never write, and a
    /// further sync succeeds without them.</summary>
    public static void MakeDurable(EngineContext context, string manifestPath)
    {
        using (IStorageFile manifest = context.FileSystem.Open(manifestPath, FileOpenMode.ReadWrite))
        {
            StorageFiles.WriteAnew(manifest, 0, manifest.Length);
            manifest.Sync();
        }

        context.FileSystem.SyncDirectory(context.Path);
    }

    /// <summary>Deletes what an interrupted flush, compaction or manifest change left behind.</summary>
    public static void RemoveOrphans(EngineContext context, ManifestState manifest, ulong manifestNumber)
    {
        foreach (string name in context.FileSystem.ListFiles(context.Path))
        {
            bool isOrphan = DatabaseFiles.IsTable(name, out UInt128 id)
                ? !manifest.Tables.ContainsKey(id)
                : DatabaseFiles.IsValueFile(name, out id) ? !manifest.ValueFiles.ContainsKey(id)
                : DatabaseFiles.IsManifest(name, out ulong number)
                    ? number != manifestNumber
                    : name == DatabaseFiles.CurrentTemporary;
            if (!isOrphan)
                continue;
            string path = DatabaseFiles.Combine(context.Path, name);
            try
            {
                context.FileSystem.DeleteFile(path);
            }
            catch (IOException error)
            {
                EngineLog.NotDeleted(context.Logger, path, error);
            }
        }
    }

    /// <summary>Whether tables of a restored database are still being fetched.</summary>
    public static bool IsRestoring(EngineContext context) =>
        context.FileSystem.FileExists(DatabaseFiles.Combine(context.Path, DatabaseFiles.Restoring));

    /// <summary>Says that a folder is not whole yet, and what makes it so.</summary>
    public static AiDbException StillRestoring(EngineContext context) => new(
        AiDbErrorKind.PreconditionFailed,
        $"The database in {context.Path} is being restored from a backup, and tables are still missing. Nothing was changed: "
        + "start the node on it, which fetches them, or restore the backup into another folder without --lazy.");

    /// <summary>The folder that a folder is in; null for a root.</summary>
    public static string? Parent(string path)
    {
        string? parent = Path.GetDirectoryName(path);
        return parent is null ? null : parent.Length == 0 ? "." : parent;
    }

    private static LiveValueFile OpenValueFile(
        EngineContext context, ValueFileMetadata metadata, Action<LiveValueFile> onUnreferenced)
    {
        string path = context.ValueFilePath(metadata.Id);
        ThrowIfMissing(context, path);
        ValueFileReader reader = ValueFileReader.Open(context.FileSystem, path, context.Cache);
        if (reader.Metadata == metadata with { Checksum = 0 })
            return new LiveValueFile(metadata, reader, onUnreferenced);
        reader.Dispose();
        throw Damaged(path, "it is not the value file that the manifest lists");
    }

    private static LiveTable OpenTable(
        EngineContext context, TableMetadata metadata, Action<LiveTable> onUnreferenced,
        Dictionary<UInt128, LiveValueFile> valueFiles)
    {
        string path = context.TablePath(metadata.Id);
        ThrowIfMissing(context, path);
        TableReader reader = TableReader.Open(context.FileSystem, path, context.Cache);
        bool matches = metadata.Matches(reader.Properties);
        if (matches
            && Array.TrueForAll(reader.Properties.ValueReferences, reference => valueFiles.ContainsKey(reference.FileId)))
        {
            return new LiveTable(metadata, reader, onUnreferenced, id => valueFiles[id]);
        }

        reader.Dispose();
        throw Damaged(
            path, matches ? "it points into a value file that the manifest does not list"
                : "it is not the table that the manifest lists");
    }

    private static void ThrowIfMissing(EngineContext context, string path)
    {
        if (context.FileSystem.FileExists(path))
            return;
        throw IsRestoring(context)
            ? StillRestoring(context)
            : Damaged(path, "it is missing, but the manifest lists it");
    }

    private static AiDbException Damaged(string path, string what) => new(
        AiDbErrorKind.DataLoss,
        $"{path}: {what}. Nothing was changed; restore the folder from a checkpoint or a replica.");

    private static AiDbException Remains(EngineContext context, string name) => new(
        AiDbErrorKind.DataLoss,
        $"{context.Path} has no {DatabaseFiles.Current} file, but {name} of a database. Nothing was changed: restore the " +
        "folder from a checkpoint or a replica, or move its files away to begin with an empty database.");
}
