using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine;

/// <summary>Random histories against a sorted dictionary, the same ones under different options.</summary>
public sealed class DatabaseModelTests
{
    public static TheoryData<string> OptionSets => new(
        "tiny", "plain", "one-table-levels", "no-cache-no-filter", "separated", "partitions", "prefixes", "big");

    [Theory]
    [MemberData(nameof(OptionSets))]
    public async Task A_random_history_reads_like_a_sorted_dictionary(string optionSet)
    {
        DatabaseOptions options = optionSet switch
        {
            "tiny" => TestDatabase.Tiny,
            "plain" => TestDatabase.Tiny with { Compression = BlockCompression.None, BlockBytes = 4096 },
            "one-table-levels" => TestDatabase.Tiny with { Level1Bytes = 16 << 10, Level0CompactionTrigger = 1 },
            "separated" => TestDatabase.Tiny with { SeparateValuesFromBytes = 300 },
            "partitions" => TestDatabase.Tiny with { IndexPartitionBytes = 256, BlockCacheBytes = 256 << 10 },
            "prefixes" => TestDatabase.Tiny with
            {
                IndexPartitionBytes = 256,
                FilterPrefix = FilterPrefix.FixedLength(5),
                FilterBitsPerKey = 16,
            },
            "no-cache-no-filter" => TestDatabase.Tiny with { BlockCacheBytes = 0, FilterBitsPerKey = 0 },
            _ => new DatabaseOptions { MinFreeDiskBytes = 0, MemtableBytes = 1 << 20, BlockCacheBytes = 1 << 20 },
        };
        for (int round = 0; round < 2; round++)
        {
            int seed = TestSeed.Base + round;
            try
            {
                var history = new ModelHistory(options, seed);
                await history.RunAsync(800);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, options {optionSet}: {error}");
            }
        }
    }
}

/// <summary>One random history: the database and, beside it, what it should hold.</summary>
internal sealed class ModelHistory
{
    private readonly SimulatedFileSystem _disk;
    private readonly DatabaseOptions _options;
    private readonly Random _random;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly List<(Snapshot Snapshot, Dictionary<string, ModelTable> State)> _snapshots = [];
    private readonly WriteBatch _batch = new();
    private Dictionary<string, ModelTable> _model = new(StringComparer.Ordinal);
    private Database _database;

    public ModelHistory(DatabaseOptions options, int seed)
    {
        _options = options;
        _random = new Random(seed);
        _disk = new SimulatedFileSystem(seed);
        _database = Open();
    }

    private ulong NowMs => (ulong)_time.GetUtcNow().ToUnixTimeMilliseconds();

    public async Task RunAsync(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            await StepAsync();
            if (step % 10 == 0)
                CheckPoints(_model, null);
        }

