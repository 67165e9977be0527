using System.Collections.Concurrent;
using AiDb.Engine.Collections.Diagnostics;

namespace AiDb.Engine.Collections.Writing;

/// <summary>The points of a collection that are written and that its indexes could not take in.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class PointsBehind(CollectionState state)
{
    private readonly ConcurrentDictionary<PointId, object> _points = new();
    private Exception? _lastError;

    /// <summary>Says that there are any; null: there are none.</summary>
    public AiDbException? Problem => _points.IsEmpty
        ? null
        : new AiDbException(
            AiDbErrorKind.Internal,
            $"The indexes could not take in {_points.Count} written points, which searches do not find as they are. " +
            $"They are read from their keys again every few seconds. The last error: {_lastError?.Message}",
            _lastError);

    /// <summary>Adds a point.</summary>
    public void Add(PointId id, Exception error)
    {
        _lastError = error;
        _points[id] = new object();
        CollectionLog.NotTakenIn(state.Database.Context.Logger, state.Name, id, error);
    }

    /// <summary>Takes in what can be.</summary>
    public void CatchUp()
    {
        foreach ((PointId id, object mark) in _points)
        {
            if (state.IsClosing)
                return;
            try
            {
                state.TakeAgain(id);

                // Only if it has not failed anew meanwhile.
                _points.TryRemove(KeyValuePair.Create(id, mark));
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (Exception error)
            {
                _lastError = error;
            }
        }
    }
}
