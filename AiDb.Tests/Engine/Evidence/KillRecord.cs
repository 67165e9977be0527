using System.Buffers.Binary;
using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Storage;
using Microsoft.Win32.SafeHandles;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What one writing thread was told: a file outside the database with the number, version and log position of
/// each batch that was answered. A killed process leaves it whole but for its last item.</summary>
internal sealed class KillRecord : IDisposable
{
    private const int ItemBytes = 24;

    private readonly SafeFileHandle _file;
    private long _end;

    public KillRecord(string path)
    {
        Folder = Path.GetDirectoryName(path)!;
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        _end = RandomAccess.GetLength(_file) / ItemBytes * ItemBytes;
    }

    /// <summary>The folder that it lies in.</summary>
    public string Folder { get; }

    /// <summary>States the number that a process found when it started; its log position is 0.</summary>
    public void AddFound(ulong number, ulong version) => Add(number, new WriteResult(Applied: true, version, Lsn: 0));

    public void Add(ulong number, in WriteResult result)
    {
        Span<byte> item = stackalloc byte[ItemBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(item, number);
        BinaryPrimitives.WriteUInt64LittleEndian(item[8..], result.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(item[16..], result.Lsn);
        RandomAccess.Write(_file, item, _end);
        _end += ItemBytes;
    }

    /// <summary>The items, from the first on.</summary>
    public static IEnumerable<(ulong Number, ulong Version, ulong Lsn)> Read(string path)
    {
        byte[] bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        for (int at = 0; at + ItemBytes <= bytes.Length; at += ItemBytes)
        {
            ReadOnlyMemory<byte> item = bytes.AsMemory(at, ItemBytes);
            yield return (
                BinaryPrimitives.ReadUInt64LittleEndian(item.Span),
                BinaryPrimitives.ReadUInt64LittleEndian(item.Span[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(item.Span[16..]));
        }
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>What one thread of a process that will be killed writes: batches that follow from the seed, the thread, the
/// batch's number and the state before it, so that another process can tell what each of them did.</summary>
internal sealed class KillThread(int seed, int thread)
{
    public const string NumberKey = "number";

    // Nothing expires between what is expected and what is read.
    private const int MinLifetimeMs = int.MaxValue / 2;
    private const ulong NowMs = 0;

    /// <summary>Its table, which no other thread writes to.</summary>
    public string Table { get; } = $"thread{thread}";

    /// <summary>The state after the last batch that was told of.</summary>
    public HistoryState State { get; private set; } = HistoryState.Empty.WithTable($"thread{thread}");

    /// <summary>The number of the last batch that was told of.</summary>
    public ulong Number { get; private set; }

    /// <summary>The log position of the last batch that was told of.</summary>
    public ulong Lsn { get; private set; }

    /// <summary>Starts with what the database holds.</summary>
    public void Load(Database database)
    {
        Table table = database.FindTable(Table)!;
        using ScanCursor cursor = table.Scan();
        while (cursor.MoveNext())
        {
            string key = System.Text.Encoding.UTF8.GetString(cursor.Key);
            var cell = new HistoryCell(
                System.Text.Encoding.UTF8.GetString(cursor.Value), cursor.Version, cursor.ExpiresAtMs);
            State = State.With(Table, cells => cells.SetItem(key, cell));
        }

        Number = NumberIn(State);
    }

    /// <summary>The version of the batch that <see cref="Load"/> found to be the last; 0: none.</summary>
    public ulong Version => State.VersionOf(Table, NumberKey, NowMs);

    /// <summary>Writes the next batch with its number, or the number alone when the batch's conditions do not hold, and
    /// records the answer.</summary>
    public void Write(Database database, KillRecord record)
    {
        (HistoryBatch batch, WriteDurability durability, bool isIngest) = Next();
        Table table = database.FindTable(Table)!;
        if (isIngest)
        {
            Ingest(database, table, batch, record);
            return;
        }

        byte[] number = TestDatabase.Bytes((Number + 1).ToString(CultureInfo.InvariantCulture));
        WriteBatch write = batch.ToWriteBatch(database);
        write.Put(table, TestDatabase.Bytes(NumberKey), number);
        WriteResult result = database.TryWrite(write, durability);
        Assert.Equal(batch.Holds(State, NowMs), result.Applied);
        if (!result.Applied)
            result = table.Put(TestDatabase.Bytes(NumberKey), number, durability: durability);
        record.Add(Number + 1, result);
        Follow(Number + 1, result.Version, result.Lsn);
    }

    /// <summary>Writes the batch as a file that is ingested, with its number as the last key.</summary>
    private void Ingest(Database database, Table table, HistoryBatch batch, KillRecord record)
    {
        string path = Path.Combine(record.Folder, $"{Table}-{Number + 1}-{Guid.NewGuid():N}.ingest");
        string number = (Number + 1).ToString(CultureInfo.InvariantCulture);
        batch.WriteFile(PhysicalFileSystem.Instance, path, table, (NumberKey, number));
        WriteResult result = database.IngestAsync(table, [path], copy: Number % 2 == 0, CancellationToken.None)
            .AsTask().GetAwaiter().GetResult();
        record.Add(Number + 1, result);
        Follow(Number + 1, result.Version, result.Lsn);
        File.Delete(path);
    }

    /// <summary>Takes over that a batch was written.</summary>
    public void Follow(ulong number, ulong version, ulong lsn)
    {
        Assert.Equal(Number + 1, number);
        Assert.True(lsn > Lsn, $"entry {lsn} was acknowledged after entry {Lsn}");
        (HistoryBatch batch, _, _) = Next();
        State = batch.Apply(State, version);
        var cell = new HistoryCell(number.ToString(CultureInfo.InvariantCulture), version, 0);
        State = State.With(Table, cells => cells.SetItem(NumberKey, cell));
        Number = number;
        Lsn = lsn;
    }

    /// <summary>Takes over what a process found when it started: all that was told, and perhaps the batch after it,
    /// whose process was killed before it could tell.</summary>
    /// <returns>Whether that batch was there.</returns>
    public bool FollowFound(ulong number, ulong version)
    {
        Assert.InRange(number, Number, Number + 1);
        if (number == Number)
            return false;
        Follow(number, version, Lsn + 1);
        return true;
    }

    /// <summary>Takes over that the batch after the last one told of was written, if the database has it: its process
    /// was killed before it could tell.</summary>
    public bool FollowUntold(Database database)
    {
        if (!database.FindTable(Table)!.TryGet(TestDatabase.Bytes(NumberKey), out ValueLease lease))
            return false;
        using (lease)
        {
            string text = System.Text.Encoding.UTF8.GetString(lease.Span);
            if (ulong.Parse(text, CultureInfo.InvariantCulture) != Number + 1)
                return false;
            Follow(Number + 1, lease.Version, Lsn + 1);
            return true;
        }
    }

    /// <summary>Compares with the database, read in every way.</summary>
    public void Check(Database database, Random random)
    {
        Assert.True(
            database.AppliedPosition.Lsn >= Lsn,
            $"{Table}: entry {Lsn} was acknowledged, the log ends with {database.AppliedPosition.Lsn}");
        Table table = database.FindTable(Table) ?? throw new InvalidOperationException($"{Table} is lost");
        List<(string Key, string Value)> expected = State.Walk(Table, NowMs);
        Assert.Equal(expected, TestDatabase.Walk(table));
        List<(string Key, string Value)> reverse = TestDatabase.Walk(table, new ScanRange { Reverse = true });
        reverse.Reverse();
        Assert.Equal(expected, reverse);
        foreach ((string key, string value) in expected)
            Assert.Equal(value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key))));
        for (int probe = 0; probe < 20; probe++)
        {
            string key = HistoryBatch.NextKey(random);
            Assert.Equal(State.Find(Table, key, NowMs)?.Value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key))));
        }
    }

    private ulong NumberIn(HistoryState state) =>
        state.Find(Table, NumberKey, NowMs) is { } cell ? ulong.Parse(cell.Value, CultureInfo.InvariantCulture) : 0;

    private (HistoryBatch Batch, WriteDurability Durability, bool IsIngest) Next()
    {
        var random = new Random(unchecked((seed * 31) + (thread * 7_654_321) + ((int)Number * 1_000_003)));
        int maxValueBytes = random.Next(40) == 0 ? 60_000 : 1200;
        WriteDurability durability = random.Next(12) == 0 ? WriteDurability.Synced : WriteDurability.Memory;
        if (random.Next(150) == 0)
            return (HistoryBatch.NextIngest(random, Table, maxValueBytes), durability, true);
        var shape = new HistoryShape(maxValueBytes, MinLifetimeMs, int.MaxValue);
        return (HistoryBatch.Next(random, State, NowMs, shape), durability, false);
    }
}