        CheckAll();
        ReleaseSnapshots();
        await _database.CompactAsync();
        CheckAll();
        _database.Dispose();
    }

    private async Task StepAsync()
    {
        switch (_random.Next(100))
        {
            case < 70:
                WriteBatch();
                break;
            case < 78:
                _time.Advance(TimeSpan.FromMilliseconds(_random.Next(400)));
                break;
            case < 82:
                await _database.FlushAsync();
                break;
            case < 83:
                await _database.CompactAsync();
                break;
            case < 87:
                CheckScan(_model, null);
                break;
            case < 91:
                if (_snapshots.Count < 4)
                    _snapshots.Add((_database.CreateSnapshot(), Copy(_model)));
                break;
            case < 94:
                CheckSnapshot();
                break;
            case < 96:
                Reopen();
                break;
            case < 97:
                Drop();
                break;
            default:
                if (_snapshots.Count > 0)
                {
                    _snapshots[0].Snapshot.Dispose();
                    _snapshots.RemoveAt(0);
                }

                break;
        }
    }

    private void WriteBatch()
    {
        _batch.Clear();
        Dictionary<string, ModelTable> next = Copy(_model);
        List<(ModelTable Table, string Key)> written = [];
        bool holds = true;
        for (int count = _random.Next(1, 5); count > 0; count--)
        {
            string name = "t" + _random.Next(2);
            Table table = _database.GetOrCreateTable(name, BuiltInMergeOperators.Append.Name);
            if (!_model.TryGetValue(name, out ModelTable? before))
                _model[name] = before = [];
            if (!next.TryGetValue(name, out ModelTable? after))
                next[name] = after = [];
            if (_random.Next(12) == 0)
            {
                DeleteRange(table, after);
                continue;
            }

            string key = NextKey();
            WriteCondition condition = NextCondition(before, key);
            holds &= before.Holds(condition, key, NowMs);
            switch (_random.Next(15))
            {
                case < 4:
                    string operand = new((char)('A' + _random.Next(26)), _random.Next(1, 30));
                    _batch.Merge(table, TestDatabase.Bytes(key), TestDatabase.Bytes(operand), condition);
                    after.Merge(key, operand, NowMs);
                    written.Add((after, key));
                    break;
                case < 11:
                    string value = new((char)('a' + _random.Next(26)), _random.Next(1500));
                    TimeSpan? lifetime = _random.Next(4) == 0 ? TimeSpan.FromMilliseconds(_random.Next(1, 2000)) : null;
                    _batch.Put(table, TestDatabase.Bytes(key), TestDatabase.Bytes(value), lifetime, condition);
                    after[key] = new ModelValue(value, 0, 0, (ulong)(lifetime?.TotalMilliseconds ?? 0));
                    written.Add((after, key));
                    break;
                case < 14:
                    _batch.Delete(table, TestDatabase.Bytes(key), condition);
                    after.Remove(key);
                    break;
                default:
                    _batch.Require(table, TestDatabase.Bytes(key), condition);
                    break;
            }
        }

        WriteResult result = _database.TryWrite(
            _batch, _random.Next(3) == 0 ? WriteDurability.Synced : WriteDurability.Memory);
        Assert.Equal(holds, result.Applied);
        if (!holds)
            return;
        foreach ((ModelTable table, string key) in written)
        {
            if (table.TryGetValue(key, out ModelValue put) && put.Version == 0)
                table[key] = put with
                {
                    Version = result.Version,
                    ExpiresAtMs = put.LifetimeMs == 0 ? put.ExpiresAtMs : (result.Version >> 16) + put.LifetimeMs,
                    LifetimeMs = 0,
                };
        }

        _model = next;
    }

    private void DeleteRange(Table table, ModelTable after)
    {
        string start = _random.Next(3) == 0 ? "" : NextKey();
        string end = _random.Next(3) == 0 ? "" : _random.Next(2) == 0 ? NextKey() : start + "5";
        if (_random.Next(8) != 0 && (start.Length == 0 || end.Length == 0))
            end = start.Length == 0 ? $"key{_random.Next(40):d3}" : start + "9";
        if (end.Length > 0 && string.CompareOrdinal(start, end) >= 0)
            (start, end) = (end, start + "0");
        _batch.DeleteRange(table, TestDatabase.Bytes(start), TestDatabase.Bytes(end));
        after.DeleteRange(start, end);
    }

    private WriteCondition NextCondition(ModelTable table, string key)
    {
        ulong current = table.VersionOf(key, NowMs);
        return _random.Next(12) switch
        {
            0 => WriteCondition.MustBeAbsent,
            1 => WriteCondition.MustExist,
            2 => WriteCondition.VersionIs(current == 0 ? 1 : current),
            3 => WriteCondition.VersionIsNot(current),
            _ => default,
        };
    }

    private string NextKey() => _random.Next(20) == 0
        ? new string('k', _random.Next(1, 700)) + _random.Next(3)
        : $"key{_random.Next(120):d3}";

    private void CheckAll()
    {
        CheckScan(_model, null);
        foreach ((Snapshot snapshot, Dictionary<string, ModelTable> state) in _snapshots)
            CheckScan(state, snapshot);
    }

    private void CheckSnapshot()
    {
        if (_snapshots.Count == 0)
            return;
        (Snapshot snapshot, Dictionary<string, ModelTable> state) = _snapshots[_random.Next(_snapshots.Count)];
        CheckScan(state, snapshot);
        CheckPoints(state, snapshot);
    }

    private void CheckPoints(Dictionary<string, ModelTable> model, Snapshot? snapshot)
    {
        foreach ((string name, ModelTable expected) in model)
        {
            Table? table = _database.FindTable(name);
            if (table is null || !_model.ContainsKey(name))
                continue;
            for (int probe = 0; probe < 5; probe++)
            {
                string key = NextKey();
                string? value = expected.VersionOf(key, NowMs) == 0 ? null : expected[key].Value;
                Assert.Equal(value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key), snapshot)));
            }
        }
    }

    private void CheckScan(Dictionary<string, ModelTable> model, Snapshot? snapshot)
    {
        foreach ((string name, ModelTable expected) in model)
        {
            if (_database.FindTable(name) is not { } table)
                continue;
            string start = _random.Next(2) == 0 ? "" : NextKey();
            string end = _random.Next(2) == 0 ? "" : NextKey();
            if (_random.Next(3) == 0)
            {
                start = $"key{_random.Next(13):d2}";
                end = start[..^1] + (char)(start[^1] + 1);
            }

            bool reverse = _random.Next(2) == 0;
            List<(string, string)> entries = [.. expected
                .Where(entry => !entry.Value.IsExpired(NowMs))
                .Where(entry => string.CompareOrdinal(entry.Key, start) >= 0)
                .Where(entry => end.Length == 0 || string.CompareOrdinal(entry.Key, end) < 0)
                .Select(entry => (entry.Key, entry.Value.Value))];
            if (reverse)
                entries.Reverse();
            var range = new ScanRange
            {
                Start = TestDatabase.Bytes(start),
                End = TestDatabase.Bytes(end),
                Reverse = reverse,
            };
            Assert.Equal(entries, TestDatabase.Walk(table, range, snapshot));
        }
    }

    private void Reopen()
    {
        ReleaseSnapshots();
        LogPosition before = _database.AppliedPosition;
        _database.Dispose();
        _database = Open();
        Assert.Equal(before, _database.AppliedPosition);
        CheckScan(_model, null);
    }

    private void Drop()
    {
        string name = "t" + _random.Next(2);
        Assert.Equal(_model.ContainsKey(name), _database.DropTable(name));
        _model.Remove(name);

        // A dropped table is gone from snapshots too, and a new one of the name has another id.
        foreach ((_, Dictionary<string, ModelTable> state) in _snapshots)
            state.Remove(name);
    }

    private void ReleaseSnapshots()
    {
        foreach ((Snapshot snapshot, _) in _snapshots)
            snapshot.Dispose();
        _snapshots.Clear();
    }

    private Database Open() => TestDatabase.Open(_disk, _options, _time);

    private static Dictionary<string, ModelTable> Copy(Dictionary<string, ModelTable> model) =>
        model.ToDictionary(entry => entry.Key, entry => new ModelTable(entry.Value), StringComparer.Ordinal);
}

