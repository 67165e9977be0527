using System.Diagnostics;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Gateway.Routing;

namespace AiDb.Gateway.Front;

/// <summary>Sends an operation to the primary of a slot or shard: retries where nothing was done, follows the
/// slots when they moved, and turns the error of an answer into an exception.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ShardCaller(IShardRouter router, TimeProvider clock, TimeSpan retryTime)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a former primary has to answer writes: it may have committed them before it was fenced.</summary>
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(1);

    /// <summary>A newer map ends a pause; this is for an owner that has not seen the map yet.</summary>
    private static readonly TimeSpan LongestMovingPause = TimeSpan.FromMilliseconds(20);

    /// <summary>Where the shards are.</summary>
    public IShardRouter Router => router;

    /// <summary>The clock of deadlines.</summary>
    public TimeProvider Clock => clock;

    /// <summary>The shard of a slot as of now; 0 while the slot has none.</summary>
    public uint ShardOf(int slot) => router.Map.Slots[slot];

    /// <summary>Sends to the primary of a slot's shard.</summary>
    /// <param name="source">The slot; asked anew for each attempt.</param>
    /// <param name="fill">Sets the operation of a request; called anew for each attempt, with the shard and
    /// the slot.</param>
    /// <param name="state">Handed to <paramref name="fill"/>.</param>
    /// <param name="isRead">A read whose answer was lost may be sent again.</param>
    /// <param name="deadline">When to give up.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The shard that answered, and its answer, which is no error.</returns>
    public ValueTask<(uint Shard, Response Response)> SendToSlotAsync<TState>(
        SlotSource source, Action<Request, ShardRoute, TState> fill, TState state, bool isRead, Deadline deadline,
        CancellationToken cancellationToken) =>
        SendAsync(source, 0, fill, state, isRead, deadline, cancellationToken);

    /// <summary>Sends to the primary of a shard; as <see cref="SendToSlotAsync"/>, except that a shard that
    /// no longer owns what is asked of it ends the call with <see cref="AiDbErrorKind.Aborted"/>.</summary>
    public async ValueTask<Response> SendToShardAsync<TState>(
        uint shard, Action<Request, ShardRoute, TState> fill, TState state, bool isRead, Deadline deadline,
        CancellationToken cancellationToken)
    {
        (_, Response response) =
            await SendAsync(SlotSource.Of(-1), shard, fill, state, isRead, deadline, cancellationToken);
        return response;
    }

    /// <summary>Waits for a newer map, or for a moment: slots are moving, and the owner may not know yet.</summary>
    public ValueTask WaitForMoveAsync(long mapVersion, Deadline deadline, CancellationToken cancellationToken) =>
        new(PauseAsync(LongestMovingPause, mapVersion + 1, deadline, cancellationToken));

    /// <summary>A request with the header that every attempt needs.</summary>
    public static Request CreateRequest(ClusterMap map, uint shard, uint timeoutMs)
    {
        Request request = new() { Shard = shard, MapVersion = (ulong)map.Version, TimeoutMs = timeoutMs };
        if (Activity.Current is { Recorded: true, Id: { } id, IdFormat: ActivityIdFormat.W3C })
            request.Traceparent = id;
        return request;
    }

    private async ValueTask<(uint Shard, Response Response)> SendAsync<TState>(
        SlotSource source, uint fixedShard, Action<Request, ShardRoute, TState> fill, TState state, bool isRead, Deadline deadline,
        CancellationToken cancellationToken)
    {
        Deadline retryUntil = Deadline.In(clock, retryTime);
        TimeSpan pause = FirstPause;
        while (true)
        {
            ClusterMap map = router.Map;
            int slot = source.In(map);
            uint shard = slot >= 0 ? map.Slots[slot] : fixedShard;
            AiDbException failure;
            long wantedVersion = map.Version + 1;
            bool isMoving = false;
            try
            {
                IShardClient client = FindPrimary(map, shard, slot);
                Request request = CreateRequest(map, shard, deadline.RemainingMs);
                fill(request, new ShardRoute(shard, slot), state);
                Response response = map.FindShard(shard) is { IsReplicated: true } replicated
                    ? await SendWatchedAsync(client, request, replicated, isRead, cancellationToken)
                    : await client.SendAsync(request, cancellationToken);
                if (response.Error is null)
                    return (shard, response);
                failure = FailedCondition.ToException(response.Error);
                if (failure.Kind == AiDbErrorKind.Aborted && response.MapVersion != 0 && slot >= 0)
                {
                    isMoving = true;
                    failure = new AiDbException(
                        AiDbErrorKind.Unavailable,
                        $"Slot {slot} is moving: shard {shard} does not own it at map version {map.Version}.", failure);
                    wantedVersion = Math.Max(wantedVersion, (long)response.MapVersion);
                }
            }
            catch (AiDbException exception)
            {
                failure = exception;
            }

            bool mayRetry = failure.Kind == AiDbErrorKind.Unavailable
                || (isRead && failure.Kind == AiDbErrorKind.OutcomeUnknown);
            // A slot on its way has an owner soon, a shard of several voters a primary: they are waited for as long as the caller
            // waits.
            bool isWaitedFor = isMoving || map.FindShard(shard) is { IsReplicated: true };
            if (!mayRetry || (retryUntil.HasPassed && !isWaitedFor) || deadline.HasPassed)
                throw failure;
            cancellationToken.ThrowIfCancellationRequested();
            TimeSpan longest = isMoving ? LongestMovingPause : LongestPause;
            await PauseAsync(pause < longest ? pause : longest, wantedVersion, deadline, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Sends to the primary of one of several voters, and waits no longer for it than the map names it: one that stands
    /// still answers nobody, while another has long taken over.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.OutcomeUnknown"/>: another was elected meanwhile. Others as of the
    /// node.</exception>
    private async ValueTask<Response> SendWatchedAsync(
        IShardClient client, Request request, ShardDescriptor shard, bool isRead, CancellationToken cancellationToken)
    {
        using CancellationTokenSource superseded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using IDisposable watch = router.WatchEpoch(shard.Id, shard.Epoch, () =>
            superseded.CancelAfter(isRead ? TimeSpan.Zero : LastWord));
        try
        {
            return await client.SendAsync(request, superseded.Token);
        }
        catch (Exception exception) when (superseded.IsCancellationRequested && !cancellationToken.IsCancellationRequested
            && (exception is OperationCanceledException || exception is AiDbException { Kind: AiDbErrorKind.Cancelled }))
        {
            throw new AiDbException(
                AiDbErrorKind.OutcomeUnknown,
                $"'{shard.PrimaryNodeId}' did not answer, and another primary of shard {shard.Id} was elected meanwhile. Read before "
                + "writing again.", exception);
        }
    }

    private IShardClient FindPrimary(ClusterMap map, uint shard, int slot)
    {
        if (shard == 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                slot >= 0 && map.Shards.Count == 0
                    ? "The cluster has no shards yet: it waits for its primaries (AiDb:Cluster:Shards)."
                    : $"Slot {slot} has no shard yet.");
        }

        return (map.FindShard(shard) is { } found ? router.FindNode(found.PrimaryNodeId) : null)
            ?? throw new AiDbException(
                AiDbErrorKind.Unavailable, $"Shard {shard} has no primary yet.");
    }

    // A newer map ends the pause early: most often it is what the retry waits for.
    private async Task PauseAsync(
        TimeSpan pause, long wantedVersion, Deadline deadline, CancellationToken cancellationToken)
    {
        TimeSpan remaining = deadline.Remaining;
        using CancellationTokenSource source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(pause < remaining ? pause : remaining);
        try
        {
            await router.WaitForNewerMapAsync(wantedVersion - 1, source.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The pause is over.
        }
    }
}
