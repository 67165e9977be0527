using AiDb.Benchmarks.Stores;

namespace AiDb.Benchmarks;

/// <summary>The sides that can be measured.</summary>
internal enum Side
{
    AiDb,
    RocksDb,
}

/// <summary>The settings of a run.</summary>
internal sealed record BenchmarkOptions
{
    public required long Keys { get; init; }

    public required int ValueBytes { get; init; }

    public required int Rounds { get; init; }

    public required int Threads { get; init; }

    public required ulong Seed { get; init; }

    /// <summary>Writes a second of the writer beside a reader.</summary>
    public required int WriteRate { get; init; }

    public required IReadOnlyList<string> Tests { get; init; }

    public required IReadOnlyList<Side> Sides { get; init; }

    public required string Directory { get; init; }

    /// <summary>Whether the folders stay, and are used again where they hold the right data.</summary>
    public required bool Keep { get; init; }

    /// <summary>Whether to wait for a profiler before each measurement.</summary>
    public required bool Profile { get; init; }

    public required StoreOptions Store { get; init; }

    /// <summary>All that the data in a folder depends on.</summary>
    public string DataDescription => $"{Keys} keys, {ValueBytes}-byte values, seed {Seed}, {Store}";
}
