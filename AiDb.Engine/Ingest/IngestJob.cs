using AiDb.Engine.Commit;
using AiDb.Engine.Recovery;

namespace AiDb.Engine.Ingest;

/// <summary>The steps of an ingest: check and bring in the files, flush, commit.</summary>
internal static class IngestJob
{
    public static async ValueTask<WriteResult> RunAsync(
        DatabaseParts parts, Table table, IReadOnlyList<string> paths, bool copy,
        CancellationToken cancellationToken)
    {
        if (parts.Catalogue.IsDropped(table.Id))
            throw new AiDbException(AiDbErrorKind.NotFound, $"Table {table.Id} was dropped.");
        var preparer = new IngestPreparer(parts.Context, table.Id);
        await parts.RunAsync("ingest", () => preparer.Run(paths, copy, cancellationToken), CancellationToken.None)
            .ConfigureAwait(false);
        try
        {
            // Writers wait while the commit flushes what is left, so most of it is flushed before.
            WriteResult rotated = await parts.Pipeline.RunAsync(PendingKind.Rotate, cancellationToken).ConfigureAwait(false);
            await parts.Background.WaitFlushedAsync(rotated.Lsn, cancellationToken).ConfigureAwait(false);
            var batch = new WriteBatch();
            batch.Ingest(table, preparer.Ids);
            cancellationToken.ThrowIfCancellationRequested();
            return await parts.Pipeline.WriteAsync(batch, synced: true, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not AiDbException { Kind: AiDbErrorKind.OutcomeUnknown })
        {
            // Nothing names the files. Otherwise the log may: then the next start keeps or removes them.
            preparer.Undo();
            throw;
        }
    }
}
