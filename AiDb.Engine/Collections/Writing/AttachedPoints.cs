using AiDb.Engine.Collections.Indexing;

namespace AiDb.Engine.Collections.Writing;

/// <summary>Points whose keys are in a batch, and that the indexes are told of once it is committed.</summary>
internal sealed class AttachedPoints(CollectionState state, List<PointChange> changes)
{
    private Dictionary<PointId, int>? _places;
    private long _generation;

    /// <summary>The collection.</summary>
    public CollectionState State => state;

    /// <summary>Adds points of the same batch; of several changes of one point the last counts.</summary>
    public void Add(AttachedPoints others)
    {
        if (_places is null)
        {
            _places = [];
            for (int index = 0; index < changes.Count; index++)
                _places[changes[index].Id] = index;
        }

        foreach (PointChange change in others.Changes)
        {
            if (_places.TryGetValue(change.Id, out int earlier))
            {
                changes[earlier] = change;
                continue;
            }

            _places.Add(change.Id, changes.Count);
            changes.Add(change);
        }
    }

    private List<PointChange> Changes => changes;

    /// <summary>Before the write: from here on deletions are remembered that may be newer.</summary>
    public void Begin() => _generation = state.Indexes.Writers.Enter();

    /// <summary>After the write.</summary>
    public void End(WriteResult? result)
    {
        try
        {
            if (result is { Applied: true } written)
            {
                foreach (PointChange change in changes)
                    state.TakeIn(change, written.Version);
                state.OnWritten(changes.Count);
            }
        }
        finally
        {
            state.Indexes.Writers.Leave(_generation);
        }
    }
}
