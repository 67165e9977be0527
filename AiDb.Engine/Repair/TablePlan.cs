using AiDb.Engine.Encoding;
using AiDb.Engine.Inspection;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Repair;

/// <summary>Which tables a database still has, and where the list comes from.</summary>
internal sealed class TablePlan
{
    private TablePlan(RepairSource source, ManifestState known, IReadOnlyList<ExaminedTable> tables)
    {
        Source = source;
        Known = known;
        Tables = tables;
    }

    /// <summary>Where the list comes from.</summary>
    public RepairSource Source { get; }

    /// <summary>What the manifest says; with <see cref="RepairSource.Tables"/> what a damaged one still said, for numbers
    /// only.</summary>
    public ManifestState Known { get; }

    /// <summary>The tables, as they were found.</summary>
    public IReadOnlyList<ExaminedTable> Tables { get; }

    /// <summary>What is wrong with CURRENT and the manifests.</summary>
    public List<FileDamage> Damage { get; } = [];

    /// <summary>Reads manifests and tables.</summary>
    public static TablePlan Make(EngineContext context, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        List<FileDamage> damage = [];
        (RepairSource source, ManifestState known) = FindManifest(context, damage);
        List<ExaminedTable> tables = [];
        HashSet<UInt128> listed = [];
        if (source != RepairSource.Tables)
        {
            foreach ((int level, TableMetadata metadata) in known.Tables.Values)
            {
                listed.Add(metadata.Id);
                tables.Add(Examine(metadata.Id, level, metadata));
            }
        }

        List<UInt128> unlisted = [];
        foreach (string name in context.FileSystem.ListFiles(context.Path))
        {
            if (DatabaseFiles.IsTable(name, out UInt128 id) && !listed.Contains(id))
                unlisted.Add(id);
        }

        // The last edit of a manifest may be lost without a trace; then the tables that it took out are gone and those
        // that it brought are not listed. What lies there is then more than what is listed.
        bool isStale = tables.Exists(static table => !table.Exists) && unlisted.Count > 0;
        if (source == RepairSource.Tables || isStale)
        {
            if (isStale)
            {
                damage.Add(new FileDamage(
                    DatabaseFiles.Combine(context.Path, DatabaseFiles.Current),
                    0,
                    "the manifest lists tables that are missing, and others lie there: its last edits are lost"));
            }

            source = RepairSource.Tables;
            tables = [.. tables.Where(static table => table.Exists).Select(static table => table with { Level = -1 })];
            foreach (UInt128 id in unlisted)
                tables.Add(Examine(id, -1, null));
        }

        var plan = new TablePlan(source, known, tables);
        plan.Damage.AddRange(damage);
        return plan;

        ExaminedTable Examine(UInt128 id, int level, TableMetadata? metadata)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = context.TablePath(id);
            progress?.Report(path);
            return ExaminedTable.Examine(context, path, level, metadata, cancellationToken);
        }
    }

    /// <summary>Whole tables in groups that overlap within themselves only.</summary>
    public static List<List<TableMetadata>> Clusters(IEnumerable<TableMetadata> tables)
    {
        List<List<TableMetadata>> clusters = [];
        byte[] end = [];
        foreach (TableMetadata table in tables.Order(Comparer<TableMetadata>.Create(
            static (left, right) => InternalKey.Compare(left.SmallestKey, right.SmallestKey))))
        {
            ReadOnlySpan<byte> largest = InternalKey.Prefix(table.LargestKey);
            if (clusters.Count == 0 || InternalKey.Prefix(table.SmallestKey).SequenceCompareTo(end) > 0)
            {
                clusters.Add([]);
                end = largest.ToArray();
            }
            else if (largest.SequenceCompareTo(end) > 0)
            {
                end = largest.ToArray();
            }

            clusters[^1].Add(table);
        }

        return clusters;
    }

    private static (RepairSource Source, ManifestState Known) FindManifest(EngineContext context, List<FileDamage> damage)
    {
        IFileSystem files = context.FileSystem;
        string currentPath = DatabaseFiles.Combine(context.Path, DatabaseFiles.Current);
        ulong? current = null;
        try
        {
            if (files.FileExists(currentPath))
                current = CurrentFile.Read(files, context.Path);
            else
                damage.Add(new FileDamage(currentPath, 0, "it is missing"));
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            damage.Add(new FileDamage(currentPath, 0, "it does not name a manifest"));
        }

        List<ulong> numbers = [];
        foreach (string name in files.ListFiles(context.Path))
        {
            if (DatabaseFiles.IsManifest(name, out ulong number))
                numbers.Add(number);
        }

        if (current is { } named && !numbers.Contains(named))
            damage.Add(new FileDamage(ManifestPath(context, named), 0, "it is missing, but CURRENT names it"));
        ManifestState hint = new();

        // The manifest in force first, then the newest: an edit enters a new one only with its tables durable.
        foreach (ulong number in numbers.OrderByDescending(number => number == current).ThenByDescending(static number => number))
        {
            ManifestScan scan = ManifestFile.Scan(files, ManifestPath(context, number));
            if (scan.Damage is null)
                return (number == current ? RepairSource.Manifest : RepairSource.FoundManifest, scan.State);
            damage.Add(new FileDamage(ManifestPath(context, number), scan.EndOffset, scan.Damage));
            if (scan.Edits > 0 && scan.State.NextNumber > hint.NextNumber)
                hint = scan.State;
        }

        return (RepairSource.Tables, hint);
    }

    private static string ManifestPath(EngineContext context, ulong number) =>
        DatabaseFiles.Combine(context.Path, DatabaseFiles.Manifest(number));
}
