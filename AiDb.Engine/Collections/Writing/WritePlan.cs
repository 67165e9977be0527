using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Reading;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Collections.Writing;

/// <summary>What the operations of one write do to each point, one after the other, and the batch that does
/// it.</summary>
/// <remarks>Thread safety: none. The operations were checked (<see cref="OperationChecks"/>).</remarks>
/// <param name="state">The collection.</param>
/// <param name="isDeferred">Whether the batch is written at some later time: then nothing is left out because the indexes do
/// not know it.</param>
/// <param name="cancellationToken">Ends the planning.</param>
internal sealed class WritePlan(CollectionState state, bool isDeferred, CancellationToken cancellationToken)
{
    private const int CancellationStride = 256;
    private readonly Dictionary<PointId, PlannedPoint> _points = [];
    private readonly List<PlannedPoint> _order = [];

    /// <summary>Takes in the next operation.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: a point that must exist does
    /// not.</exception>
    public void Add(PointOperation operation)
    {
        switch (operation)
        {
            case UpsertOperation upsert:
                AddUpsert(upsert);
                break;
            case DeleteOperation delete:
                AddDelete(delete.Selector);
                break;
            case UpdateVectorsOperation update:
                AddVectors(update);
                break;
            case DeleteVectorsOperation delete:
                foreach (PlannedPoint point in Select(delete.Selector, mustExist: false))
                    point.RemoveVectors(delete.Names);
                break;
            case SetPayloadOperation set:
                JsonPath? into = set.Path is null ? null : JsonPath.Parse(set.Path, "key");
                foreach (PlannedPoint point in Select(set.Selector, mustExist: true))
                    point.SetPayload(PayloadEditor.Set(point.Payload, set.Payload, into));
                break;
            case OverwritePayloadOperation overwrite:
                foreach (PlannedPoint point in Select(overwrite.Selector, mustExist: true))
                    point.SetPayload(overwrite.Payload);
                break;
            case DeletePayloadOperation delete:
                JsonPath[] paths = [.. delete.Paths.Select(static path => JsonPath.Parse(path, "keys"))];
                foreach (PlannedPoint point in Select(delete.Selector, mustExist: true))
                    point.SetPayload(PayloadEditor.Delete(point.Payload, paths));
                break;
            case ClearPayloadOperation clear:
                foreach (PlannedPoint point in Select(clear.Selector, mustExist: false))
                    point.SetPayload(Payload.Empty);
                break;
            default:
                throw PointErrors.Invalid($"{operation.GetType().Name} is not an operation on points.");
        }
    }

    /// <summary>Adds the keys to a batch.</summary>
    /// <returns>What the indexes are told once it is committed.</returns>
    public List<PointChange> AddTo(WriteBatch batch)
    {
        List<PointChange> changes = new(_order.Count);
        ulong nowMs = state.Database.Clock.NowMs();
        using var value = new GrowingBuffer(4096);
        foreach (PlannedPoint point in _order)
        {
            if (!point.IsChanged)
                continue;
            ulong timeToLiveMs = point.TimeToLiveMs(nowMs);
            AddKeys(batch, point, timeToLiveMs, value);
            changes.Add(point.ToChange(timeToLiveMs));
        }

        return changes;
    }

    private void AddUpsert(UpsertOperation upsert)
    {
        bool isPlain = upsert.Mode == UpsertMode.Upsert && upsert.UpdateFilter is null;
        var filter = BoundFilter.Bind(upsert.UpdateFilter, "update_filter");
        foreach (Point point in upsert.Points)
        {
            PlannedPoint planned = PlannedOf(point.Id);
            if (!isPlain)
            {
                ReadBase(planned);
                if (planned.Exists
                    ? upsert.Mode == UpsertMode.InsertOnly || !Matches(filter, planned)
                    : upsert.Mode == UpsertMode.UpdateOnly)
                {
                    continue;
                }
            }

            planned.Replace(point.Vectors, point.Payload ?? Payload.Empty, point.TimeToLive ?? state.Options.TimeToLive);
        }
    }

    private void AddDelete(PointSelector selector)
    {
        if (selector.Filter is not null)
        {
            foreach (PlannedPoint point in Select(selector, mustExist: false))
                point.Delete();
            return;
        }

        foreach (PointId id in selector.Ids ?? [])
        {
            // A point that nobody was told of need not be deleted: the deletion came before it.
            if (isDeferred || _points.ContainsKey(id) || !state.IsLoaded || state.Indexes.TryFindOffset(id, out _))
                PlannedOf(id).Delete();
        }
    }

