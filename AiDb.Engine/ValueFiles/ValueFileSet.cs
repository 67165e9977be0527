using AiDb.Engine.Manifest;

namespace AiDb.Engine.ValueFiles;

/// <summary>The value files that the tables of one version of the tree point into, and how much of each is
/// alive.</summary>
/// <remarks>Immutable. It holds no references: the version's tables do. What is alive is the sum of what the
/// tables say, so no count can drift from what is stored.</remarks>
internal sealed class ValueFileSet
{
    private static readonly Dictionary<UInt128, Usage> NoFiles = [];
    private readonly Dictionary<UInt128, Usage> _files = NoFiles;

    /// <summary>Adds up what the tables of every level point to.</summary>
    public ValueFileSet(LiveTable[][] levels)
    {
        foreach (LiveTable[] level in levels)
        {
            foreach (LiveTable table in level)
            {
                for (int index = 0; index < table.ValueFiles.Length; index++)
                {
                    if (_files == NoFiles)
                        _files = [];
                    LiveValueFile file = table.ValueFiles[index];
                    _files.TryGetValue(file.Metadata.Id, out Usage usage);
                    _files[file.Metadata.Id] = new Usage(
                        file, usage.LiveBytes + table.Reader.Properties.ValueReferences[index].ValueBytes);
                }
            }
        }
    }

    /// <summary>The files with the bytes of their values that are pointed to.</summary>
    public IReadOnlyDictionary<UInt128, Usage> Files => _files;

    /// <summary>Bytes of the files.</summary>
    public long TotalBytes => _files.Values.Sum(static usage => usage.File.Metadata.SizeBytes);

    /// <summary>Bytes of values that nothing points to.</summary>
    public long GarbageBytes => _files.Values.Sum(static usage => usage.GarbageBytes);

    /// <summary>Finds a file.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: a table points to a file that it does
    /// not list.</exception>
    public LiveValueFile Find(UInt128 id) => _files.TryGetValue(id, out Usage usage)
        ? usage.File
        : throw new AiDbException(
            AiDbErrorKind.DataLoss,
            $"A table points to the value file {id:x32}, which it does not list among its files. Restore the database " +
            "from a checkpoint or a backup, or rebuild this node from a replica.");

    /// <summary>The files of which more than half is garbage: what still lives in them is written anew.</summary>
    public IReadOnlyDictionary<UInt128, LiveValueFile> MostlyGarbage()
    {
        Dictionary<UInt128, LiveValueFile> found = [];
        foreach ((UInt128 id, Usage usage) in _files)
        {
            if (usage.IsMostlyGarbage)
                found.Add(id, usage.File);
        }

        return found;
    }

    /// <summary>A file and the bytes of its values that are pointed to.</summary>
    internal readonly record struct Usage(LiveValueFile File, long LiveBytes)
    {
        /// <summary>Bytes of values that nothing points to.</summary>
        public long GarbageBytes => Math.Max(0, File.Metadata.ValueBytes - LiveBytes);

        /// <summary>Whether rewriting it frees more than it writes.</summary>
        public bool IsMostlyGarbage => GarbageBytes > LiveBytes;
    }
}
