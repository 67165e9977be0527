using AiDb.Benchmarks.Measuring;

namespace AiDb.Benchmarks.Workload;

/// <summary>The tests, in the order in which they run.</summary>
internal static class TestCatalogue
{
    /// <summary>Entries that are read after a seek, the one sought included.</summary>
    public const int EntriesPerSeek = 10;

    /// <summary>Writes of one batch in fillbatch.</summary>
    public const int WritesPerBatch = 100;

    private const int SyncedWriters = 16;

    /// <summary>What runs when nothing else is asked for.</summary>
    public static IReadOnlyList<string> Core { get; } =
    [
        "fillseq", "fillbatch", "fillsync", "fillrandom", "overwrite", "readrandom", "readmissing", "multiread", "seek",
        "seekreuse", "readseq", "readwhilewriting",
    ];

    /// <summary>What <c>--reverse</c> adds.</summary>
    public static IReadOnlyList<string> Reverse { get; } = ["seekreverse", "readreverse"];

    /// <summary>What <c>--delete-heavy</c> adds.</summary>
    public static IReadOnlyList<string> DeleteHeavy { get; } = ["deleterandom", "readdeleted", "seekdeleted"];

    /// <summary>Every test, sized for a run.</summary>
    public static IReadOnlyList<BenchmarkTest> Create(BenchmarkOptions options) =>
    [
        .. Fills(options), .. Reads(options), .. Walks(options), .. Mixed(options), .. Deletes(options),
    ];

    private static IEnumerable<BenchmarkTest> Fills(BenchmarkOptions options)
    {
        yield return new BenchmarkTest
        {
            Name = "fillseq",
            About = "keys in order",
            Leaves = DataState.Other,
            Operations = options.Keys,
            Writes = true,
            Run = WriteInOrder,
        };
        yield return new BenchmarkTest
        {
            Name = "fillbatch",
            About = $"random keys in batches of {WritesPerBatch}; an operation is a key",
            Leaves = DataState.Other,
            Operations = options.Keys,
            Writes = true,
            Run = WriteBatches,
        };
        yield return new BenchmarkTest
        {
            Name = "fillsync",
            About = "each write waits for the disk",
            Leaves = DataState.Other,
            Operations = Math.Max(options.Keys / 25, SyncedWriters),
            Threads = SyncedWriters,
            IsSynced = true,
            Writes = true,
            Run = WriteRandom,
        };
        yield return new BenchmarkTest
        {
            Name = "fillrandom",
            About = "random keys",
            Leaves = DataState.Filled,
            Operations = options.Keys,
            Writes = true,
            Run = WriteRandom,
        };
        yield return new BenchmarkTest
        {
            Name = "overwrite",
            About = "random keys over those of fillrandom",
            Needs = DataState.Filled,
            Leaves = DataState.Overwritten,
            Operations = options.Keys,
            Writes = true,
            Run = WriteRandom,
        };
    }

    private static IEnumerable<BenchmarkTest> Reads(BenchmarkOptions options)
    {
        yield return new BenchmarkTest
        {
            Name = "readrandom",
            About = "random keys, most of them there",
            Needs = DataState.Overwritten,
            Operations = Math.Max(options.Keys * 2 / 5, 1),
            WarmUp = options.Keys / 4,
            Run = ReadRandom,
        };
        yield return new BenchmarkTest
        {
            Name = "readmissing",
            About = "keys that are not there, between those that are",
            Needs = DataState.Overwritten,
            Operations = Math.Max(options.Keys * 2 / 5, 1),
            WarmUp = options.Keys / 4,
            Run = ReadMissing,
        };
        yield return new BenchmarkTest
        {
            Name = "multiread",
            About = $"{KeyCodec.BatchKeys} random keys a call; an operation is a key, a latency that of a call",
            Needs = DataState.Overwritten,
            Operations = Math.Max(options.Keys * 2 / 5, KeyCodec.BatchKeys),
            WarmUp = options.Keys / 4,
            Run = MultiRead,
        };
    }

    private static IEnumerable<BenchmarkTest> Walks(BenchmarkOptions options)
    {
        yield return SeekTest(
            options, "seek", $"an iterator for each seek, then {EntriesPerSeek} entries", DataState.Compacted,
            reuse: false, reverse: false);
        yield return SeekTest(
            options, "seekreuse", $"one iterator where there is such, {EntriesPerSeek} entries", DataState.Compacted,
            reuse: true, reverse: false);
        yield return SeekTest(
            options, "seekreverse", "as seek, backward", DataState.Compacted, reuse: false, reverse: true);
        yield return Walk("readseq", "all entries in order", false);
        yield return Walk("readreverse", "all entries backward", true);

        BenchmarkTest Walk(string name, string about, bool reverse) => new()
        {
            Name = name,
            About = about,
            Needs = DataState.Compacted,
            Operations = options.Keys,
            CountsFound = true,
            WarmUp = options.Keys,
            Run = context => WalkAll(context, reverse),
        };
    }

