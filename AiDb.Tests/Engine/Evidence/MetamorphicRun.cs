using System.Globalization;
using System.IO.Hashing;
using System.Text;
using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>One history under one set of settings: what is written and read follows from one seed, the settings and what
/// happens besides (flushes, compactions, closing, copies) from another. What is answered is kept line by
/// line and must not depend on the second seed.</summary>
internal sealed class MetamorphicRun : IDisposable
{
    private readonly Random _logical;
    private readonly Random? _physical;
    private readonly SimulatedFileSystem _disk;
    private readonly DatabaseOptions _options;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly List<Snapshot> _snapshots = [];
    private HistoryState _state = HistoryState.Empty;
    private int _ingests;
    private Database _database;

    /// <param name="logicalSeed">Decides what is written and read.</param>
    /// <param name="physicalSeed">Decides the rest; null: default settings, and nothing happens besides.</param>
    public MetamorphicRun(int logicalSeed, int? physicalSeed)
    {
        _logical = new Random(logicalSeed);
        _physical = physicalSeed is { } seed ? new Random(seed) : null;
        _disk = new SimulatedFileSystem(logicalSeed);
        _disk.CreateDirectory("/log");
        _disk.CreateDirectory("/data/outside");

        // The feed is compared from the first entry on.
        _options = (_physical is null ? new DatabaseOptions { LogSegmentBytes = 4 << 20, MemtableBytes = 4 << 20 } : RandomOptions.Next(_physical, "/log/db")) with
        {
            LogRetentionBytes = 64 << 20,
            MinFreeDiskBytes = 0,
        };
        _database = Open();
    }

    public DatabaseOptions Options => _options;

    /// <summary>What was answered.</summary>
    public List<string> Transcript { get; } = [];

    private ulong NowMs => (ulong)_time.GetUtcNow().ToUnixTimeMilliseconds();

    public async Task RunAsync(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            await LogicalStepAsync();
            if (_physical is not null && _physical.Next(6) == 0)
                await PhysicalStepAsync(step);
        }

