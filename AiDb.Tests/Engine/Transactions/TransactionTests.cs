using AiDb.Engine;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Transactions;

public sealed class TransactionTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly Database _database;
    private readonly Table _table;

    public TransactionTests()
    {
        _database = TestDatabase.Open(TestDatabase.NewDisk(), time: _time);
        _table = _database.GetOrCreateTable("t");
    }

    public void Dispose() => _database.Dispose();

    [Fact]
    public void A_transaction_reads_its_own_writes_and_nobody_else_does_before_the_commit()
    {
        _table.Put("a"u8, "old"u8);
        _table.Put("b"u8, "b"u8);
        using Transaction transaction = _database.BeginTransaction();
        transaction.Put(_table, "a"u8, "new"u8);
        transaction.Put(_table, "c"u8, "c"u8);
        transaction.Delete(_table, "b"u8);
        Assert.Equal("new", TestDatabase.Text(transaction.Get(_table, "a"u8)));
        Assert.Null(transaction.Get(_table, "b"u8));
        Assert.Equal("c", TestDatabase.Text(transaction.Get(_table, "c"u8)));
        Assert.Equal("old", TestDatabase.Text(_table.Get("a"u8)));
        Assert.Null(_table.Get("c"u8));
        Assert.True(transaction.Commit().Applied);
        Assert.Equal([("a", "new"), ("c", "c")], TestDatabase.Walk(_table));
    }

    [Theory]
    [InlineData("put")]
    [InlineData("delete")]
    [InlineData("appear")]
    public void A_key_that_was_read_and_that_another_changes_is_a_conflict_that_names_it(string change)
    {
        _table.Put("k\n"u8, "1"u8);
        using Transaction transaction = _database.BeginTransaction();
        Assert.NotNull(transaction.Get(_table, "k\n"u8));
        Assert.Null(transaction.Get(_table, "none"u8));
        transaction.Put(_table, "other"u8, "x"u8);
        if (change == "put")
            _table.Put("k\n"u8, "1"u8);
        else if (change == "delete")
            _table.Delete("k\n"u8);
        else
            _table.Put("none"u8, "x"u8);
        AiDbException conflict = Assert.Throws<AiDbException>(() => transaction.Commit());
        Assert.Equal(AiDbErrorKind.Aborted, conflict.Kind);
        Assert.True(conflict.IsRetryable);
        Assert.Contains(change == "appear" ? "'none'" : "'k\\x0a'", conflict.Message, StringComparison.Ordinal);
        Assert.Null(_table.Get("other"u8));
    }

    [Fact]
    public void The_key_in_a_conflicts_message_is_bounded()
    {
        byte[] key = new byte[5000];
        using Transaction transaction = _database.BeginTransaction();
        Assert.Null(transaction.Get(_table, key));
        transaction.Put(_table, "x"u8, "x"u8);
        _table.Put(key, "1"u8);
        AiDbException conflict = Assert.Throws<AiDbException>(() => transaction.Commit());
        Assert.InRange(conflict.Message.Length, 1, 600);
        Assert.Contains("5000 bytes", conflict.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Untracked_reads_and_blind_writes_conflict_with_nothing()
    {
        _table.Put("a"u8, "1"u8);
        using Transaction transaction = _database.BeginTransaction();
        Assert.NotNull(transaction.GetUntracked(_table, "a"u8));
        transaction.Put(_table, "b"u8, "mine"u8);
        _table.Put("a"u8, "2"u8);
        _table.Put("b"u8, "theirs"u8);
        transaction.Commit();
        Assert.Equal([("a", "2"), ("b", "mine")], TestDatabase.Walk(_table));
    }

    [Fact]
    public void Under_snapshot_isolation_written_keys_conflict_and_read_ones_do_not()
    {
        var options = new TransactionOptions { Isolation = TransactionIsolation.Snapshot };
        using Transaction first = _database.BeginTransaction(options);
        using Transaction second = _database.BeginTransaction(options);
        Assert.Null(first.Get(_table, "b"u8));
        Assert.Null(second.Get(_table, "a"u8));
        first.Put(_table, "a"u8, "1"u8);
        second.Put(_table, "b"u8, "1"u8);
        first.Commit();
        second.Commit();

        using Transaction third = _database.BeginTransaction(options);
        third.Put(_table, "a"u8, "2"u8);
        _table.Put("a"u8, "3"u8);
        Assert.Equal(AiDbErrorKind.Aborted, Assert.Throws<AiDbException>(() => third.Commit()).Kind);
    }

    [Fact]
    public void A_read_for_update_fails_at_once_when_its_key_has_changed()
    {
        _table.Put("a"u8, "1"u8);
        using Transaction transaction = _database.BeginTransaction(
            new TransactionOptions { Isolation = TransactionIsolation.Snapshot });
        Assert.NotNull(transaction.GetForUpdate(_table, "a"u8));
        _table.Put("b"u8, "2"u8);
        Assert.Equal(
            AiDbErrorKind.Aborted, Assert.Throws<AiDbException>(() => transaction.GetForUpdate(_table, "b"u8)).Kind);
        transaction.Put(_table, "b"u8, "own"u8);
        Assert.Equal("own", TestDatabase.Text(transaction.GetForUpdate(_table, "b"u8)));
    }

    [Fact]
    public void A_transaction_without_writes_commits_whatever_others_do()
    {
        LogPosition before = _database.AppliedPosition;
        using Transaction transaction = _database.BeginTransaction();
        transaction.Get(_table, "a"u8);
        _table.Put("a"u8, "1"u8);
        WriteResult result = transaction.Commit();
        Assert.Equal(before.Lsn, result.Lsn);
        Assert.Equal(before.Lsn + 1, _database.AppliedPosition.Lsn);
    }

    [Fact]
    public void A_scan_merges_the_own_writes_tracks_what_it_returns_and_ignores_phantoms()
    {
        foreach (string key in (string[])["a", "c", "e", "g"])
            _table.Put(TestDatabase.Bytes(key), "0"u8);
        using (Transaction transaction = _database.BeginTransaction())
        {
            transaction.Put(_table, "b"u8, "1"u8);
            transaction.Put(_table, "c"u8, "1"u8);
            transaction.Delete(_table, "e"u8);
            transaction.Put(_table, "h"u8, "1"u8);
            Assert.Equal("a0 b1 c1 g0 h1", Walk(transaction, default));
            Assert.Equal("h1 g0 c1 b1 a0", Walk(transaction, new ScanRange { Reverse = true }));
            Assert.Equal(
                "c1 b1", Walk(transaction, new ScanRange { Start = "b"u8.ToArray(), End = "g"u8.ToArray(), Reverse = true }));
            Assert.Equal(2, transaction.TrackedKeys);
            _table.Put("d"u8, "phantom"u8);
            _table.Put("c"u8, "hidden by the own write"u8);
            transaction.Commit();
        }

        using Transaction second = _database.BeginTransaction();
        Walk(second, default);
        second.Put(_table, "x"u8, "1"u8);
        _table.Delete("d"u8);
        Assert.Contains("'d'", Assert.Throws<AiDbException>(() => second.Commit()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_expires_between_the_read_and_the_commit_is_a_conflict()
    {
        _table.Put("a"u8, "1"u8, TimeSpan.FromSeconds(1));
        using Transaction transaction = _database.BeginTransaction();
        Assert.NotNull(transaction.Get(_table, "a"u8));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(transaction.Get(_table, "a"u8));
        transaction.Put(_table, "b"u8, "2"u8, TimeSpan.FromSeconds(1));
        Assert.Equal(AiDbErrorKind.Aborted, Assert.Throws<AiDbException>(() => transaction.Commit()).Kind);
    }

    [Fact]
    public void An_ended_transaction_refuses_everything_and_holds_no_snapshot()
    {
        foreach (bool commit in (bool[])[true, false])
        {
            Transaction transaction = _database.BeginTransaction();
            transaction.Put(_table, "a"u8, "1"u8);
            if (commit)
                transaction.Commit();
            else
                transaction.Rollback();
            Assert.Equal(commit, _table.Get("a"u8) is not null);
            Assert.Equal(
                AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => transaction.Get(_table, "a"u8)).Kind);
            Assert.Throws<AiDbException>(() => transaction.Put(_table, "a"u8, "1"u8));
            Assert.Throws<AiDbException>(() => transaction.Commit());
            Assert.Throws<AiDbException>(transaction.Rollback);
            transaction.Dispose();
            _table.Delete("a"u8);
        }
    }

    [Fact]
    public void A_transaction_beyond_the_size_of_a_batch_is_refused_and_stays_usable()
    {
        using Transaction transaction = _database.BeginTransaction();
        byte[] value = new byte[DatabaseOptions.MaxValueBytes];
        transaction.Put(_table, "a"u8, value);
        transaction.Put(_table, "a"u8, value);
        AiDbException refused = Assert.Throws<AiDbException>(() => transaction.Put(_table, "b"u8, value));
        Assert.Equal(AiDbErrorKind.InvalidArgument, refused.Kind);
        transaction.Put(_table, "a"u8, "small"u8);
        Assert.True(transaction.Commit().Applied);
        Assert.Equal([("a", "small")], TestDatabase.Walk(_table));
    }

    [Fact]
    public void Tables_of_another_database_and_invalid_settings_are_refused()
    {
        using Database other = TestDatabase.Open(TestDatabase.NewDisk(1));
        using Transaction transaction = _database.BeginTransaction();
        Table foreign = other.GetOrCreateTable("t");
        Assert.Equal(
            AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => transaction.Get(foreign, "a"u8)).Kind);
        AiDbException invalid = Assert.Throws<AiDbException>(() => _database.BeginTransaction(
            new TransactionOptions { MaxAttempts = 0, LongestRetryDelay = TimeSpan.FromHours(1) }));
        Assert.Contains("MaxAttempts", invalid.Message, StringComparison.Ordinal);
        Assert.Contains("LongestRetryDelay", invalid.Message, StringComparison.Ordinal);
    }

    private string Walk(Transaction transaction, ScanRange range)
    {
        List<string> found = [];
        using TransactionCursor cursor = transaction.Scan(_table, range);
        while (cursor.MoveNext())
            found.Add(TestDatabase.Text(cursor.Key.ToArray()) + TestDatabase.Text(cursor.Value.ToArray()));
        return string.Join(' ', found);
    }
}
