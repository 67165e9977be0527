using System.CommandLine;
using AiDb.Benchmarks.Stores;
using AiDb.Benchmarks.Workload;

namespace AiDb.Benchmarks;

/// <summary><c>rocksdb</c>: AiDb and RocksDB side by side.</summary>
internal static class RocksDbCommand
{
    private const long DefaultDataBytes = 5_000_000L * (KeyCodec.KeyBytes + 100);
    private const int QuickDivisor = 10;

    private static readonly Option<long?> Keys = new("--keys")
    {
        Description = "Keys. Default: 5,000,000 with values of 100 bytes, with others as many as make the same data.",
    };

    private static readonly Option<int> Value = new("--value")
    {
        Description = "Bytes of a value.",
        DefaultValueFactory = static _ => 100,
    };

    private static readonly Option<int?> Rounds = new("--rounds")
    {
        Description = "Rounds. Default: 3; 1 with --quick.",
    };

    private static readonly Option<string?> Tests = new("--tests")
    {
        Description = $"Names with commas between. Default: {string.Join(",", TestCatalogue.Core)}",
    };

    private static readonly Option<bool> Quick = new("--quick")
    {
        Description = "A tenth of the keys; memtable, tables, level 1 and cache an eighth as big; one round.",
    };

    private static readonly Option<bool> Reverse = new("--reverse")
    {
        Description = $"Adds {string.Join(", ", TestCatalogue.Reverse)}.",
    };

    private static readonly Option<bool> DeleteHeavy = new("--delete-heavy")
    {
        Description = $"Adds {string.Join(", ", TestCatalogue.DeleteHeavy)}.",
    };

    private static readonly Option<bool> Lz4 = new("--lz4")
    {
        Description = "LZ4 on both sides instead of no compression.",
    };

    private static readonly Option<int> Threads = new("--threads")
    {
        Description = "Threads of each test that does not fix them.",
        DefaultValueFactory = static _ => 1,
    };

    private static readonly Option<bool> CacheQuarter = new("--cache-quarter")
    {
        Description = "A block cache of a quarter of the data instead of 512 MiB.",
    };

    private static readonly Option<int> WriteRate = new("--write-rate")
    {
        Description = "Writes a second of the writer beside the reader.",
        DefaultValueFactory = static _ => 20_000,
    };

    private static readonly Option<int> AiDbBlock = new("--aidb-block")
    {
        Description = "Bytes of AiDb's table blocks.",
        DefaultValueFactory = static _ => 16 << 10,
    };

    private static readonly Option<int> RocksDbBlock = new("--rocksdb-block")
    {
        Description = "Bytes of RocksDB's table blocks.",
        DefaultValueFactory = static _ => 16 << 10,
    };

    private static readonly Option<string?> SideName = new("--side")
    {
        Description = "aidb or rocksdb: measures one side only.",
    };

    private static readonly Option<string?> Folder = new("--dir")
    {
        Description = "Where the databases go. Default: a temporary folder.",
    };

    private static readonly Option<bool> Keep = new("--keep")
    {
        Description = "Leaves the databases in --dir, and uses those that a run with the same settings left there.",
    };

    private static readonly Option<bool> Profile = new("--profile")
    {
        Description = "Names the process and waits for Enter before each measurement.",
    };

    private static readonly Option<ulong> Seed = new("--seed")
    {
        Description = "Where the random numbers begin.",
        DefaultValueFactory = static _ => 1,
    };


    public static Command Create()
    {
        Command command = new("rocksdb", """
            Runs AiDb and RocksDB in turn in one process on the same data, and prints CPU time, speed, latency, memory, disk and
            write amplification of both, and AiDb's throughput over RocksDB's (above 1, AiDb is ahead). Build the peer with
            eng/peers/rocksdb.sh first, or name a library with AIDB_ROCKSDB_LIBRARY.
            """);
        Option[] options =
        [
            Keys, Value, Rounds, Tests, Quick, Reverse, DeleteHeavy, Lz4, Threads, CacheQuarter, WriteRate, AiDbBlock,
            RocksDbBlock, SideName, Folder, Keep, Profile, Seed,
        ];
        foreach (Option option in options)
            command.Add(option);

        // On a thread of its own: Ctrl+C is heard from the moment on at which the action returns its task.
        command.SetAction((parsed, cancellationToken) => Task.Run(() => Run(parsed, cancellationToken), CancellationToken.None));
        return command;
    }

