using AiDb.Client;

namespace AiDb.Cli.Data;

/// <summary>How an import runs.</summary>
internal sealed record ImportOptions
{
    /// <summary>Lines that are left out at the start, because an earlier run has imported them.</summary>
    public long SkipLines { get; init; }

    /// <summary>Writes under way at one time.</summary>
    public int Concurrency { get; init; } = 1024;

    /// <summary>What to wait for.</summary>
    public Durability Durability { get; init; }
}

/// <summary>Puts the lines of a file into a table. Lines are written in any order; where a key occurs twice,
/// which line wins is not said.</summary>
internal sealed class Importer(AiDbTable table, ImportOptions options, ProgressReport progress, TimeProvider time)
{
    private readonly AcknowledgedLines _acknowledged = new(options.SkipLines);
    private Exception? _failure;

    /// <summary>All lines up to this one are in the table.</summary>
    public long CompleteLines => _acknowledged.Complete;

    /// <summary>Runs to the end of the input or to the first error; then no write is under way.</summary>
    public async Task RunAsync(Stream input, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using SemaphoreSlim room = new(options.Concurrency);
        long number = 0;
        try
        {
            await foreach (byte[] line in LineReader.ReadAsync(input, stop.Token).ConfigureAwait(false))
            {
                number++;
                if (number <= options.SkipLines || line.Length == 0)
                {
                    if (number > options.SkipLines)
                        _acknowledged.Add(number);
                    progress.Advance(0, line.Length + 1);
                    continue;
                }

                await room.WaitAsync(stop.Token).ConfigureAwait(false);
                _ = WriteAsync(number, line, room, stop);
            }
        }
        catch (OperationCanceledException) when (_failure is not null)
        {
            // The failure that stopped the others is thrown below.
        }
        finally
        {
            // Every permit back: no write is under way.
            for (int permit = 0; permit < options.Concurrency; permit++)
                await room.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        if (_failure is AiDbException error)
            throw new AiDbException(error.Kind, error.Message, error);
        if (_failure is not null and not OperationCanceledException)
            throw new AiDbException(AiDbErrorKind.Internal, _failure.Message, _failure);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task WriteAsync(long number, byte[] line, SemaphoreSlim room, CancellationTokenSource stop)
    {
        try
        {
            JsonLine item = Parse(number, line);
            TimeSpan? left = item.ExpiresAt is { } expiry ? expiry - time.GetUtcNow() : null;
            if (left is null || left >= TimeSpan.FromMilliseconds(1))
            {
                WriteOptions write = new()
                {
                    // The same line sets the same value, so that an attempt in doubt may be repeated.
                    Idempotent = true,
                    TimeToLive = left,
                    Durability = options.Durability,
                };
                await table.PutAsync(new AiDbKey(item.Key), item.Value, write, stop.Token).ConfigureAwait(false);
            }

            _acknowledged.Add(number);
            progress.Advance(1, line.Length + 1);
        }
        catch (Exception exception)
        {
            if (Interlocked.CompareExchange(ref _failure, exception, null) is null)
                await stop.CancelAsync().ConfigureAwait(false);
        }
        finally
        {
            room.Release();
        }
    }

    private static JsonLine Parse(long number, byte[] line)
    {
        try
        {
            return JsonLine.Parse(line);
        }
        catch (AiDbException exception)
        {
            throw new AiDbException(exception.Kind, $"Line {number}: {exception.Message}", exception);
        }
    }
}
