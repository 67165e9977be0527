using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Databases one of whose files was changed: with checksums made right again, so that every parser behind one
/// is reached, at random, and bit by bit.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class FileFuzzTests
{
    /// <summary>Far above what opening a small database takes, and far below what a length that was believed would.</summary>
    private const long MaxAllocatedBytes = 96 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_file_with_forged_contents_ends_in_a_named_error_or_in_answers()
    {
        int cases = EvidenceRun.Scale(2_000, 200_000);
        var kinds = new SortedDictionary<string, (int Cases, int Noticed)>(StringComparer.Ordinal);
        await RunAsync(cases, kinds, Forgery.Forge, mustBeRight: false);
        Report("forged files", kinds);
        Assert.All(kinds, kind => Assert.InRange(kind.Value.Noticed, 1, kind.Value.Cases));
    }

    [Fact]
    public async Task A_file_with_random_damage_ends_in_a_named_error_or_in_right_answers()
    {
        int cases = EvidenceRun.Scale(800, 40_000);
        var kinds = new SortedDictionary<string, (int Cases, int Noticed)>(StringComparer.Ordinal);
        await RunAsync(cases, kinds, Damage, mustBeRight: true);
        Report("damaged files", kinds);
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_noticed_or_does_no_harm()
    {
        FuzzDatabase database = await FuzzDatabase.MakeAsync(TestSeed.Base);
        var random = new Random(TestSeed.Base);
        int stride = EvidenceRun.IsLong ? 1 : 23;
        long flips = 0;
        long noticed = 0;
        foreach (string path in database.Files())
        {
            int length = MeaningfulBytes(path, database.Disk.ReadRaw(path));
            for (int at = random.Next(Math.Min(stride, length)); at < length; at += stride)
            {
                SimulatedFileSystem copy = database.Disk.Clone(TestSeed.Base + at);
                byte mask = (byte)(1 << random.Next(8));
                copy.FlipBits(path, at, mask);
                noticed += await UseAsync(database, copy, true, random, $"{path}, byte {at} xor {mask}") ? 1 : 0;
                flips++;
            }
        }

        EvidenceRun.Report($"bit flips: {flips}, {noticed} noticed, the others without effect; seed {TestSeed.Base}");
        Assert.True(noticed > flips / 2, $"only {noticed} of {flips} flips were noticed");
    }

    [Fact]
    public void A_batch_of_arbitrary_bytes_is_refused_or_read_to_its_end()
    {
        var random = new Random(TestSeed.Base);
        int cases = EvidenceRun.Scale(100_000, 5_000_000);
        int whole = 0;
        byte[] bytes = new byte[200];
        for (int round = 0; round < cases; round++)
        {
            Span<byte> payload = bytes.AsSpan(0, random.Next(bytes.Length));
            for (int at = 0; at < payload.Length; at++)
                payload[at] = (byte)(random.Next(3) == 0 ? random.Next(256) : random.Next(6));
            try
            {
                var reader = new LogOperationReader(payload);
                int operations = 0;
                while (reader.MoveNext())
                    Assert.True(++operations <= payload.Length, "it does not come to an end");
                whole++;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
            {
                // As it should.
            }
        }

        EvidenceRun.Report($"batch payloads: {cases}, {whole} of them well formed by chance; seed {TestSeed.Base}");
        Assert.InRange(whole, 1, cases - 1);
    }

    private static async Task RunAsync(
        int cases, SortedDictionary<string, (int Cases, int Noticed)> kinds, Func<string, byte[], Random, byte[]> change,
        bool mustBeRight)
    {
        for (int done = 0; done < cases;)
        {
            int seed = TestSeed.Base + done;
            FuzzDatabase database = await FuzzDatabase.MakeAsync(seed);
            string[] files = [.. database.Files()];
            for (int count = 0; count < 1000 && done < cases; count++, done++)
            {
                int caseSeed = TestSeed.Base + done;
                var random = new Random(caseSeed);
                string path = files[random.Next(files.Length)];
                SimulatedFileSystem copy = database.Disk.Clone(caseSeed);
                copy.WriteRaw(path, change(path, database.Disk.ReadRaw(path), random));
                bool noticed = await UseAsync(
                    database, copy, mustBeRight, random, $"database {seed}, case {caseSeed}, {path}");
                string kind = KindOf(path);
                (int casesOfKind, int noticedOfKind) = kinds.GetValueOrDefault(kind);
                kinds[kind] = (casesOfKind + 1, noticedOfKind + (noticed ? 1 : 0));
            }
        }
    }

    /// <summary>Uses a copy, with an eye on time and memory.</summary>
    private static async Task<bool> UseAsync(
        FuzzDatabase database, SimulatedFileSystem copy, bool mustBeRight, Random random, string where)
    {
        try
        {
            Task<(bool Noticed, long AllocatedBytes)> use = Task.Run(async () =>
            {
                int thread = Environment.CurrentManagedThreadId;
                long before = GC.GetAllocatedBytesForCurrentThread();
                bool noticed = await database.UseAsync(copy, mustBeRight, random);
                bool sameThread = thread == Environment.CurrentManagedThreadId;
                return (noticed, sameThread ? GC.GetAllocatedBytesForCurrentThread() - before : 0);
            });
            (bool noticed, long allocated) = await use.WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.True(allocated < MaxAllocatedBytes, $"it took {allocated} bytes");
            return noticed;
        }
        catch (Exception error)
        {
            Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, {where}: {error}");
            return false;
        }
    }

    private static byte[] Damage(string path, byte[] good, Random random)
    {
        byte[] bytes = (byte[])good.Clone();
        int length = Math.Max(1, MeaningfulBytes(path, good));
        if (random.Next(3) == 0)
            random.NextBytes(bytes.AsSpan(random.Next(length))[..Math.Min(8, bytes.Length - length + 1)]);
        else
            Forgery.Mutate(bytes.AsSpan(0, length), random);
        return bytes;
    }

    /// <summary>Bytes of a file without the reserved space behind a log's last record.</summary>
    private static int MeaningfulBytes(string path, byte[] bytes) =>
        path.EndsWith(".log", StringComparison.Ordinal) ? bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1 : bytes.Length;

    private static string KindOf(string path)
    {
        string name = path[(path.LastIndexOf('/') + 1)..];
        return name.LastIndexOf('.') is var dot && dot > 0 ? name[(dot + 1)..] : name.Split('-')[0];
    }

    private static void Report(string what, SortedDictionary<string, (int Cases, int Noticed)> kinds) => EvidenceRun.Report(
        $"{what}: " + string.Join(
            ", ", kinds.Select(kind => $"{kind.Value.Cases} {kind.Key} ({kind.Value.Noticed} refused)")) +
        $"; seed {TestSeed.Base}");
}