        ReleaseSnapshots();
        await _database.SyncAsync();
        Feed();
        _state.Check(_database, NowMs, new Random(0));
    }

    public void Dispose()
    {
        ReleaseSnapshots();
        _database.Dispose();
    }

    private Database Open() => TestDatabase.Open(_disk, _options, _time);

    private async Task LogicalStepAsync()
    {
        if (_state.Tables.IsEmpty)
        {
            Create();
            return;
        }

        switch (_logical.Next(100))
        {
            case < 54:
                Write();
                break;
            case < 57:
                await IngestAsync();
                break;
            case < 60:
                RunTransaction();
                break;
            case < 66:
                _time.Advance(TimeSpan.FromMilliseconds(_logical.Next(700)));
                break;
            case < 68:
                Create();
                break;
            case < 69:
                string name = "t" + _logical.Next(3);
                Answer($"drop {name}: {_database.DropTable(name)}");
                _state = _state.WithoutTable(name);
                break;
            case < 73 when _snapshots.Count < 3:
                _snapshots.Add(_database.CreateSnapshot());
                Answer($"snapshot at {_snapshots[^1].Position}");
                break;
            case < 76:
                ReleaseSnapshots();
                break;
            case < 88:
                Scan();
                break;
            default:
                ReadMany();
                break;
        }
    }

    private async Task PhysicalStepAsync(int step)
    {
        switch (_physical!.Next(10))
        {
            case < 5:
                await _database.FlushAsync();
                break;
            case < 7:
                await _database.CompactAsync();
                break;
            case < 8:
                await _database.SyncAsync();
                break;
            case < 9 when _snapshots.Count == 0:
                _database.Dispose();
                _database = Open();
                break;
            default:
                string folder = string.Create(CultureInfo.InvariantCulture, $"/data/copy{step}");
                await _database.CheckpointAsync(folder);
                DatabaseOptions options = RandomOptions.Next(_physical, "/log/copy") with { LogDirectory = null };
                using (Database copy = TestDatabase.Open(_disk, options, _time, path: folder))
                    _state.Check(copy, NowMs, _physical);
                _disk.DeleteDirectory(folder);
                break;
        }
    }

    private void Create()
    {
        string name = "t" + _logical.Next(3);
        Answer($"create {name}: {_database.GetOrCreateTable(name, HistoryBatch.MergeOperator).Id}");
        _state = _state.WithTable(name);
    }

    private void Write()
    {
        HistoryBatch batch = HistoryBatch.Next(_logical, _state, NowMs);
        WriteDurability durability = _logical.Next(3) == 0 ? WriteDurability.Synced : WriteDurability.Memory;
        WriteResult result = _database.TryWrite(batch.ToWriteBatch(_database), durability);
        Answer($"write: {result}");
        if (result.Applied)
            _state = batch.Apply(_state, result.Version);
    }

    private async Task IngestAsync()
    {
        string name = _state.Tables.Keys.ElementAt(_logical.Next(_state.Tables.Count));
        HistoryBatch batch = HistoryBatch.NextIngest(_logical, name, HistoryShape.Default.MaxValueBytes);
        string path = $"/data/outside/{_ingests++}";
        batch.WriteFile(_disk, path, _database.FindTable(name)!);
        WriteResult result = await _database.IngestAsync(_database.FindTable(name)!, [path], copy: _logical.Next(2) == 0);
        Answer($"ingest: {result}");
        _state = batch.Apply(_state, result.Version);
    }

    private void RunTransaction()
    {
        var options = new TransactionOptions { Isolation = (TransactionIsolation)_logical.Next(2) };
        using Transaction transaction = _database.BeginTransaction(options);
        var model = new HistoryTransaction(_state, NowMs, options.Isolation, transaction.ReadPosition.Timestamp);
        foreach (HistoryOperation operation in HistoryBatch.NextTransaction(_logical, _state))
            model.Do(_database, transaction, operation);
        if (_logical.Next(2) == 0)
            Write();
        try
        {
            WriteResult result = transaction.Commit();
            Answer($"commit: {result}");
            if (model.Writes)
                _state = model.Apply(_state, result.Version);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
        {
            Answer($"commit: {error.Message}");
        }
    }

    private void Scan()
    {
        Table table = NextTable();
        Snapshot? snapshot = NextSnapshot();
        string start = _logical.Next(2) == 0 ? "" : HistoryBatch.NextKey(_logical);
        string end = _logical.Next(2) == 0 ? "" : HistoryBatch.NextKey(_logical);
        foreach (bool reverse in new[] { false, true })
        {
            var range = new ScanRange { Start = TestDatabase.Bytes(start), End = TestDatabase.Bytes(end), Reverse = reverse };
            var text = new StringBuilder();
            int limit = _logical.Next(3) == 0 ? _logical.Next(10) : int.MaxValue;
            int count = 0;
            using ScanCursor cursor = table.Scan(range, snapshot);
            while (count < limit && cursor.MoveNext())
            {
                count++;
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"{TestDatabase.Text(cursor.Key.ToArray())}={Hash(cursor.Value)}@{cursor.Version}/{cursor.ExpiresAtMs} ");
            }

            Answer($"scan {table.Name} [{start}, {end}) reverse {reverse} at {snapshot?.Version}: {count}: {text}");
        }
    }

    private void ReadMany()
    {
        Table table = NextTable();
        Snapshot? snapshot = NextSnapshot();
        ReadOnlyMemory<byte>[] keys = [.. Enumerable.Range(0, _logical.Next(1, 12))
            .Select(_ => (ReadOnlyMemory<byte>)TestDatabase.Bytes(HistoryBatch.NextKey(_logical)))];
        var values = new ValueLease[keys.Length];
        table.MultiGet(keys, values, snapshot);
        for (int index = 0; index < keys.Length; index++)
        {
            using ValueLease many = values[index];
            bool found = table.TryGet(keys[index].Span, out ValueLease one, snapshot);
            using (one)
            {
                Assert.Equal(found, many.Found);
                string key = TestDatabase.Text(keys[index].ToArray())!;
                if (!found)
                {
                    Answer($"get {table.Name} {key} at {snapshot?.Version}: nothing");
                    continue;
                }

                Assert.True(one.Span.SequenceEqual(many.Span));
                Answer($"get {table.Name} {key} at {snapshot?.Version}: {Hash(one.Span)}@{one.Version}/{one.ExpiresAtMs}");
            }
        }
    }

    private void Feed()
    {
        using LogTail tail = _database.TailLog(1);
        while (tail.TryRead(out LogEntry entry))
            Answer($"feed {entry.Position} {entry.Type} {(IsIngest(entry) ? 0 : Hash(entry.Payload.Span))}");
    }

    /// <summary>Whether the payload is the ids of files, which are others each time.</summary>
    private static bool IsIngest(LogEntry entry)
    {
        var operations = new LogOperationReader(entry.Payload.Span);
        return entry.Type == LogRecordType.Batch && operations.MoveNext() && operations.Kind == LogOperationKind.Ingest;
    }

    private Table NextTable() => _database.FindTable(_state.Tables.Keys.ElementAt(_logical.Next(_state.Tables.Count)))!;

    private Snapshot? NextSnapshot() =>
        _logical.Next(2) == 0 || _snapshots.Count == 0 ? null : _snapshots[_logical.Next(_snapshots.Count)];

    private void ReleaseSnapshots()
    {
        foreach (Snapshot snapshot in _snapshots)
            snapshot.Dispose();
        _snapshots.Clear();
    }

    private void Answer(FormattableString line) => Transcript.Add(line.ToString(CultureInfo.InvariantCulture));

    private static ulong Hash(ReadOnlySpan<byte> bytes) => XxHash3.HashToUInt64(bytes);
}
