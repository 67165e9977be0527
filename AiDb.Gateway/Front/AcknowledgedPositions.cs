using System.Collections.Concurrent;
using AiDb.Cluster;

namespace AiDb.Gateway.Front;

/// <summary>The last position of each shard that this gateway acknowledged a write at. Callers that carry no
/// session token (plain REST) read at least that, and so their own writes, as long as they stay with one
/// gateway.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class AcknowledgedPositions
{
    private readonly ConcurrentDictionary<uint, ShardPosition> _positions = new();

    /// <summary>The position of a shard.</summary>
    public ShardPosition Of(uint shard) => _positions.GetValueOrDefault(shard);

    /// <summary>Notes a write.</summary>
    public void Advance(uint shard, ShardPosition position)
    {
        while (true)
        {
            if (!_positions.TryGetValue(shard, out ShardPosition known))
            {
                if (_positions.TryAdd(shard, position))
                    return;
            }
            else if (known >= position || _positions.TryUpdate(shard, position, known))
            {
                return;
            }
        }
    }
}
