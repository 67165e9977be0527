using System.Collections.Concurrent;
using AiDb.Engine;
using AiDb.Tests.Engine;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Replication;

/// <summary>Writers against groups whose voters are killed, lose power, are cut off and replaced as primaries, over real engines:
/// nothing acknowledged is lost, nothing that failed for sure appears, and the copies end up equal.</summary>
public sealed class ReplicaDriverFuzzTests(ITestOutputHelper output)
{
    private const int Writers = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Acknowledged_writes_survive_whatever_happens_to_a_minority()
    {
        int runs = Environment.GetEnvironmentVariable("AIDB_EVIDENCE") == "long" ? 200 : 4;
        for (int run = 0; run < runs; run++)
        {
            int seed = TestSeed.Base + (run * 1000);
            try
            {
                await RunAsync(seed).WaitAsync(TimeSpan.FromMinutes(3));
            }
            catch (Exception error)
            {
                throw new InvalidOperationException(
                    $"Seed {seed} failed at {_doing} (AIDB_TEST_SEED={seed} repeats its choices).", error);
            }
        }
    }

    private string _doing = "";

    private async Task RunAsync(int seed)
    {
        var random = new Random(seed);
        var options = TestDatabase.Tiny with
        {
            LogRetentionBytes = random.Next(3) == 0 ? 0 : 1 << 20,
            DefaultDurability = WriteDurability.Synced,
        };
        await using var group = new ReplicaGroup(random.Next(2) == 0 ? 3 : 5, seed, options, reopens: true);
        string[] ids = [.. group.Nodes.Select(node => node.Identity.NodeId)];
        var history = new WrittenHistory();
        using var ended = new CancellationTokenSource();
        ReplicaGroup.Node primary = await group.ElectAsync(ids[0]);
        history.Primary = primary;
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(i => history.WriteAsync(i, seed, ended.Token))];
        HashSet<string> down = [];
        for (int step = 0; step < 40; step++)
        {
            if (writers.FirstOrDefault(writer => writer.IsFaulted) is { } failed)
                await failed;
            await Task.Delay(random.Next(5, 60));
            string id = ids[random.Next(ids.Length)];
            int action = random.Next(6);
            _doing = $"step {step}, action {action} on '{id}'";
            switch (action)
            {
                case 0 or 1 when down.Count < (ids.Length - 1) / 2 && !down.Contains(id):
                    down.Add(id);
                    group[id].Kill(losesPower: random.Next(2) == 0);
                    break;
                case 2 when down.Remove(id):
                    group[id].Start();
                    break;
                case 3 when down.Count < (ids.Length - 1) / 2 && !down.Contains(id):
                    group.Cut(id);
                    await Task.Delay(random.Next(200));
                    group.Cut(id, isCut: false);
                    break;
                default:
                    await group.InstallSnapshotsAsync(primary);
                    break;
            }

            _doing = $"step {step}, electing";
            if (primary.Driver is not { Phase: not null, SteppedDown.IsCompleted: false } || random.Next(12) == 0)
                history.Primary = primary = await ElectAnyAsync(group, ids, down, random);
        }

        _doing = "the end: starting all";
        foreach (string id in down)
            group[id].Start();
        primary = await ElectAnyAsync(group, ids, [], random);
        _doing = "the end: writers";
        await ended.CancelAsync();
        await Task.WhenAll(writers);
        await primary.PutAsync("end", "end");
        _doing = "the end: settling";
        await SettleAsync(group, primary);
        history.Check(primary);
        output.WriteLine(
            $"seed {seed}: {ids.Length} voters, {group.Epoch} epochs, {history.Acknowledged} acknowledged, {history.Unknown} unknown, "
            + $"log from {primary.Database!.Replica!.FirstLsn} to {primary.Database.Replica.LastLsn}");
        Assert.True(history.Acknowledged > 0);
    }

    private static async Task<ReplicaGroup.Node> ElectAnyAsync(
        ReplicaGroup group, string[] ids, HashSet<string> down, Random random)
    {
        for (int attempt = 0; ; attempt++)
        {
            string[] up = [.. ids.Where(id => !down.Contains(id))];
            try
            {
                return await group.ElectAsync(up[random.Next(up.Length)]);
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted && attempt < 40)
            {
                // One whose log ends before the others' begin cannot lead; another can.
            }
        }
    }

    private static async Task SettleAsync(ReplicaGroup group, ReplicaGroup.Node primary)
    {
        List<(string, string)> expected = primary.All();
        for (int wait = 0; group.Nodes.Any(node => !node.All().SequenceEqual(expected)); wait++)
        {
            if (group.Fault is { } fault)
                throw new InvalidOperationException("A replica could not be opened anew.", fault);
            if (wait == 600)
                Assert.Fail("The copies do not become equal: " + group.Describe());
            await group.InstallSnapshotsAsync(primary);
            await Task.Delay(50);
        }
    }

    /// <summary>What the writers did: each writes growing numbers to keys of its own, one at a time.</summary>
    private sealed class WrittenHistory
    {
        private readonly ConcurrentDictionary<string, (int Acknowledged, int Attempted)> _keys = new();
        private volatile ReplicaGroup.Node? _primary;
        private int _acknowledged;
        private int _unknown;

        public ReplicaGroup.Node? Primary
        {
            get => _primary;
            set => _primary = value;
        }

        public int Acknowledged => _acknowledged;

        public int Unknown => _unknown;

        public async Task WriteAsync(int writer, int seed, CancellationToken ended)
        {
            var random = new Random(seed + writer);
            for (int number = 1; !ended.IsCancellationRequested; number++)
            {
                string key = $"{writer}-{random.Next(20)}";
                (int acknowledged, int attempted) = _keys.GetValueOrDefault(key);
                try
                {
                    ReplicaGroup.Node node = Primary!;
                    try
                    {
                        await node.PutAsync(key, number + new string('.', random.Next(300))).AsTask().WaitAsync(Patience);
                    }
                    catch (TimeoutException error)
                    {
                        throw new InvalidOperationException(
                            $"A write to '{node.Identity.NodeId}' is never answered: {node.Driver?.Phase}, "
                            + $"{node.Driver?.SteppedDown.Status}, {node.Database?.Replica?.Failure}", error);
                    }

                    _keys[key] = (number, number);
                    Interlocked.Increment(ref _acknowledged);
                }
                catch (AiDbException error) when (error.Kind == AiDbErrorKind.OutcomeUnknown)
                {
                    _keys[key] = (acknowledged, number);
                    Interlocked.Increment(ref _unknown);
                }
                catch (Exception error) when (error is AiDbException or ObjectDisposedException or NullReferenceException
                    or AiDb.Tests.Engine.Storage.SimulatedCrashException)
                {
                    // Refused, or the node is not there: what a crash left of it is not known.
                    if (error is not AiDbException)
                        _keys[key] = (acknowledged, Math.Max(attempted, number));
                    await Task.Delay(5, CancellationToken.None);
                }
            }
        }

        public void Check(ReplicaGroup.Node primary)
        {
            foreach ((string key, (int acknowledged, int attempted)) in _keys)
            {
                int found = primary.Get(key) is { } text ? int.Parse(text.TrimEnd('.')) : 0;
                Assert.True(
                    found >= acknowledged && found <= attempted,
                    $"{key} is {found}, acknowledged was {acknowledged}, attempted {attempted}");
            }
        }
    }
}
