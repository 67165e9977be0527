using AiDb.Cluster.Model;
using AiDb.Contracts;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Ranges;

/// <summary>Settings of a <see cref="RangeSplitter"/>.</summary>
public sealed record RangeSplitterOptions
{
    /// <summary>Bytes of a range from which it is split; 0: never. Default: 512 MiB.</summary>
    public ulong SplitBytes { get; init; } = 512UL << 20;

    /// <summary>How long between two looks at all ranges. Default: 10 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate()
    {
        if (Interval <= TimeSpan.Zero)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"Invalid RangeSplitterOptions: {nameof(Interval)} must be more than zero.");
        }
    }
}

/// <summary>What a shard says of a range.</summary>
/// <param name="Bytes">About how much of it is in table files.</param>
/// <param name="Middle">A key with about half of that before it; empty: it is not big enough to ask, or there is none.</param>
public sealed record RangeFigures(ulong Bytes, ReadOnlyMemory<byte> Middle);

/// <summary>Ranges of a table that one shard has, to be measured.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Table">The table.</param>
/// <param name="Indexes">Which of its ranges.</param>
/// <param name="MiddleAbove">From how many bytes on the middle is wanted.</param>
public sealed record RangesToMeasure(uint Shard, TableDescriptor Table, IReadOnlyList<int> Indexes, ulong MiddleAbove);

/// <summary>Splits ranges that have become too big, each near its middle, as long as their tables may have more. The halves stay
/// where they are until slots are moved.</summary>
/// <remarks>It keeps nothing: two at once split a range once, since the second finds the range as it is then.</remarks>
/// <param name="catalogue">Carries the splits out.</param>
/// <param name="map">The cluster.</param>
/// <param name="measure">Asks a shard; an empty answer: it cannot tell now.</param>
/// <param name="options">From when on.</param>
/// <param name="timeProvider">The clock.</param>
/// <param name="logger">Told what was split, and what could not be.</param>
public sealed partial class RangeSplitter(
    Catalogue catalogue,
    ClusterMapWatcher map,
    Func<ClusterMap, RangesToMeasure, CancellationToken, ValueTask<IReadOnlyList<RangeFigures>>> measure,
    RangeSplitterOptions options,
    TimeProvider timeProvider,
    ILogger<RangeSplitter> logger)
{
    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        options.Validate();
        while (true)
        {
            await Task.Delay(
                options.SplitBytes == 0 ? Timeout.InfiniteTimeSpan : options.Interval, timeProvider, cancellationToken);
            try
            {
                await StepAsync(map.Current, cancellationToken);
            }
            catch (AiDbException error)
            {
                LogFailed(error.Kind, error.Message);
            }
        }
    }

    /// <summary>Looks at every range once.</summary>
    public async ValueTask StepAsync(ClusterMap current, CancellationToken cancellationToken)
    {
        foreach (TableDescriptor table in current.Tables)
        {
            if (table.Ranges is not { } ranges || ranges.Count >= PartitionRule.MaxRanges)
                continue;
            foreach (IGrouping<uint, int> part in Enumerable.Range(0, ranges.Count).GroupBy(i => current.Slots[ranges.SlotAt(i)]))
                await SplitAsync(current, new RangesToMeasure(part.Key, table, [.. part], options.SplitBytes), cancellationToken);
        }
    }

    private async ValueTask SplitAsync(ClusterMap current, RangesToMeasure part, CancellationToken cancellationToken)
    {
        IReadOnlyList<RangeFigures> figures = await measure(current, part, cancellationToken);
        for (int i = 0; i < figures.Count; i++)
        {
            (ulong bytes, ReadOnlyMemory<byte> middle) = figures[i];
            if (bytes < options.SplitBytes || middle.IsEmpty)
                continue;
            ReadOnlyMemory<byte> at = middle[..Math.Min(middle.Length, PartitionRule.MaxSplitPointBytes)];
            if (at.Span.SequenceCompareTo(part.Table.Ranges!.StartOf(part.Indexes[i]).Span) <= 0)
            {
                LogTooAlike(part.Table.Name, bytes, PartitionRule.MaxSplitPointBytes);
                continue;
            }

            try
            {
                (TableDescriptor table, bool isNew) = await catalogue.SplitAsync(part.Table.Name, at, cancellationToken);
                if (isNew)
                    LogSplit(table.Name, bytes, table.Ranges!.Count);
            }
            catch (AiDbException error)
            {
                // It moves, the table is dropped, or its split points are as many bytes as there may be.
                LogNotSplit(part.Table.Name, error.Kind, error.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "A range of table '{Table}' with about {Bytes} bytes is split; it has {Ranges} ranges now")]
    private partial void LogSplit(string table, ulong bytes, int ranges);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A range of table '{Table}' with about {Bytes} bytes cannot be split: its keys are alike in their first {Length} bytes")]
    private partial void LogTooAlike(string table, ulong bytes, int length);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A range of table '{Table}' cannot be split now ({Kind}): {Reason}")]
    private partial void LogNotSplit(string table, AiDbErrorKind kind, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Ranges cannot be split now ({Kind}): {Reason}")]
    private partial void LogFailed(AiDbErrorKind kind, string reason);
}
