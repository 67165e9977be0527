using System.Globalization;
using AiDb.Engine.Collections.Diagnostics;
using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Collections.Files;

/// <summary>Saves what is derived from a collection's keys and takes long to make again, and reads it back; see
/// docs/formats/collection-index.md.</summary>
/// <remarks>Thread safety: one caller at a time. Nothing here is needed: what goes wrong is logged, and the indexes are made
/// from the keys.</remarks>
internal sealed class IndexFiles(CollectionState state)
{
    private const string FolderName = "collections";
    private const string PointsName = "points";
    private const string TemporaryName = "points.tmp";
    private const string VectorsSuffix = ".vectors";

    private IFileSystem FileSystem => state.Database.Context.FileSystem;

    private string Folder => FolderOf(state.Database.Path, state.Table.Id);

    /// <summary>Deletes the folders of collections that were dropped.</summary>
    public static void RemoveDropped(Database database)
    {
        IFileSystem files = database.Context.FileSystem;
        string root = DatabaseFiles.Combine(database.Path, FolderName);
        try
        {
            foreach (string name in files.ListDirectories(root))
            {
                if (uint.TryParse(name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint id)
                    && database.Catalogue.IsDropped(id))
                {
                    files.DeleteDirectory(DatabaseFiles.Combine(root, name));
                }
            }
        }
        catch (IOException error)
        {
            CollectionLog.NotSaved(database.Context.Logger, root, error);
        }
    }

    /// <summary>Reads what was saved into empty indexes; null: nothing of use was.</summary>
    public SavedPoints? TryLoad()
    {
        string path = DatabaseFiles.Combine(Folder, PointsName);
        try
        {
            if (!FileSystem.FileExists(path))
                return null;
            var saved = SavedPoints.Read(FileSystem, path, state.Table.Id);
            bool any = false;
            foreach (DenseField vectors in state.Indexes.Fields.Values.OfType<DenseField>())
            {
                any |= saved.VectorFiles.TryGetValue(vectors.Name, out int number)
                    && TryLoad(vectors, VectorsPath(saved.Save, number), saved.Save);
            }

            return any ? saved : null;
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            CollectionLog.NotRead(state.Database.Context.Logger, state.Name, error);
            return null;
        }
    }

    /// <summary>Saves the indexes; false: it failed, and the last save stays in force.</summary>
    public bool TrySave(CancellationToken cancellationToken)
    {
        try
        {
            Save(cancellationToken);
            return true;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            CollectionLog.NotSaved(state.Database.Context.Logger, state.Name, error);
            return false;
        }
    }

    /// <summary>Deletes everything that was saved.</summary>
    public void Delete()
    {
        try
        {
            FileSystem.DeleteDirectory(Folder);
        }
        catch (IOException error)
        {
            CollectionLog.NotSaved(state.Database.Context.Logger, state.Name, error);
        }
    }

    private static string FolderOf(string database, uint id) => DatabaseFiles.Combine(
        DatabaseFiles.Combine(database, FolderName), id.ToString("x8", CultureInfo.InvariantCulture));

    private string VectorsPath(ulong save, int number) => DatabaseFiles.Combine(
        Folder, string.Create(CultureInfo.InvariantCulture, $"{save:x16}-{number}{VectorsSuffix}"));

    private bool TryLoad(DenseField vectors, string path, ulong save)
    {
        try
        {
            return vectors.TryLoad(FileSystem, path, save);
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            CollectionLog.NotRead(state.Database.Context.Logger, state.Name, error);
            return false;
        }
    }

    private void Save(CancellationToken cancellationToken)
    {
        FileSystem.CreateDirectory(Folder);
        ulong save = (ulong)state.Database.Context.NewId();
        Dictionary<string, int> numbers = new(StringComparer.Ordinal);
        List<DenseField> fields = [];
        for (int number = 0; number < state.VectorNames.Count; number++)
        {
            if (state.Indexes.Fields[state.VectorNames[number]] is DenseField { IndexedCount: > 0 } field)
            {
                numbers.Add(field.Name, number);
                fields.Add(field);
            }
        }

        // The points come first: what changes after it has another version in its key than here.
        string temporary = DatabaseFiles.Combine(Folder, TemporaryName);
        new SavedPoints(save, numbers, state.Indexes.CapturePoints()).Write(FileSystem, temporary, state.Table.Id);
        foreach (DenseField field in fields)
        {
            field.Save(
                FileSystem, VectorsPath(save, numbers[field.Name]), state.Database.Context.NewId(), save, cancellationToken);
        }

        FileSystem.Rename(temporary, DatabaseFiles.Combine(Folder, PointsName));
        FileSystem.SyncDirectory(Folder);
        string kept = save.ToString("x16", CultureInfo.InvariantCulture);
        foreach (string name in FileSystem.ListFiles(Folder))
        {
            if (name != PointsName && !name.StartsWith(kept, StringComparison.Ordinal))
                FileSystem.DeleteFile(DatabaseFiles.Combine(Folder, name));
        }
    }
}
