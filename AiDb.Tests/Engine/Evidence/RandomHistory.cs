using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>A random history on a simulated disk. It knows the state after each entry of the log, and which entries
/// may not be lost any more.</summary>
internal sealed class RandomHistory : IDisposable
{
    private readonly Random _random;
    private readonly SimulatedFileSystem _disk;
    private readonly FakeTimeProvider _time;
    private readonly List<HistoryState> _states = [HistoryState.Empty];
    private readonly HistoryShape? _shape;
    private Database? _database;
    private ulong _durable;

    /// <summary>The state after the entry that is being written, by the entry's version.</summary>
    private Func<ulong, HistoryState>? _attempt;

    /// <summary>The same of an entry whose outcome is not known. Nothing can be written before the database is opened
    /// anew.</summary>
    private Func<ulong, HistoryState>? _unknown;

    /// <summary>A history that has not begun.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="shape">How its batches look; null: as usual.</param>
    public RandomHistory(int seed, SimulatedFileSystem disk, HistoryShape? shape = null)
    {
        _shape = shape;
        _random = new Random(seed);
        _disk = disk;
        _time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        Options = RandomOptions.Next(_random, "/log/db");
        disk.CreateDirectory("/log");
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

    /// <summary>Opens the database: all that was acknowledged is there, and perhaps the entry whose outcome was not
    /// known.</summary>
    public void Open()
    {
        _database = TestDatabase.Open(_disk, Options, _time);
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
            case < 72:
                Write();
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
                Add(State);
                NoteDurable();
                break;
            default:
                Close();
                Open();
                break;
        }
    }

    /// <summary>Whether a database that was opened on what is left of the disk is one that this history may leave
    /// behind: exactly the state after one entry, not before the last durable one.</summary>
    /// <returns>That entry.</returns>
    public ulong Check(Database recovered, ulong durable, Random random)
    {
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
        Assert.Equal(batch.Holds(State, result.Applied ? result.Version >> 16 : NowMs), result.Applied);
        Add(result.Applied ? batch.Apply(State, result.Version) : State);
        Assert.Equal((ulong)_states.Count - 1, Database.AppliedPosition.Lsn);
        if (synced)
            NoteDurable();
    }

    private void CreateTable()
    {
        string name = "t" + _random.Next(3);
        bool exists = State.Tables.ContainsKey(name);
        if (!exists)
            Begin(_ => State.WithTable(name));
        Database.GetOrCreateTable(name);
        if (exists)
            return;
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
        Add(State.WithoutTable(name));
        NoteDurable();
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