    private void AddVectors(UpdateVectorsOperation update)
    {
        var filter = BoundFilter.Bind(update.UpdateFilter, "update_filter");
        foreach (PointVectors vectors in update.Points)
        {
            PlannedPoint planned = PlannedOf(vectors.Id);
            ReadBase(planned);
            if (!planned.Exists)
                throw PointErrors.NotFound(vectors.Id);
            if (Matches(filter, planned))
                planned.SetVectors(vectors.Vectors);
        }
    }

    /// <summary>The points of a selector that exist, with their state.</summary>
    private List<PlannedPoint> Select(PointSelector selector, bool mustExist)
    {
        List<PlannedPoint> selected = [];
        var filter = BoundFilter.Bind(selector.Filter);
        foreach (PointId id in selector.Ids ?? IdsOf(selector.Filter!))
        {
            if (selected.Count % CancellationStride == 0)
                cancellationToken.ThrowIfCancellationRequested();
            PlannedPoint planned = PlannedOf(id);
            ReadBase(planned);
            if (!planned.Exists && mustExist && selector.Filter is null)
                throw PointErrors.NotFound(id);

            // What the filter met may have changed since; from here on a condition holds it.
            if (planned.Exists && Matches(filter, planned))
                selected.Add(planned);
        }

        return selected;
    }

    private List<PointId> IdsOf(Filter filter)
    {
        List<PointId> ids = state.Filters.FindIds(filter, OperationChecks.MaxFilteredTogether, cancellationToken);
        foreach (PlannedPoint planned in _order)
            ids.Add(planned.Id);
        return [.. ids.Distinct()];
    }

    private static bool Matches(BoundFilter filter, PlannedPoint point) =>
        filter.IsEverything
        || filter.Matches(point.Payload, new CollectionFilters.GivenPoint(point.Id, point.Names));

    private PlannedPoint PlannedOf(PointId id)
    {
        if (!_points.TryGetValue(id, out PlannedPoint? planned))
        {
            planned = new PlannedPoint(id);
            _points.Add(id, planned);
            _order.Add(planned);
        }

        return planned;
    }

    private void ReadBase(PlannedPoint planned)
    {
        if (!planned.IsRead && !planned.IsReplaced)
            planned.SetBase(state.Reader.TryRead(planned.Id));
    }

    private void AddKeys(WriteBatch batch, PlannedPoint point, ulong timeToLiveMs, GrowingBuffer value)
    {
        WriteCondition condition = !point.IsRead
            ? default
            : point.Base is { } stored ? WriteCondition.VersionIs(stored.Version) : WriteCondition.MustBeAbsent;
        TimeSpan? timeToLive = timeToLiveMs == 0 ? null : TimeSpan.FromMilliseconds(timeToLiveMs);
        byte[] key = PointKeys.Point(point.Id);
        IReadOnlyCollection<string> names = point.Names;
        if (point.Exists)
        {
            value.Clear();
            StoredPoint.Write(value, names, point.Payload);
            batch.Put(state.Table, key, value.Span, timeToLive, condition);
        }
        else
        {
            batch.Delete(state.Table, key, condition);
        }

        foreach ((string name, VectorValue vector) in point.Written)
        {
            value.Clear();
            StoredVector.Write(value, vector, state.ElementOf(name));
            batch.Put(state.Table, PointKeys.Vector(point.Id, name), value.Span, timeToLive);
        }

        foreach (string name in PresentBefore(point))
        {
            if (!names.Contains(name) || !point.Exists)
                batch.Delete(state.Table, PointKeys.Vector(point.Id, name));
        }
    }

    /// <summary>The vectors that the point has now, as far as it is known; a key that is overlooked is never looked at.</summary>
    private IEnumerable<string> PresentBefore(PlannedPoint point)
    {
        if (point.IsRead)
            return point.Base?.Vectors ?? [];
        if (isDeferred || !state.IsLoaded)
            return state.VectorNames;
        return state.Indexes.TryFindOffset(point.Id, out uint offset)
            ? state.VectorNames.Where(name => state.Indexes.HasVector(name, offset))
            : [];
    }
}
