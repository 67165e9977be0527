using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Collections;

/// <summary>Writes the points of a file into a collection, a batch at a time, several batches at once.</summary>
internal sealed class PointImporter(AiDbCollection collection, int batchSize, int concurrency, ProgressReport progress)
{
    private readonly AcknowledgedLines _acknowledged = new(0);

    /// <summary>All lines up to this one are in the collection.</summary>
    public long CompleteLines => _acknowledged.Complete;

    /// <summary>Runs to the end of the input or to the first error; then no write is under way.</summary>
    public async Task RunAsync(Stream input, long skipLines, CancellationToken cancellationToken)
    {
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(
            BatchesAsync(input, skipLines, cancellationToken), parallel,
            async (batch, token) =>
            {
                if (batch.Points.Count > 0)
                    await collection.UpsertAsync(batch.Points, token).ConfigureAwait(false);
                for (long line = batch.FirstLine; line <= batch.LastLine; line++)
                    _acknowledged.Add(line);
                progress.Advance(batch.Points.Count, batch.Bytes);
            }).ConfigureAwait(false);
    }

    private async IAsyncEnumerable<Batch> BatchesAsync(
        Stream input, long skipLines,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long number = 0;
        long first = 1;
        long bytes = 0;
        List<AiDbPoint> points = [];
        await foreach (byte[] line in LineReader.ReadAsync(input, cancellationToken).ConfigureAwait(false))
        {
            number++;
            bytes += line.Length + 1;
            if (number > skipLines && line.Length > 0)
                points.Add(Parse(number, line));
            if (points.Count < batchSize)
                continue;
            yield return new Batch(points, first, number, bytes);
            (points, first, bytes) = ([], number + 1, 0);
        }

        if (number >= first)
            yield return new Batch(points, first, number, bytes);
    }

    private static AiDbPoint Parse(long number, byte[] line)
    {
        try
        {
            return PointLine.Parse(line);
        }
        catch (AiDbException error)
        {
            throw new AiDbException(error.Kind, $"Line {number}: {error.Message}", error);
        }
    }

    private sealed record Batch(List<AiDbPoint> Points, long FirstLine, long LastLine, long Bytes);
}
