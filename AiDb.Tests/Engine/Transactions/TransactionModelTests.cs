using System.Globalization;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Transactions;

/// <summary>Interleaved transactions against a model of what each must see and whether it may commit, and
/// concurrent ones against an invariant.</summary>
public sealed class TransactionModelTests
{
    private const int Keys = 24;

    [Theory]
    [InlineData(TransactionIsolation.Serializable)]
    [InlineData(TransactionIsolation.Snapshot)]
    public async Task Interleaved_transactions_see_their_moment_and_commit_exactly_when_nothing_they_rest_on_changed(
        TransactionIsolation isolation)
    {
        for (int round = 0; round < 3; round++)
        {
            int seed = TestSeed.Base + round;
            try
            {
                await RunAsync(isolation, seed);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}: {error}");
            }
        }
    }

    [Fact]
    public async Task Concurrent_transfers_keep_the_sum_and_every_one_comes_through()
    {
        const int Accounts = 6;
        const int Transfers = 60;
        await using Database database = Database.Open(
            TestDatabase.Folder, TestDatabase.Tiny, new DatabaseComponents { FileSystem = TestDatabase.NewDisk() });
        Table table = database.GetOrCreateTable("accounts");
        for (int account = 0; account < Accounts; account++)
            table.Put(Key(account), Number(100));
        table.Put("count"u8, Number(0));
        var options = new TransactionOptions { MaxAttempts = 10_000 };
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            var random = new Random(TestSeed.Base + worker);
            for (int transfer = 0; transfer < Transfers; transfer++)
            {
                int from = random.Next(Accounts);
                int to = (from + 1 + random.Next(Accounts - 1)) % Accounts;
                await database.RunTransactionAsync(
                    (transaction, _) =>
                    {
                        int left = Parse(transaction.Get(table, Key(from))) - 1;
                        int right = Parse(transaction.Get(table, Key(to))) + 1;
                        transaction.Put(table, Key(from), Number(left));
                        transaction.Put(table, Key(to), Number(right));
                        int count = Parse(transaction.GetForUpdate(table, "count"u8)) + 1;
                        transaction.Put(table, "count"u8, Number(count));
                        return ValueTask.FromResult(count);
                    },
                    options, TestContext.Current.CancellationToken);
            }
        })));
        Assert.Equal(4 * Transfers, Parse(table.Get("count"u8)));
        Assert.Equal(100 * Accounts, Enumerable.Range(0, Accounts).Sum(account => Parse(table.Get(Key(account)))));
    }

    [Fact]
    public async Task Attempts_are_bounded_and_other_errors_are_not_repeated()
    {
        await using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        Table table = database.GetOrCreateTable("t");
        int attempts = 0;
        var options = new TransactionOptions { MaxAttempts = 3, FirstRetryDelay = TimeSpan.Zero };
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        AiDbException conflict = await Assert.ThrowsAsync<AiDbException>(async () => await database.RunTransactionAsync(
            (transaction, _) =>
            {
                transaction.Get(table, "a"u8);
                transaction.Put(table, "b"u8, "1"u8);
                table.Put("a"u8, Number(++attempts));
                return ValueTask.FromResult(0);
            },
            options, cancellationToken));
        Assert.Equal(AiDbErrorKind.Aborted, conflict.Kind);
        Assert.Equal(3, attempts);
        await Assert.ThrowsAsync<AiDbException>(async () => await database.RunTransactionAsync<int>(
            (_, _) =>
            {
                attempts++;
                throw new AiDbException(AiDbErrorKind.NotFound, "no");
            },
            options, cancellationToken));
        Assert.Equal(4, attempts);
    }

    private static async Task RunAsync(TransactionIsolation isolation, int seed)
    {
        var random = new Random(seed);
        using Database database = TestDatabase.Open(new SimulatedFileSystem(seed));
        Table table = database.GetOrCreateTable("t");
        var committed = new SortedDictionary<int, (string Value, int Change)>();
        List<ModelTransaction> open = [];
        int changes = 0;
        int conflicts = 0;
        for (int step = 0; step < 1500; step++)
        {
            if (open.Count < 4 && random.Next(4) == 0)
                open.Add(new ModelTransaction(database.BeginTransaction(new() { Isolation = isolation }), committed));
            if (random.Next(40) == 0)
                await database.FlushAsync();
            if (open.Count == 0)
                continue;
            ModelTransaction chosen = open[random.Next(open.Count)];
            if (random.Next(6) != 0)
            {
                chosen.Step(table, random, isolation);
                continue;
            }

            open.Remove(chosen);
            using Transaction transaction = chosen.Transaction;
            bool allowed = chosen.Own.Count == 0 || chosen.Tracked.All(key =>
                committed.GetValueOrDefault(key) == chosen.Before.GetValueOrDefault(key));
            if (!allowed)
            {
                conflicts++;
                Assert.Equal(AiDbErrorKind.Aborted, Assert.Throws<AiDbException>(() => transaction.Commit()).Kind);
                continue;
            }

            transaction.Commit();
            changes++;
            foreach ((int key, string? value) in chosen.Own)
            {
                // A deleted key is as absent as one that never was.
                if (value is null)
                    committed.Remove(key);
                else
                    committed[key] = (value, changes);
            }
        }

        Assert.True(conflicts > 10 && changes > 10, $"{conflicts} conflicts, {changes} commits");
        Assert.Equal(
            committed.Select(static entry => (Text(entry.Key), entry.Value.Value)), TestDatabase.Walk(table));
    }

    private static string Text(int key) => key.ToString("d4", CultureInfo.InvariantCulture);

    private static byte[] Key(int key) => TestDatabase.Bytes(Text(key));

    private static byte[] Number(int value) => TestDatabase.Bytes(value.ToString(CultureInfo.InvariantCulture));

    private static int Parse(byte[]? value) => int.Parse(TestDatabase.Text(value)!, CultureInfo.InvariantCulture);

    private sealed class ModelTransaction(
        Transaction transaction, SortedDictionary<int, (string Value, int Change)> committed)
    {
        public Transaction Transaction { get; } = transaction;

        public SortedDictionary<int, (string Value, int Change)> Before { get; } = new(committed);

        public SortedDictionary<int, string?> Own { get; } = [];

        public HashSet<int> Tracked { get; } = [];

        public void Step(Table table, Random random, TransactionIsolation isolation)
        {
            bool serializable = isolation == TransactionIsolation.Serializable;
            int key = random.Next(Keys);
            switch (random.Next(8))
            {
                case < 2:
                    string value = new((char)('a' + random.Next(26)), random.Next(1, 400));
                    Transaction.Put(table, Key(key), TestDatabase.Bytes(value));
                    Write(key, value, serializable);
                    break;
                case 2:
                    Transaction.Delete(table, Key(key));
                    Write(key, null, serializable);
                    break;
                case 3:
                    Assert.Equal(See(key), TestDatabase.Text(Transaction.GetUntracked(table, Key(key))));
                    break;
                case 4:
                    Scan(table, random, serializable);
                    break;
                default:
                    Assert.Equal(See(key), TestDatabase.Text(Transaction.Get(table, Key(key))));
                    if (serializable && !Own.ContainsKey(key))
                        Tracked.Add(key);
                    break;
            }
        }

        private void Write(int key, string? value, bool serializable)
        {
            if (!serializable && !Own.ContainsKey(key))
                Tracked.Add(key);
            Own[key] = value;
        }

        private string? See(int key) =>
            Own.TryGetValue(key, out string? own) ? own
            : Before.TryGetValue(key, out (string Value, int Change) stored) ? stored.Value : null;

        private void Scan(Table table, Random random, bool serializable)
        {
            int first = random.Next(Keys);
            int end = first + random.Next(Keys / 2);
            bool reverse = random.Next(2) == 0;
            List<int> expected = [.. Enumerable.Range(first, end - first).Where(key => See(key) is not null)];
            if (reverse)
                expected.Reverse();
            int most = random.Next(1, Keys);
            using TransactionCursor cursor = Transaction.Scan(
                table, new ScanRange { Start = Key(first), End = Key(end), Reverse = reverse });
            foreach (int key in expected.Take(most))
            {
                Assert.True(cursor.MoveNext());
                Assert.Equal(Text(key), TestDatabase.Text(cursor.Key.ToArray()));
                Assert.Equal(See(key), TestDatabase.Text(cursor.Value.ToArray()));
                if (serializable && !Own.ContainsKey(key))
                    Tracked.Add(key);
            }

            if (most > expected.Count)
                Assert.False(cursor.MoveNext());
        }
    }
}
