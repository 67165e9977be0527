using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>A random history on a simulated disk. It knows the state after each entry of the log, and which entries
/// may not be lost any more.</summary>
internal sealed class RandomHistory : IDisposable
{
    private const string Outside = "/data/outside";

    private readonly Random _random;
    private readonly SimulatedFileSystem _disk;
    private readonly FakeTimeProvider _time;
    private readonly List<HistoryState> _states = [HistoryState.Empty];
    private readonly HistoryShape? _shape;
    private readonly HistoryFilter? _filter;
    private Database? _database;
    private ulong _durable;
    private int _ingests;

    /// <summary>The state after the entry that is being written, by the entry's version.</summary>
    private Func<ulong, HistoryState>? _attempt;

    /// <summary>The same of an entry whose outcome is not known. Nothing can be written before the database is opened
    /// anew.</summary>
    private Func<ulong, HistoryState>? _unknown;

    /// <summary>A history that has not begun.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="shape">How its batches look; null: as usual.</param>
    /// <param name="mayFilter">Whether its compactions may have a filter, whose writes come by themselves.</param>
    public RandomHistory(int seed, SimulatedFileSystem disk, HistoryShape? shape = null, bool mayFilter = false)
    {
        _shape = shape;
        _random = new Random(seed);
        _disk = disk;
        _time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        Options = RandomOptions.Next(_random, "/log/db");
        disk.CreateDirectory("/log");
        disk.CreateDirectory(Outside);
        if (!mayFilter || _random.Next(2) == 0)
            return;

        // What the filter wrote is read from the log.
        _filter = new HistoryFilter();
        Options = Options with { LogRetentionBytes = 64 << 20 };
    }

    public DatabaseOptions Options { get; }

    public FakeTimeProvider Time => _time;

    public ulong NowMs => (ulong)_time.GetUtcNow().ToUnixTimeMilliseconds();

    public Database Database => _database ?? throw new InvalidOperationException("The database is not open.");

    public HistoryState State => _states[^1];

    /// <summary>The state after each entry of the log, from entry 0 on: nothing.</summary>
    public IReadOnlyList<HistoryState> States => _states;

    /// <summary>The last entry that was acknowledged as durable, or that the database says is.</summary>
    public ulong DurableLsn => Math.Max(_durable, _database?.DurableLsn ?? 0);

    /// <summary>Whether the outcome of the last write is not known.</summary>
    public bool IsUnknown => _unknown is not null;

    /// <summary>Whether it could be opened.</summary>
    public bool IsOpen => _database is not null;

    /// <summary>What was done besides plain writes.</summary>
    public HistoryCounts Counts { get; } = new();

    /// <summary>Opens the database: all that was acknowledged is there, and perhaps the entry whose outcome was not
    /// known.</summary>
    public void Open()
    {
        _database = TestDatabase.Open(_disk, Options, _time, filter: _filter);
        CatchUp(null);
        LogPosition applied = _database.AppliedPosition;
        if (_unknown is { } unknown && applied.Lsn == (ulong)_states.Count)
            _states.Add(unknown(applied.Timestamp));
        _unknown = null;
        Assert.Equal((ulong)_states.Count - 1, applied.Lsn);
    }

    public void Close()
    {
        _database?.Dispose();
        _database = null;
    }

    /// <summary>Does one thing on a disk that may fail.</summary>
    /// <returns>What it failed with; null when it did not.</returns>
    public async Task<AiDbException?> TryStepAsync()
    {
        _attempt = null;
        try
        {
            if (_database is null)
                Open();
            else
                await StepAsync();
            return null;
        }
        catch (AiDbException error)
        {
            if (error.Kind == AiDbErrorKind.OutcomeUnknown && _attempt is not null)
            {
                Assert.True(_unknown is null, "two writes are unknown");
                _unknown = _attempt;
            }

            return error;
        }
    }

    /// <summary>Does one thing.</summary>
    public async Task StepAsync()
    {
        if (State.Tables.Count == 0)
        {
            CreateTable();
            return;
        }

        switch (_random.Next(100))
        {
            case < 64:
                Write();
                break;
            case < 68:
                await IngestAsync();
                break;
            case < 72:
                RunTransaction();
                break;
            case < 77:
                _time.Advance(TimeSpan.FromMilliseconds(_random.Next(600)));
                break;
            case < 85:
                await Database.FlushAsync();
                break;
            case < 88:
                await Database.CompactAsync();
                break;
            case < 91:
                await Database.SyncAsync();
                _durable = Database.AppliedPosition.Lsn;
                break;
            case < 93:
                CreateTable();
                break;
            case < 95:
                DropTable();
                break;
            case < 96:
                Begin(_ => State);
                Database.BeginEpoch(Database.Epoch + (ulong)_random.Next(1, 3));
                CatchUp(static entry => !HistoryFilter.IsDecision(entry));
                Add(State);
                NoteDurable();
                break;
            default:
                Close();
                Open();
                break;
        }

        CatchUp(null);
    }

    /// <summary>Whether a database that was opened on what is left of the disk is one that this history may leave
    /// behind: exactly the state after one entry, not before the last durable one.</summary>
    /// <returns>That entry.</returns>
    public ulong Check(Database recovered, ulong durable, Random random)
    {
        CatchUp(null);
        ulong lsn = recovered.AppliedPosition.Lsn;
        Assert.InRange(lsn, durable, (ulong)_states.Count - (_unknown is null ? 1ul : 0));
        HistoryState expected = lsn < (ulong)_states.Count
            ? _states[(int)lsn]
            : _unknown!(recovered.AppliedPosition.Timestamp);
        expected.Check(recovered, Math.Max(NowMs, recovered.AppliedPosition.Timestamp >> 16), random);
        return lsn;
    }