/// <summary>A value. Until its batch is written its version is 0, and its end is a lifetime.</summary>
internal readonly record struct ModelValue(string Value, ulong Version, ulong ExpiresAtMs, ulong LifetimeMs = 0)
{
    public bool IsExpired(ulong nowMs) => ExpiresAtMs != 0 && ExpiresAtMs <= nowMs;
}

/// <summary>What a table should hold.</summary>
internal sealed class ModelTable : SortedDictionary<string, ModelValue>
{
    public ModelTable()
        : base(StringComparer.Ordinal)
    {
    }

    public ModelTable(ModelTable other)
        : base(other, StringComparer.Ordinal)
    {
    }

    /// <summary>Puts an operand behind what there is.</summary>
    public void Merge(string key, string operand, ulong nowMs)
    {
        this[key] = TryGetValue(key, out ModelValue before) && !before.IsExpired(nowMs)
            ? before with { Value = before.Value + operand, Version = 0 }
            : new ModelValue(operand, 0, 0);
    }

    public void DeleteRange(string start, string end)
    {
        foreach (string key in Keys.ToList())
        {
            if (string.CompareOrdinal(key, start) >= 0 && (end.Length == 0 || string.CompareOrdinal(key, end) < 0))
                Remove(key);
        }
    }

    public ulong VersionOf(string key, ulong nowMs) =>
        TryGetValue(key, out ModelValue value) && !value.IsExpired(nowMs) ? value.Version : 0;

    public bool Holds(WriteCondition condition, string key, ulong nowMs)
    {
        ulong current = VersionOf(key, nowMs);
        return condition.Kind switch
        {
            WriteConditionKind.Absent => current == 0,
            WriteConditionKind.Exists => current != 0,
            WriteConditionKind.VersionEquals => current == condition.Version,
            WriteConditionKind.VersionDiffers => current == 0 || current != condition.Version,
            _ => true,
        };
    }
}