    private static IEnumerable<BenchmarkTest> Mixed(BenchmarkOptions options)
    {
        yield return new BenchmarkTest
        {
            Name = "readwhilewriting",
            About = $"random reads beside one writer at {options.WriteRate} writes/s; an operation is a read",
            Needs = DataState.Compacted,
            Leaves = DataState.Other,
            Operations = Math.Max(options.Keys * 2 / 5, 1),
            WarmUp = options.Keys / 4,
            HasWriterBeside = true,
            Run = ReadRandom,
        };
    }

    private static IEnumerable<BenchmarkTest> Deletes(BenchmarkOptions options)
    {
        yield return new BenchmarkTest
        {
            Name = "deleterandom",
            About = "deletes of random keys",
            Needs = DataState.Overwritten,
            Leaves = DataState.Deleted,
            Operations = Math.Max(options.Keys / 2, 1),
            Writes = true,
            Run = Delete,
        };
        yield return new BenchmarkTest
        {
            Name = "readdeleted",
            About = "random keys, two in five of them deleted",
            Needs = DataState.Deleted,
            Operations = Math.Max(options.Keys * 2 / 5, 1),
            WarmUp = options.Keys / 4,
            Run = ReadRandom,
        };
        yield return SeekTest(
            options, "seekdeleted", "as seek, among deletions", DataState.Deleted, reuse: false, reverse: false);
    }

    private static BenchmarkTest SeekTest(
        BenchmarkOptions options, string name, string about, DataState needs, bool reuse, bool reverse) => new()
        {
            Name = name,
            About = about,
            Needs = needs,
            Operations = Math.Max(options.Keys / 10, 1),
            WarmUp = options.Keys / 20,
            Run = context => SeekRandom(context, reuse, reverse),
        };

    private static ReadOutcome WriteInOrder(TestContext context)
    {
        byte[] key = NewKey();
        return context.Repeat(index =>
        {
            KeyCodec.Set(key, context.First + index);
            context.Session.Put(key, context.Values[context.First + index]);
            return 0;
        });
    }

    private static ReadOutcome WriteRandom(TestContext context)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(index =>
        {
            KeyCodec.Set(key, random.Next(context.Options.Keys));
            context.Session.Put(key, context.Values[context.First + index]);
            return 0;
        });
    }

    private static ReadOutcome WriteBatches(TestContext context)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(index =>
        {
            KeyCodec.Set(key, random.Next(context.Options.Keys));
            context.Session.AddToBatch(key, context.Values[context.First + index]);
            if ((index + 1) % WritesPerBatch == 0 || index == context.Operations - 1)
                context.Session.WriteBatch();
            return 0;
        });
    }

    private static ReadOutcome Delete(TestContext context)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(_ =>
        {
            KeyCodec.Set(key, random.Next(context.Options.Keys));
            context.Session.Delete(key);
            return 0;
        });
    }

    private static ReadOutcome ReadRandom(TestContext context)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(_ =>
        {
            KeyCodec.Set(key, random.Next(context.Options.Keys));
            return context.Session.Get(key) ? 1 : 0;
        });
    }

    private static ReadOutcome ReadMissing(TestContext context)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(_ =>
        {
            KeyCodec.SetMissing(key, random.Next(context.Options.Keys));
            return context.Session.Get(key) ? 1 : 0;
        });
    }

    private static ReadOutcome MultiRead(TestContext context)
    {
        byte[] keys = new byte[KeyCodec.BatchKeys * KeyCodec.KeyBytes];
        KeyCodec.Prepare(keys);
        var random = new FastRandom(context.Seed);
        return context.RepeatCalls(KeyCodec.BatchKeys, _ =>
        {
            for (int start = 0; start < keys.Length; start += KeyCodec.KeyBytes)
                KeyCodec.Set(keys.AsSpan(start), random.Next(context.Options.Keys));
            return context.Session.MultiGet(keys);
        });
    }

    private static ReadOutcome SeekRandom(TestContext context, bool reuse, bool reverse)
    {
        byte[] key = NewKey();
        var random = new FastRandom(context.Seed);
        return context.Repeat(_ =>
        {
            KeyCodec.Set(key, random.Next(context.Options.Keys));
            return reuse
                ? context.Session.SeekAgain(key, EntriesPerSeek, reverse)
                : context.Session.Seek(key, EntriesPerSeek, reverse);
        });
    }

    private static ReadOutcome WalkAll(TestContext context, bool reverse)
    {
        ulong before = context.Session.Checksum;
        long found = context.Session.Walk(context.Operations, reverse, context.CancellationToken);
        return new ReadOutcome(found, context.Session.Checksum - before);
    }

    private static byte[] NewKey()
    {
        byte[] key = new byte[KeyCodec.KeyBytes];
        KeyCodec.Prepare(key);
        return key;
    }
}