    public void Dispose() => _database?.Dispose();

    private void Write()
    {
        HistoryBatch batch = HistoryBatch.Next(_random, State, NowMs, _shape);
        bool synced = _random.Next(4) == 0;
        Begin(version => batch.Apply(State, version));
        WriteResult result = Database.TryWrite(
            batch.ToWriteBatch(Database), synced ? WriteDurability.Synced : WriteDurability.Memory);
        CatchUp(entry => entry.Position.Lsn == result.Lsn);
        Assert.Equal(batch.Holds(State, result.Applied ? result.Version >> 16 : NowMs), result.Applied);
        Add(result.Applied ? batch.Apply(State, result.Version) : State);
        CatchUp(null);
        Assert.Equal((ulong)_states.Count - 1, Database.AppliedPosition.Lsn);
        if (synced)
            NoteDurable();
    }

    /// <summary>One write of one or two files.</summary>
    private async Task IngestAsync()
    {
        string name = State.Tables.Keys.ElementAt(_random.Next(State.Tables.Count));
        Table table = Database.FindTable(name)!;
        HistoryBatch batch = HistoryBatch.NextIngest(_random, name, (_shape ?? HistoryShape.Default).MaxValueBytes);
        string path = $"{Outside}/{_ingests++}";
        batch.WriteFile(_disk, path, table);
        Begin(version => batch.Apply(State, version));
        WriteResult result = await Database.IngestAsync(table, [path], copy: _random.Next(2) == 0);
        Assert.True(result.Applied);
        CatchUp(entry => entry.Position.Lsn == result.Lsn);
        Add(batch.Apply(State, result.Version));
        NoteDurable();
        Counts.Ingests++;
    }

    /// <summary>A transaction, into which another write may come.</summary>
    private void RunTransaction()
    {
        _attempt = null;
        var isolation = (TransactionIsolation)_random.Next(2);
        using Transaction transaction = Database.BeginTransaction(new TransactionOptions
        {
            Isolation = isolation,
            Durability = _random.Next(4) == 0 ? WriteDurability.Synced : WriteDurability.Memory,
        });
        var model = new HistoryTransaction(State, NowMs, isolation, transaction.ReadPosition.Timestamp);
        foreach (HistoryOperation operation in HistoryBatch.NextTransaction(_random, State, _shape))
            model.Do(Database, transaction, operation);
        if (_random.Next(3) == 0)
            Write();
        _attempt = null;
        if (model.Writes)
            Begin(version => model.Holds(State, version >> 16) ? model.Apply(State, version) : State);
        try
        {
            WriteResult result = transaction.Commit();
            if (!model.Writes)
                return;
            CatchUp(entry => entry.Position.Lsn == result.Lsn);
            Assert.True(model.Holds(State, result.Version >> 16), "a commit that lost a race was taken");
            Add(model.Apply(State, result.Version));
            Counts.Commits++;
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
        {
            // The entry is in the log and changes nothing.
            CatchUp(static entry => !HistoryFilter.IsDecision(entry));
            Assert.False(model.Holds(State, NowMs), "a commit without a conflict was refused");
            Add(State);
            Counts.Conflicts++;
        }

        CatchUp(null);
        Assert.Equal((ulong)_states.Count - 1, Database.AppliedPosition.Lsn);
    }

    private void CreateTable()
    {
        string name = "t" + _random.Next(3);
        bool exists = State.Tables.ContainsKey(name);
        if (!exists)
            Begin(_ => State.WithTable(name));
        Database.GetOrCreateTable(name, HistoryBatch.MergeOperator);
        if (exists)
            return;
        CatchUp(static entry => !HistoryFilter.IsDecision(entry));
        Add(State.WithTable(name));
        NoteDurable();
    }

    private void DropTable()
    {
        string name = "t" + _random.Next(3);
        bool exists = State.Tables.ContainsKey(name);
        if (exists)
            Begin(_ => State.WithoutTable(name));
        Assert.Equal(exists, Database.DropTable(name));
        if (!exists)
            return;
        CatchUp(static entry => !HistoryFilter.IsDecision(entry));
        Add(State.WithoutTable(name));
        NoteDurable();
    }

    /// <summary>Takes over what the compaction filter wrote since, up to the history's own entry.</summary>
    private void CatchUp(Func<LogEntry, bool>? isOwn)
    {
        if (_filter is null || _database is null || Database.AppliedPosition.Lsn < (ulong)_states.Count)
            return;

        // A tail shows what is durable.
        Database.SyncAsync().AsTask().GetAwaiter().GetResult();
        using LogTail tail = Database.TailLog((ulong)_states.Count);
        while (tail.TryRead(out LogEntry entry))
        {
            if (isOwn is not null && isOwn(entry))
                return;
            Assert.True(HistoryFilter.IsDecision(entry), $"nobody wrote entry {entry.Position}");
            Add(_filter.Apply(State, Database, entry));
            Counts.FilterBatches++;
        }
    }

    /// <summary>States what an entry would do, before it is written: the state is the one of that moment.</summary>
    private void Begin(Func<ulong, HistoryState> attempt) => _attempt = attempt;

    private void Add(HistoryState state)
    {
        Assert.True(_unknown is null, "a write was taken after one whose outcome is not known");
        _states.Add(state);
    }

    private void NoteDurable() => _durable = (ulong)_states.Count - 1;
}
