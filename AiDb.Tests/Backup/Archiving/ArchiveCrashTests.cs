using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

/// <summary>Random histories of primaries that archive, delete garbage, are killed at any step of it, lose answers, and
/// are replaced while they go on: after each of these, what is restored is a prefix without holes that has every write
/// that was called archived, and nothing that is reached is gone.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class ArchiveCrashTests
{
    private const int Steps = 90;

    [Fact]
    public async Task Every_restore_after_any_crash_is_a_prefix_without_holes_and_nothing_reached_is_deleted()
    {
        int wanted = EvidenceRun.Scale(200, 20_000);
        var totals = new Totals();
        int histories = 0;
        for (; totals.Crashes + totals.Takeovers < wanted; histories++)
        {
            int seed = TestSeed.Base + (histories * 7919);
            try
            {
                await new History(seed, totals).RunAsync();
            }
            catch (Exception error)
            {
                Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, history {histories} (seed {seed}): {error}");
            }
        }

        EvidenceRun.Report(
            $"archive: {histories} histories, {totals.Crashes} crashes, {totals.Takeovers} primaries replaced, "
            + $"{totals.ZombieSteps} steps of replaced ones, {totals.LostAnswers} lost answers, {totals.Deleted} objects deleted, "
            + $"{totals.Restores} restores; seed {TestSeed.Base}");
        Assert.True(totals.Deleted > 0, "nothing was ever deleted");
        Assert.True(totals.Stopped > 0, "no replaced primary ever noticed");
        Assert.True(totals.LostAnswers > 0, "no answer was ever lost");
    }

    private sealed class Totals
    {
        public int Crashes { get; set; }

        public int Takeovers { get; set; }

        public int ZombieSteps { get; set; }

        public int LostAnswers { get; set; }

        public int Stopped { get; set; }

        public int Restores { get; set; }

        public long Deleted { get; set; }
    }

    private sealed class History
    {
        private readonly int _seed;
        private readonly Random _random;
        private readonly Totals _totals;
        private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
        private readonly MemoryBlobStore _store;
        private NumberedPrimary _primary;
        private NumberedPrimary? _zombie;

        /// <summary>What the archive holds until a primary that took it over has stated its first tree, and the epoch of that
        /// claim. It need not be the last primary's: one that was replaced before it stated a tree left nothing there.</summary>
        private Dictionary<int, (ulong Lsn, string Author)> _before = [];
        private ulong _claimed;

        private int _acknowledged;
        private int _author;
        private int _salt;
        private long _crashIn = long.MaxValue;

        public History(int seed, Totals totals)
        {
            _seed = seed;
            _totals = totals;
            _random = new Random(seed);
            _store = new MemoryBlobStore(_time) { Before = (_, _) => BeforeOperation(), After = (_, _) => AfterOperation() };
            var disk = new SimulatedFileSystem(seed);
            disk.CreateDirectory("/data");
            _primary = NumberedPrimary.Open(disk, _store, _time, 1, "a0");
        }

        public async Task RunAsync()
        {
            for (int step = 0; step < Steps; step++)
            {
                if (_random.Next(9) == 0)
                    _crashIn = _random.Next(12);
                try
                {
                    await StepAsync(_primary);
                    NoteArchived();
                }
                catch (SimulatedCrashException)
                {
                    await RestartAsync();
                }
                catch (AiDbException error) when (error.Kind is AiDbErrorKind.Unavailable)
                {
                    NoteArchived();
                }

                if (_zombie is not null)
                    await StepZombieAsync();
                if (_random.Next(30) == 0)
                    await ReplaceAsync();
                if (_random.Next(6) == 0)
                    await CheckAsync();
            }

            _crashIn = long.MaxValue;
            await CheckAsync();
            _primary.Dispose();
            _zombie?.Dispose();
        }

        private async Task StepAsync(NumberedPrimary primary)
        {
            await primary.Archiver.StartAsync();
            switch (_random.Next(20))
            {
                case < 8:
                    for (int count = _random.Next(1, 30); count > 0; count--)
                        primary.Write(_random.Next(400), _random.Next(5) == 0);
                    break;
                case < 9:
                    await primary.Database.FlushAsync();
                    break;
                case < 10:
                    await primary.Database.CompactAsync();
                    break;
                case < 12:
                    _time.Advance(TimeSpan.FromMinutes(_random.Next(1, 900)));
                    break;
                case < 16:
                    await primary.Database.SyncAsync();
                    await primary.Archiver.ShipAsync(isUrgent: _random.Next(3) > 0);
                    break;
                case < 18:
                    await primary.Archiver.SnapshotAsync();
                    break;
                default:
                    await primary.Archiver.CollectAsync();
                    break;
            }
        }

        private void NoteArchived()
        {
            ulong archived = _primary.Archiver.Archived.Lsn;
            foreach ((int number, (ulong lsn, _)) in _primary.Entries)
            {
                if (lsn <= archived)
                    _acknowledged = Math.Max(_acknowledged, number);
            }

            _totals.Deleted += _primary.Archiver.GetStatus().Deleted;
        }

        /// <summary>The process was killed, or the power went; its disk is there.</summary>
        private async Task RestartAsync()
        {
            _totals.Crashes++;
            _crashIn = long.MaxValue;
            NumberedPrimary dead = _primary;
            SimulatedFileSystem disk = _random.Next(2) == 0
                ? dead.Disk.ForkRunning(_seed + _salt++)
                : dead.Disk.Crash();
            Abandon(dead);
            _primary = NumberedPrimary.Open(
                disk, _store, _time, dead.Archiver.Epoch + 1, "a" + ++_author, dead.Entries);
            await CheckAsync();
        }

        /// <summary>The primary's disk is taken for lost: another one is restored and takes the archive over. Sometimes the
        /// old one goes on and does not know.</summary>
        private async Task ReplaceAsync()
        {
            _crashIn = long.MaxValue;
            var reader = new ArchiveReader(_store, NumberedPrimary.Shard);
            if (await QuietAsync(() => reader.ReadNewestAsync()) is null)
                return;
            ulong claimed = await QuietAsync(() => ArchiveOwnership.TakeAsync(reader));
            if (_random.Next(2) == 0 && _primary.Archiver.GetStatus().Manifest is not null)
                await StepZombieAsync(_primary);
            (SimulatedFileSystem disk, RestoreResult result) = await QuietAsync(
                () => NumberedPrimary.RestoreAsync(_store, _time, RestoreTarget.Newest, _seed + _salt++));
            ArchiveOwnership.NoteRestored(disk, NumberedPrimary.Folder, claimed, result.Position.Lsn);
            _before = await QuietAsync(ArchivedEntriesAsync);
            _claimed = claimed;
            _zombie?.Dispose();
            _zombie = _primary;
            _primary = NumberedPrimary.Open(disk, _store, _time, claimed + 1, "a" + ++_author, _before);
            Assert.True(_primary.Written >= _acknowledged, $"{_primary.Written} of {_acknowledged} archived writes are there");
            _totals.Takeovers++;
        }

        private async Task StepZombieAsync(NumberedPrimary? zombie = null)
        {
            zombie ??= _zombie!;
            _totals.ZombieSteps++;
            try
            {
                await StepAsync(zombie);
            }
            catch (AiDbException error) when (error.Kind is AiDbErrorKind.Unavailable)
            {
            }
            catch (AiDbException error) when (error.Kind is AiDbErrorKind.Aborted or AiDbErrorKind.PreconditionFailed
                or AiDbErrorKind.OutcomeUnknown)
            {
                _totals.Stopped++;
            }
            catch (SimulatedCrashException)
            {
                _crashIn = long.MaxValue;
            }

            // What it calls archived, its successor has.
            foreach ((int number, (ulong lsn, string author)) in zombie.Entries)
            {
                if (lsn <= zombie.Archiver.Archived.Lsn && _primary != zombie)
                    Assert.Equal((lsn, author), _primary.Entries[number]);
            }
        }

        private async Task CheckAsync()
        {
            (Action<string, string>? before, Action<string, string>? after) = (_store.Before, _store.After);
            (_store.Before, _store.After) = (null, null);
            var reader = new ArchiveReader(_store, NumberedPrimary.Shard);
            if (await reader.ReadNewestAsync() is { } newest)
            {
                await CheckReachedAsync(reader, newest);
                await CheckRestoreAsync(RestoreTarget.Newest, _acknowledged);
                IReadOnlyList<RestoreRange> ranges = await new RestorePlanner(reader).ListRangesAsync();
                RestoreRange range = ranges[_random.Next(ranges.Count)];
                ulong lsn = range.From.Lsn + (ulong)_random.NextInt64((long)(range.Through.Lsn - range.From.Lsn) + 1);
                await CheckRestoreAsync(new RestoreTarget { Lsn = lsn }, 0);
            }

            (_store.Before, _store.After) = (before, after);
        }

        private async Task CheckRestoreAsync(RestoreTarget target, int least)
        {
            _totals.Restores++;
            (SimulatedFileSystem disk, RestoreResult result) =
                await NumberedPrimary.RestoreAsync(_store, _time, target, _seed + _salt++);
            using Database restored = TestDatabase.Open(disk, NumberedPrimary.Options, _time);
            Assert.Equal(target.Lsn ?? result.Position.Lsn, restored.AppliedPosition.Lsn);

            Dictionary<int, (ulong Lsn, string Author)> entries = await ArchivedEntriesAsync();
            int last = NumberedPrimary.Check(restored, entries);
            Assert.True(last >= least, $"{last} of {least} archived writes are there");
            Assert.Equal(
                entries.Count(entry => entry.Value.Lsn <= restored.AppliedPosition.Lsn), last);
        }

        private async Task<Dictionary<int, (ulong Lsn, string Author)>> ArchivedEntriesAsync()
        {
            ArchiveManifest newest = (await new ArchiveReader(_store, NumberedPrimary.Shard).ReadNewestAsync())!;
            return newest.Id.Epoch <= _claimed ? _before : _primary.Entries;
        }

        /// <summary>Everything that the newest manifest reaches is there.</summary>
        private async Task CheckReachedAsync(ArchiveReader reader, ArchiveManifest newest)
        {
            IReadOnlyDictionary<string, byte[]> objects = _store.Objects;
            List<ArchiveManifest> manifests = [newest];
            foreach (KeptManifest kept in newest.Kept)
                manifests.Add(await reader.ReadManifestAsync(kept.Id));
            foreach (ArchivedFile file in manifests.SelectMany(static manifest => manifest.Files))
                Assert.Contains(ArchiveNames.File(NumberedPrimary.Shard, file), objects.Keys);
        }

        private void BeforeOperation()
        {
            if (_crashIn != long.MaxValue && _crashIn-- <= 0 && _random.Next(2) == 0)
                throw new SimulatedCrashException();
            if (_random.Next(60) == 0)
                throw new AiDbException(AiDbErrorKind.Unavailable, "The store is away.");
        }

        private void AfterOperation()
        {
            if (_crashIn != long.MaxValue && _crashIn <= 0)
                throw new SimulatedCrashException();
            if (_random.Next(30) != 0)
                return;
            _totals.LostAnswers++;
            throw new AiDbException(AiDbErrorKind.Unavailable, "The answer was lost.");
        }

        private async Task<T> QuietAsync<T>(Func<Task<T>> work)
        {
            (Action<string, string>? before, Action<string, string>? after) = (_store.Before, _store.After);
            (_store.Before, _store.After) = (null, null);
            try
            {
                return await work();
            }
            finally
            {
                (_store.Before, _store.After) = (before, after);
            }
        }

        private static void Abandon(NumberedPrimary dead)
        {
            try
            {
                dead.Dispose();
            }
            catch (SimulatedCrashException)
            {
                // Its machine is gone.
            }
        }
    }
}
