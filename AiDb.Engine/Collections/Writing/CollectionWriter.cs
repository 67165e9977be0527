using AiDb.Engine.Collections.Indexing;

namespace AiDb.Engine.Collections.Writing;

/// <summary>Writes points: checks, plans, commits through the log, and tells the indexes before it
/// answers.</summary>
/// <remarks>
/// What depends on the present state of a point is planned from its key and committed on the condition that the key has not
/// changed; else it is planned anew. From the second attempt on such writes take turns, so that they do not defeat
/// one another for ever. Thread safety: all members may be called concurrently.
/// </remarks>
internal sealed class CollectionWriter(CollectionState state) : IDisposable
{
    private const int MaxAttempts = 100;

    /// <summary>Points of one write of an operation by filter.</summary>
    private const int FilteredPage = 1_000;
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Carries out operations.</summary>
    public async ValueTask<PointWriteResult> WriteAsync(
        IReadOnlyList<PointOperation> operations, WriteDurability durability, CancellationToken cancellationToken)
    {
        List<PointOperation> checkedOperations = OperationChecks.Check(state.Options, operations);
        if (checkedOperations.Exists(static operation => SelectorOf(operation)?.Filter is not null))
            await state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return checkedOperations is [var only] && SelectorOf(only) is { Filter: { } filter }
            ? await WriteByFilterAsync(only, filter, durability, cancellationToken).ConfigureAwait(false)
            : await WriteTogetherAsync(checkedOperations, durability, cancellationToken).ConfigureAwait(false);
    }

    // Each page is a write of its own, so that neither memory nor a batch has to hold all points. What a page changes has met the
    // filter when the operation began, and does when it is written.
    private async ValueTask<PointWriteResult> WriteByFilterAsync(
        PointOperation operation, Filter filter, WriteDurability durability, CancellationToken cancellationToken)
    {
        List<PointId> ids = state.Filters.FindIds(filter, int.MaxValue, cancellationToken);
        PointWriteResult result = new(state.Indexes.LastVersion, state.Database.AppliedPosition.Lsn);
        for (int first = 0; first < ids.Count; first += FilteredPage)
        {
            PointSelector page = new(ids.GetRange(first, Math.Min(FilteredPage, ids.Count - first)), filter);
            result = await WriteTogetherAsync([WithSelector(operation, page)], durability, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    private async ValueTask<PointWriteResult> WriteTogetherAsync(
        List<PointOperation> checkedOperations, WriteDurability durability, CancellationToken cancellationToken)
    {
        bool holdsTurn = false;
        try
        {
            for (int attempt = 0; attempt < MaxAttempts; attempt++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                PointWriteResult? result =
                    await TryWriteAsync(checkedOperations, durability, cancellationToken).ConfigureAwait(false);
                if (result is { } written)
                    return written;
                if (!holdsTurn)
                {
                    await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
                    holdsTurn = true;
                }
            }
        }
        finally
        {
            if (holdsTurn)
                _turn.Release();
        }

        throw new AiDbException(
            AiDbErrorKind.Aborted,
            $"The points were changed by others {MaxAttempts} times while they were being changed. Try again.");
    }

    /// <summary>Writes points that were kept by this collection or one like it.</summary>
    public ValueTask<PointWriteResult> ImportAsync(List<Point> points, CancellationToken cancellationToken) =>
        WriteAsync([new UpsertOperation(points)], WriteDurability.Default, cancellationToken);

    /// <summary>Adds whole points to a batch that is written elsewhere.</summary>
    public List<PointChange> AddTo(WriteBatch batch, IReadOnlyList<PointOperation> operations)
    {
        var plan = new WritePlan(state, isDeferred: true, CancellationToken.None);
        foreach (PointOperation operation in OperationChecks.Check(state.Options, operations))
            plan.Add(operation);
        return plan.AddTo(batch);
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private static PointSelector? SelectorOf(PointOperation operation) => operation switch
    {
        DeleteOperation delete => delete.Selector,
        DeleteVectorsOperation delete => delete.Selector,
        SetPayloadOperation set => set.Selector,
        OverwritePayloadOperation overwrite => overwrite.Selector,
        DeletePayloadOperation delete => delete.Selector,
        ClearPayloadOperation clear => clear.Selector,
        _ => null,
    };

    private static PointOperation WithSelector(PointOperation operation, PointSelector selector) => operation switch
    {
        DeleteOperation delete => delete with { Selector = selector },
        DeleteVectorsOperation delete => delete with { Selector = selector },
        SetPayloadOperation set => set with { Selector = selector },
        OverwritePayloadOperation overwrite => overwrite with { Selector = selector },
        DeletePayloadOperation delete => delete with { Selector = selector },
        ClearPayloadOperation clear => clear with { Selector = selector },
        _ => operation,
    };

    private async ValueTask<PointWriteResult?> TryWriteAsync(
        List<PointOperation> operations, WriteDurability durability, CancellationToken cancellationToken)
    {
        var plan = new WritePlan(state, isDeferred: false, cancellationToken);
        foreach (PointOperation operation in operations)
            plan.Add(operation);
        var batch = new WriteBatch();
        List<PointChange> changes = plan.AddTo(batch);
        if (changes.Count == 0)
        {
            LogPosition applied = state.Database.AppliedPosition;
            return new PointWriteResult(state.Indexes.LastVersion, applied.Lsn);
        }

        batch.Attach(new AttachedPoints(state, changes));
        WriteResult result = await state.Database.TryWriteAsync(batch, durability, cancellationToken).ConfigureAwait(false);
        return result.Applied ? new PointWriteResult(result.Version, result.Lsn) : null;
    }
}