    private static void Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        BenchmarkOptions options = Read(parsed);
        try
        {
            new RocksDbBenchmark(options, parsed.InvocationConfiguration.Output).Run(cancellationToken);
        }
        finally
        {
            if (parsed.GetValue(Folder) is null && Directory.Exists(options.Directory))
                Directory.Delete(options.Directory, recursive: true);
        }
    }

    private static BenchmarkOptions Read(ParseResult parsed)
    {
        bool quick = parsed.GetValue(Quick);
        int valueBytes = AtLeastOne(parsed.GetValue(Value), Value);
        long keys = parsed.GetValue(Keys)
            ?? DefaultDataBytes / (KeyCodec.KeyBytes + valueBytes) / (quick ? QuickDivisor : 1);
        if (keys < 1)
            throw Invalid("--keys must be 1 or more.");
        string? folder = parsed.GetValue(Folder);
        if (parsed.GetValue(Keep) && folder is null)
            throw Invalid("--keep needs --dir, the folder to keep.");
        long cacheBytes = parsed.GetValue(CacheQuarter)
            ? keys * (KeyCodec.KeyBytes + valueBytes) / 4
            : (quick ? 64L : 512L) << 20;
        return new BenchmarkOptions
        {
            Keys = keys,
            ValueBytes = valueBytes,
            Rounds = AtLeastOne(parsed.GetValue(Rounds) ?? (quick ? 1 : 3), Rounds),
            Threads = AtLeastOne(parsed.GetValue(Threads), Threads),
            WriteRate = AtLeastOne(parsed.GetValue(WriteRate), WriteRate),
            Seed = parsed.GetValue(Seed),
            Tests = ReadTests(parsed),
            Sides = ReadSides(parsed.GetValue(SideName)),
            Directory = folder ?? Directory.CreateTempSubdirectory("aidb-benchmark-").FullName,
            Keep = parsed.GetValue(Keep),
            Profile = parsed.GetValue(Profile),
            Store = new StoreOptions
            {
                CacheBytes = cacheBytes,
                MemtableBytes = (quick ? 8L : 64L) << 20,
                TableBytes = (quick ? 8L : 64L) << 20,
                Level1Bytes = (quick ? 32L : 256L) << 20,
                AiDbBlockBytes = AtLeastOne(parsed.GetValue(AiDbBlock), AiDbBlock),
                RocksDbBlockBytes = AtLeastOne(parsed.GetValue(RocksDbBlock), RocksDbBlock),
                Lz4 = parsed.GetValue(Lz4),
            },
        };
    }

    private static List<string> ReadTests(ParseResult parsed)
    {
        List<string> tests = parsed.GetValue(Tests) is { } named
            ? [.. named.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)]
            : [.. TestCatalogue.Core];
        if (parsed.GetValue(Reverse))
            tests.AddRange(TestCatalogue.Reverse);
        if (parsed.GetValue(DeleteHeavy))
            tests.AddRange(TestCatalogue.DeleteHeavy);
        string[] known = [.. TestCatalogue.Core, .. TestCatalogue.Reverse, .. TestCatalogue.DeleteHeavy];
        List<string> unknown = [.. tests.Except(known, StringComparer.Ordinal)];
        if (unknown.Count > 0 || tests.Count == 0)
        {
            throw Invalid(
                $"--tests names what is no test: {string.Join(", ", unknown)}. There are {string.Join(", ", known)}.");
        }

        return tests;
    }

    private static IReadOnlyList<Side> ReadSides(string? name) => name switch
    {
        null => [Side.AiDb, Side.RocksDb],
        "aidb" => [Side.AiDb],
        "rocksdb" => [Side.RocksDb],
        _ => throw Invalid($"--side must be aidb or rocksdb, not {name}."),
    };

    private static int AtLeastOne(int value, Option option) =>
        value >= 1 ? value : throw Invalid($"{option.Name} must be 1 or more.");

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message);
}
