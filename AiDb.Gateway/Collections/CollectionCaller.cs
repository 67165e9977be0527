using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Collections;

/// <summary>Sends what is asked of a collection to its shards.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CollectionCaller(ShardCaller caller, FrontOptions options)
{
    private static readonly Action<Request, ShardRoute, CollectionCall> Fill =
        static (request, _, call) => request.Collection = call;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private ClusterMap? _map;
    private uint[] _shards = [];

    /// <summary>The shards that own slots.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: slots are not dealt out
    /// yet.</exception>
    public uint[] Shards
    {
        get
        {
            ClusterMap map = caller.Router.Map;
            if (ReferenceEquals(map, Volatile.Read(ref _map)))
                return Volatile.Read(ref _shards);
            if (!map.Slots.IsComplete)
            {
                throw new AiDbException(
                    AiDbErrorKind.Unavailable, "The cluster's slots are not dealt out yet: primaries are missing.");
            }

            uint[] shards = [.. map.Shards.Where(shard => map.Slots.Count(shard.Id) > 0).Select(shard => shard.Id)];
            Volatile.Write(ref _shards, shards);
            Volatile.Write(ref _map, map);
            return shards;
        }
    }

    /// <summary>The time limit of a request.</summary>
    public Deadline NewDeadline() => Deadline.In(caller.Clock, options.RequestTimeout);

    /// <summary>The time limit of work that reads a whole collection.</summary>
    public Deadline NewLongDeadline() => Deadline.In(caller.Clock, options.LongRequestTimeout);

    /// <summary>The shard of a slot, as of now.</summary>
    public uint ShardOf(int slot) => caller.ShardOf(slot);

    /// <summary>Asks every shard.</summary>
    /// <returns>The answers, by shard.</returns>
    public async ValueTask<CollectionAnswer[]> AskAllAsync(
        CollectionCall call, bool isRead, Deadline deadline, CancellationToken cancellationToken)
    {
        uint[] shards = Shards;
        if (shards.Length == 1)
            return [(await AskAsync(shards[0], call, isRead, deadline, cancellationToken)).Answer];
        Task<(CollectionAnswer Answer, Response Response)>[] asked =
            [.. shards.Select(shard => AskAsync(shard, call, isRead, deadline, cancellationToken).AsTask())];
        return [.. (await Task.WhenAll(asked)).Select(pair => pair.Answer)];
    }

    /// <summary>Asks one shard.</summary>
    public async ValueTask<(CollectionAnswer Answer, Response Response)> AskAsync(
        uint shard, CollectionCall call, bool isRead, Deadline deadline, CancellationToken cancellationToken)
    {
        Response response = await caller.SendToShardAsync(shard, Fill, call, isRead, deadline, cancellationToken);
        return (response.Collection ?? new CollectionAnswer(), response);
    }

    /// <summary>Does something that goes by the slots, anew where slots moved meanwhile.</summary>
    public async ValueTask<T> FollowSlotsAsync<T>(Func<ValueTask<T>> attempt, CancellationToken cancellationToken)
    {
        Deadline retryUntil = Deadline.In(caller.Clock, options.RetryTime);
        while (true)
        {
            long version = caller.Router.Map.Version;
            try
            {
                return await attempt();
            }
            catch (AiDbException moved) when (moved.Kind == AiDbErrorKind.Aborted && !retryUntil.HasPassed)
            {
                using CancellationTokenSource pause = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                pause.CancelAfter(Pause);
                try
                {
                    await caller.Router.WaitForNewerMapAsync(version, pause.Token);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    // The pause is over.
                }
            }
        }
    }
}
