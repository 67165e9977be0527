using AiDb.Engine.Compaction;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Recovery;

/// <summary>Makes a copy of a database out of hard links to its tables and a manifest of its own. The
/// memtables were flushed before, so the copy needs no log: it begins an empty one after the last flushed
/// entry.</summary>
internal static class CheckpointJob
{
    /// <summary>Makes the copy; removes it again when that fails.</summary>
    public static LogPosition Run(
        EngineContext context, TreeStore store, string directory, CancellationToken cancellationToken)
    {
        IFileSystem files = context.FileSystem;
        if (files.ListFiles(directory).Count > 0 || files.ListDirectories(directory).Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.AlreadyExists, $"{directory} exists and is not empty; name a folder that does not exist.");
        }

        (TreeVersion tree, VersionEdit whole) = store.Capture();
        try
        {
            files.CreateDirectory(directory);
            for (int level = 0; level < VersionEdit.Levels; level++)
            {
                foreach (LiveTable table in tree.Level(level))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    string name = DatabaseFiles.Table(table.Metadata.Id);
                    files.Link(DatabaseFiles.Combine(context.Path, name), DatabaseFiles.Combine(directory, name));
                }
            }

            foreach (UInt128 id in tree.ValueFiles.Files.Keys)
            {
                string name = DatabaseFiles.ValueFile(id);
                files.Link(DatabaseFiles.Combine(context.Path, name), DatabaseFiles.Combine(directory, name));
            }

            // CURRENT comes last: without it the folder is no database.
            files.SyncDirectory(directory);
            whole.KnownDurableLsn = whole.Flushed!.Value.Lsn;
            using (var manifest = new ManifestLog(files, directory, new ManifestState(), 0, context.NewId))
                manifest.Append(whole);
            if (DatabaseFolder.Parent(directory) is { } parent)
                files.SyncDirectory(parent);
            return whole.Flushed.Value;
        }
        catch
        {
            // Removing a folder takes many steps; without CURRENT what stays of it after a crash is no database.
            files.DeleteFile(DatabaseFiles.Combine(directory, DatabaseFiles.Current));
            files.DeleteDirectory(directory);
            throw;
        }
        finally
        {
            tree.Release();
        }
    }
}
