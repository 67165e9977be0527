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
    private Database? _database;

    public RandomHistory(int seed, SimulatedFileSystem disk)
    {
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

    private ulong _durable;

    public void Open() => _database = TestDatabase.Open(_disk, Options, _time);

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
                Database.BeginEpoch(Database.Epoch + (ulong)_random.Next(1, 3));
                _states.Add(State);
                NoteDurable();
                break;
            default:
                Database.Dispose();
                Open();
                Assert.Equal((ulong)_states.Count - 1, Database.AppliedPosition.Lsn);
                break;
        }
    }

    /// <summary>Whether a database that was opened on what is left of the disk is one that this history may leave
    /// behind: exactly the state after one entry, not before the last durable one.</summary>
    /// <returns>That entry.</returns>
    public ulong Check(Database recovered, ulong durable, Random random)
    {
        ulong lsn = recovered.AppliedPosition.Lsn;
        Assert.InRange(lsn, durable, (ulong)_states.Count - 1);
        _states[(int)lsn].Check(recovered, Math.Max(NowMs, recovered.AppliedPosition.Timestamp >> 16), random);
        return lsn;
    }

    public void Dispose() => _database?.Dispose();

    private void Write()
    {
        HistoryBatch batch = HistoryBatch.Next(_random, State, NowMs);
        bool synced = _random.Next(4) == 0;
        WriteResult result = Database.TryWrite(
            batch.ToWriteBatch(Database), synced ? WriteDurability.Synced : WriteDurability.Memory);
        Assert.Equal(batch.Holds(State, result.Applied ? result.Version >> 16 : NowMs), result.Applied);
        _states.Add(result.Applied ? batch.Apply(State, result.Version) : State);
        Assert.Equal((ulong)_states.Count - 1, Database.AppliedPosition.Lsn);
        if (synced)
            NoteDurable();
    }

    private void CreateTable()
    {
        string name = "t" + _random.Next(3);
        bool exists = State.Tables.ContainsKey(name);
        Database.GetOrCreateTable(name);
        if (exists)
            return;
        _states.Add(State.WithTable(name));
        NoteDurable();
    }

    private void DropTable()
    {
        string name = "t" + _random.Next(3);
        bool exists = State.Tables.ContainsKey(name);
        Assert.Equal(exists, Database.DropTable(name));
        if (!exists)
            return;
        _states.Add(State.WithoutTable(name));
        NoteDurable();
    }

    private void NoteDurable() => _durable = (ulong)_states.Count - 1;
}
