using System.Globalization;
using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Contracts;
using AiDb.Engine;

namespace AiDb.Cluster.Model;

/// <summary>The tables of a cluster. They are made and dropped by compare-and-swap, so that any gateway may
/// do it; an id is never used twice.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class Catalogue(IMetadataStore store, ClusterMapWatcher map, TimeProvider timeProvider)
{
    /// <summary>Characters of a table's name.</summary>
    public const int MaxNameLength = 255;

    /// <summary>Tables of a cluster.</summary>
    public const int MaxTables = 10_000;

    /// <summary>A table by name, from the current map; null when there is none (or not yet, here).</summary>
    public TableDescriptor? Find(string name) => map.Current.FindTable(name);

    /// <summary>Creates a table.</summary>
    /// <param name="name">1 to 255 letters, digits, <c>_ - .</c>, not beginning with a dot.</param>
    /// <param name="settings">What is chosen for it.</param>
    /// <param name="ifNotExists">A table of that name and these settings is no error; ranges may have been split
    /// since.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: a table of that name is
    /// there, or one with other settings.</exception>
    public async ValueTask<TableDescriptor> CreateAsync(
        string name, TableSettings settings, bool ifNotExists = false, CancellationToken cancellationToken = default)
    {
        (TableDescriptor table, bool isNew) = await GetOrAddAsync(name, settings, cancellationToken);
        if (isNew)
            return table;
        if (!table.Settings.Fulfils(settings))
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The table '{name}' exists with other settings.");
        if (!ifNotExists)
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The table '{name}' exists.");
        return table;
    }

    /// <summary>The table of that name, made with default settings where there is none: what a first write
    /// does.</summary>
    public async ValueTask<TableDescriptor> GetOrCreateAsync(string name, CancellationToken cancellationToken = default) =>
        Find(name) ?? (await GetOrAddAsync(name, TableSettings.Default, cancellationToken)).Table;

    /// <summary>Splits a range of a table in two. The new range gets another slot of the same shard: nothing moves, and a primary
    /// that does not know of it yet decides as one that does. From then on the halves can move each by itself.</summary>
    /// <param name="name">The table.</param>
    /// <param name="at">The first key of the new range.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The table; false: a range began there already.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such table;
    /// <see cref="AiDbErrorKind.InvalidArgument"/>: it has no ranges, or too many;
    /// <see cref="AiDbErrorKind.Unavailable"/>: the range is moving.</exception>
    public async ValueTask<(TableDescriptor Table, bool IsNew)> SplitAsync(
        string name, ReadOnlyMemory<byte> at, CancellationToken cancellationToken = default)
    {
        CheckName(name);
        string key = MetadataKeys.Table(name);
        while (true)
        {
            ClusterMap current = map.Current;
            MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
                ?? throw new AiDbException(AiDbErrorKind.NotFound, $"The table '{name}' does not exist.");
            TableDescriptor table = MetadataJson.ReadTable(key, item.Value).ToDescriptor();
            if (table.Ranges is not { } ranges)
                throw Invalid($"The table '{name}' is not partitioned by ranges");
            if (ranges.SplitPoints.Any(point => point.Span.SequenceEqual(at.Span)))
                return (table, false);
            TableRanges split = ranges.Split(CheckSplitPoint(at).Span, SlotBeside(current, table, ranges.SlotOf(at.Span)));
            table = table with
            {
                Ranges = split,
                Settings = table.Settings with { Partitioning = PartitionRule.Ranges(split.SplitPoints) },
            };
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    // Both slots are where the map shows them, and no migration of them has begun since.
                    Compares =
                    [
                        MetadataCompare.UnchangedSince(key, item.ModRevision),
                        MetadataCompare.UnchangedSince(MetadataKeys.Slots, current.SlotsRevision),
                        MetadataCompare.IsAbsent(MetadataKeys.Migration(MigrationRecords.NextId(current))),
                    ],
                    Then = [MetadataOperation.Put(key, MetadataJson.Write(TableRecord.From(table)))],
                },
                cancellationToken);
            if (result.Succeeded)
                return (table, true);
            await map.WaitForNewerAsync(current.Version, cancellationToken);
        }
    }

    /// <summary>Drops a table from the catalogue and remembers its id as dropped; the shards then drop its
    /// keys.</summary>
    /// <returns>What was dropped.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that
    /// name.</exception>
    public async ValueTask<TableDescriptor> DropAsync(string name, CancellationToken cancellationToken = default)
    {
        CheckName(name);
        string key = MetadataKeys.Table(name);
        while (true)
        {
            MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
                ?? throw new AiDbException(AiDbErrorKind.NotFound, $"The table '{name}' does not exist.");
            TableDescriptor table = MetadataJson.ReadTable(key, item.Value).ToDescriptor();
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [MetadataCompare.UnchangedSince(key, item.ModRevision)],
                    Then =
                    [
                        MetadataOperation.Delete(key),
                        MetadataOperation.Put(MetadataKeys.Dropped(table.Id), Encoding.UTF8.GetBytes(name)),
                    ],
                },
                cancellationToken);
            if (result.Succeeded)
                return table;
        }
    }

    /// <summary>Checks a table's name.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the
    /// rule.</exception>
    public static void CheckName(string name)
    {
        if (name.Length is < 1 or > MaxNameLength)
            throw Invalid($"A table's name must have 1 to {MaxNameLength} characters, not {name.Length}");
        if (name[0] == '.')
            throw Invalid($"The table name '{name}' must not begin with a dot");
        foreach (char character in name)
        {
            if (!char.IsAsciiLetterOrDigit(character) && character is not ('_' or '-' or '.'))
                throw Invalid("A table's name may have letters, digits, '_', '-' and '.' only");
        }
    }

    private async ValueTask<(TableDescriptor Table, bool IsNew)> GetOrAddAsync(
        string name, TableSettings settings, CancellationToken cancellationToken)
    {
        CheckName(name);
        string key = MetadataKeys.Table(name);
        while (true)
        {
            MetadataKeyValue? counter =
                (await store.RangeAsync(MetadataKeys.NextTableId, cancellationToken: cancellationToken)).Single;
            uint id = counter is null ? Table.FirstHostId : ReadCounter(counter);
            if (map.Current.Tables.Count >= MaxTables)
                throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"A cluster has {MaxTables} tables at most.");
            TableDescriptor table = new()
            {
                Name = name,
                Id = id,
                Settings = settings,
                Ranges = DealOut(id, settings.Partitioning),
                CreatedAtMs = timeProvider.GetUtcNow().ToUnixTimeMilliseconds(),
            };
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares =
                    [
                        MetadataCompare.IsAbsent(key),
                        MetadataCompare.UnchangedSince(MetadataKeys.NextTableId, counter?.ModRevision ?? 0),
                    ],
                    Then =
                    [
                        MetadataOperation.Put(key, MetadataJson.Write(TableRecord.From(table))),
                        MetadataOperation.Put(
                            MetadataKeys.NextTableId,
                            Encoding.ASCII.GetBytes((id + 1).ToString(CultureInfo.InvariantCulture))),
                    ],
                    Otherwise = [MetadataOperation.Range(key)],
                },
                cancellationToken);
            if (result.Succeeded)
                return (table, true);
            if (result.Ranges[0].Single is { } existing)
                return (MetadataJson.ReadTable(key, existing.Value).ToDescriptor(), false);
        }
    }

    private static ReadOnlyMemory<byte> CheckSplitPoint(ReadOnlyMemory<byte> at) =>
        PartitionRule.Ranges([at]).SplitPoints[0];

    /// <summary>Another slot of the shard that has a slot; the slot itself where the shard has no other.</summary>
    private static int SlotBeside(ClusterMap current, TableDescriptor table, int slot)
    {
        bool IsMoving(int other) => current.Migrations.Any(
            migration => migration.Phase == MigrationPhase.Copying && migration.Slots.Contains(other));
        uint shard = current.Slots[slot];
        if (shard == 0 || IsMoving(slot))
        {
            throw new AiDbException(AiDbErrorKind.Unavailable, $"The range of the table '{table.Name}' is moving; split it when it has moved.")
            {
                RetryAfter = TimeSpan.FromSeconds(1),
            };
        }

        return new RangePlacement(current).ChooseOn(shard, table.Id, table.Ranges!.Count, other => other != slot && !IsMoving(other))
            ?? slot;
    }

    private TableRanges? DealOut(uint id, PartitionRule rule) => rule.Kind == PartitionKind.Range
        ? TableRanges.Of(rule.SplitPoints, new RangePlacement(map.Current).Deal(id, rule.SplitPoints.Count + 1))
        : null;

    internal static uint ReadCounter(MetadataKeyValue counter) =>
        uint.TryParse(counter.Value.Span, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id >= Table.FirstHostId
            ? id
            : throw new AiDbException(AiDbErrorKind.DataLoss, $"The metadata key '{counter.Key}' does not hold a table id.");

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
