using AiDb.Engine.Encoding;
using AiDb.Engine.Inspection;
using AiDb.Engine.Manifest;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Repair;

/// <summary>What is left of a table file.</summary>
internal sealed record ExaminedTable
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Its level by the manifest; -1 when none lists it.</summary>
    public int Level { get; init; } = -1;

    /// <summary>What the manifest says of it, or what the whole file says of itself; null when neither does.</summary>
    public TableMetadata? Metadata { get; init; }

    /// <summary>The version that the manifest gives to all entries of an ingested table; 0: they have their
    /// own.</summary>
    public ulong VersionOfAllEntries => Metadata?.VersionOfAllEntries ?? 0;

    /// <summary>Whether the file is there.</summary>
    public bool Exists { get; init; }

    /// <summary>Whether every checksum holds and the file is the one that the manifest lists.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Entries that can be read.</summary>
    public long Readable { get; init; }

    /// <summary>The newest version among them.</summary>
    public ulong MaxVersion { get; init; }

    /// <summary>The value files that it points into, where it is whole.</summary>
    public IReadOnlyList<UInt128> References { get; init; } = [];

    /// <summary>What is wrong with it.</summary>
    public IReadOnlyList<FileDamage> Damage { get; init; } = [];

    /// <summary>Reads a table from front to back.</summary>
    public static ExaminedTable Examine(
        EngineContext context, string path, int level, TableMetadata? metadata, CancellationToken cancellationToken)
    {
        var examined = new ExaminedTable { Path = path, Level = level, Metadata = metadata };
        if (!context.FileSystem.FileExists(path))
            return examined with { Damage = [new FileDamage(path, 0, "it is missing, but the manifest lists it")] };
        examined = examined with { Exists = true };
        FileDamage damage;
        try
        {
            using TableReader reader = TableReader.Open(context.FileSystem, path, context.Cache);
            reader.VerifyChecksums(cancellationToken);
            if (metadata is null || metadata.Matches(reader.Properties))
            {
                return examined with
                {
                    IsWhole = true,
                    Metadata = metadata ?? TableMetadata.From(
                        reader.Properties with { FileChecksum = ExaminedValues.Hash(context.FileSystem, path) }, sequence: 0),
                    Readable = reader.Properties.Entries,
                    MaxVersion = Math.Max(
                        Math.Max(reader.Properties.MaxVersion, NewestRange(reader)), examined.VersionOfAllEntries),
                    References = [.. reader.Properties.ValueReferences.Select(static reference => reference.FileId)],
                };
            }

            damage = new FileDamage(path, 0, "it is not the table that the manifest lists");
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            damage = new FileDamage(path, TableErrors.OffsetOf(error), error.Message);
        }

        ulong maxVersion = examined.VersionOfAllEntries;
        TableSalvage salvage = TableSalvage.Read(
            context.FileSystem,
            path,
            context.Cache,
            (key, _) =>
            {
                maxVersion = Math.Max(maxVersion, InternalKey.Version(key));
                return true;
            },
            cancellationToken);
        return examined with
        {
            Readable = salvage.Entries,
            MaxVersion = maxVersion,
            Damage = salvage.Gaps.Count == 0
                ? [damage]
                : [.. salvage.Gaps.Select(gap => new FileDamage(path, gap.Offset, TableInspector.Describe(gap)))],
        };
    }

    private static ulong NewestRange(TableReader reader)
    {
        List<RangeTombstone> rangeDeletes = [];
        reader.RangeDeletes?.CopyTo(rangeDeletes);
        return rangeDeletes.Select(static tombstone => tombstone.Version).DefaultIfEmpty().Max();
    }

    /// <summary>What of it is gone; null when nothing is.</summary>
    public RepairLoss? Loss()
    {
        if (IsWhole)
            return null;
        long? lost = Level >= 0 && Metadata is not null ? Math.Max(0, Metadata.Entries - Readable) : null;
        if (lost == 0)
            return null;
        string range = Level >= 0 && Metadata is not null
            ? $"between {KeyText.Of(Metadata.SmallestKey)} and {KeyText.Of(Metadata.LargestKey)}"
            : "of a range that is not known";
        string what = Readable == 0
            ? $"all {(lost is null ? "" : $"{lost} ")}entries {range}"
            : string.Join("; ", Damage.Select(static damage => damage.What));
        return new RepairLoss(Path, lost, what);
    }
}
