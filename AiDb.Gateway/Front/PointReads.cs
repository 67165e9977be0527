using AiDb.Cluster;
using AiDb.Cluster.Balancing;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>Reads of single keys and of many, from a cache replica where the consistency allows it. A replica
/// that fails, or declines, never fails the read: the primary answers instead.</summary>
internal sealed class PointReads(ShardCaller caller, AcknowledgedPositions acknowledged, TimeSpan replicaPatience)
{
    private static readonly Action<Request, ShardRoute, GetState> FillGet = (request, route, state) => request.Get = new Get
    {
        TableId = state.TableId,
        Slot = (uint)route.Slot,
        Key = state.Call.Key,
        Level = state.Reads.LevelOf(route.Shard, state.Call.Options, state.Session),
        Head = state.Call.Head,
    };

    private static readonly Action<Request, ShardRoute, ManyState> FillMany = (request, route, state) =>
    {
        MultiGet many = new() { TableId = state.TableId, Level = state.Reads.LevelOf(route.Shard, state.Options, state.Session) };
        foreach (int index in state.Part.Indexes)
        {
            many.Keys.Add(state.Keys[index]);
            many.Slots.Add((uint)state.Slots[index]);
        }

        request.MultiGet = many;
    };

    /// <summary>Reads one key.</summary>
    public async ValueTask<GetResponse> GetAsync(
        TableDescriptor table, GetRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        SessionToken session = SessionToken.Parse(call.Options?.Session ?? "");
        SlotSource source = SlotSource.Of(table, call.Key, call.Partition);
        ClusterMap map = caller.Router.Map;
        int slot = source.In(map);
        ReadTarget target = Choose(map, slot, table.Id, call.Key, call.Options);
        GetState state = new(this, table.Id, call, session);
        Response? response = target.IsPrimary
            ? null
            : await TryReplicaAsync(target, map, new ShardRoute(map.Slots[slot], slot), FillGet, state, deadline, cancellationToken);
        uint shard = map.Slots[slot];
        if (response is null)
            (shard, response) = await caller.SendToSlotAsync(source, FillGet, state, isRead: true, deadline, cancellationToken);
        session.Advance(shard, ShardPosition.From(response.Position));
        return ToAnswer(response.Get, session.ToString(), withValue: !call.Head);
    }

    /// <summary>Reads many keys: the part of each node at once, as of one moment there.</summary>
    public async ValueTask<MultiGetResponse> MultiGetAsync(
        TableDescriptor table, MultiGetRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        SessionToken session = SessionToken.Parse(call.Options?.Session ?? "");
        int[] slots = new int[call.Keys.Count];
        GetResponse[] values = new GetResponse[slots.Length];
        List<int> open = [.. Enumerable.Range(0, slots.Length)];
        while (open.Count > 0)
        {
            ClusterMap map = caller.Router.Map;
            TableDescriptor current = table.Ranges is null ? table : SlotSource.TableIn(map, table);
            foreach (int index in open)
                slots[index] = current.SlotOf(call.Keys[index].Span, call.Partition.Span);
            List<ReadPart> parts = Split(map, table.Id, call, slots, open);
            Task<(uint Shard, Response? Response)>[] reads = [.. parts.Select(part => ReadPartAsync(
                part, map, new ManyState(this, table.Id, call.Keys, slots, part, call.Options, session), deadline,
                cancellationToken))];
            await Task.WhenAll(reads);
            (open, session) = await CollectAsync(parts, reads, values, session);

            // The parts of a node that no longer has all of their slots are dealt out anew.
            if (open.Count > 0)
                await caller.WaitForMoveAsync(map.Version, deadline, cancellationToken);
        }

        MultiGetResponse result = new() { Session = session.ToString() };
        result.Values.AddRange(values);
        return result;
    }

    /// <summary>Takes the values of the parts that were answered; returns the keys of the others.</summary>
    private static async ValueTask<(List<int> Open, SessionToken Session)> CollectAsync(
        List<ReadPart> parts, Task<(uint Shard, Response? Response)>[] reads, GetResponse[] values, SessionToken session)
    {
        List<int> open = [];
        for (int i = 0; i < parts.Count; i++)
        {
            (uint shard, Response? response) = await reads[i];
            if (response is null)
            {
                open.AddRange(parts[i].Indexes);
                continue;
            }

            if (response.MultiGet is not { } answer || answer.Values_.Count != parts[i].Indexes.Count)
                throw new AiDbException(AiDbErrorKind.Internal, "A node answered a read of other keys.");
            session.Advance(shard, ShardPosition.From(response.Position));
            for (int j = 0; j < answer.Values_.Count; j++)
                values[parts[i].Indexes[j]] = ToAnswer(answer.Values_[j], session: "", withValue: true);
        }

        return (open, session);
    }

    /// <summary>What a read asks of the node: its consistency, and the position that it must have
    /// seen.</summary>
    public ReadLevel LevelOf(uint shard, ReadOptions? options, SessionToken session)
    {
        ReadLevel level = new() { Consistency = ConsistencyOf(options) };
        if (level.Consistency != Consistency.Session)
            return level;
        ShardPosition seen = string.IsNullOrEmpty(options?.Session) ? acknowledged.Of(shard) : session.Of(shard);
        if (seen != default)
            level.AtLeast = seen.ToMessage();
        return level;
    }

    /// <summary>Reads a part; no response: its slots are not all of one shard any more.</summary>
    private async Task<(uint Shard, Response? Response)> ReadPartAsync(
        ReadPart part, ClusterMap map, ManyState state, Deadline deadline, CancellationToken cancellationToken)
    {
        ReadTarget target = part.Targets[0];
        ReadOutcome outcome = ReadOutcome.Abandoned;
        try
        {
            if (!target.IsPrimary
                && await TryReplicaAsync(target, map, new ShardRoute(part.Shard, -1), FillMany, state, deadline, cancellationToken) is { } answer)
            {
                outcome = ReadOutcome.Answered;
                return (part.Shard, answer);
            }

            if (part.Shard == 0)
            {
                return await caller.SendToSlotAsync(
                    SlotSource.Of(state.Slots[part.Indexes[0]]), FillMany, state, isRead: true, deadline, cancellationToken);
            }

            return (part.Shard, await caller.SendToShardAsync(
                part.Shard, FillMany, state, isRead: true, deadline, cancellationToken));
        }
        catch (AiDbException moved) when (moved.Kind == AiDbErrorKind.Aborted && !deadline.HasPassed)
        {
            return (part.Shard, null);
        }
        finally
        {
            for (int i = 1; i < part.Targets.Count; i++)
                caller.Router.Balancer.Complete(part.Targets[i], outcome);
        }
    }

    private async ValueTask<Response?> TryReplicaAsync<TState>(
        ReadTarget target, ClusterMap map, ShardRoute route, Action<Request, ShardRoute, TState> fill, TState state,
        Deadline deadline, CancellationToken cancellationToken)
    {
        Task<Response?> asking = AskReplicaAsync(target, map, route, fill, state, deadline, cancellationToken);

        // Whether a replica is back is tried beside the primary's answer, not in its place.
        return target.IsProbe ? null : await asking;
    }

    /// <summary>Asks a replica; null when it cannot answer. Fails only when the caller gave up.</summary>
    private async Task<Response?> AskReplicaAsync<TState>(
        ReadTarget target, ClusterMap map, ShardRoute route, Action<Request, ShardRoute, TState> fill, TState state,
        Deadline deadline, CancellationToken cancellationToken)
    {
        ReadOutcome outcome = ReadOutcome.Failed;
        try
        {
            if (caller.Router.FindNode(target.NodeId) is not { } replica)
                return null;
            uint patienceMs = (uint)Math.Clamp(replicaPatience.TotalMilliseconds, 1, deadline.RemainingMs);
            Request request = ShardCaller.CreateRequest(map, route.Shard, patienceMs);
            fill(request, route, state);
            Response response = await replica.SendAsync(request, cancellationToken);
            outcome = ReadOutcome.Answered;
            return response.Error is null ? response : null;
        }
        catch (AiDbException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            outcome = ReadOutcome.Abandoned;
            if (target.IsProbe)
                return null;
            throw;
        }
        finally
        {
            caller.Router.Balancer.Complete(target, outcome);
        }
    }

    private ReadTarget Choose(ClusterMap map, int slot, uint tableId, ByteString key, ReadOptions? options)
    {
        bool primaryOnly = ConsistencyOf(options) == Consistency.Linearizable || map.Slots[slot] == 0;
        string primary = map.ShardOfSlot(slot)?.PrimaryNodeId ?? "";
        return caller.Router.Balancer.Choose(primary, primaryOnly ? 0 : KeyHash.Of(tableId, key.Span), primaryOnly);
    }

    // By shard and node. A probe answers nobody, so that its key belongs to the primary's part.
    private List<ReadPart> Split(ClusterMap map, uint tableId, MultiGetRequest call, int[] slots, List<int> indexes)
    {
        Dictionary<(uint Shard, string Node, bool IsProbe), ReadPart> parts = [];
        foreach (int index in indexes)
        {
            ReadTarget target = Choose(map, slots[index], tableId, call.Keys[index], call.Options);
            uint shard = map.Slots[slots[index]];
            (uint, string, bool) key = (shard, target.NodeId, target.IsProbe);
            if (!parts.TryGetValue(key, out ReadPart? part))
                parts.Add(key, part = new ReadPart(shard, [], []));
            part.Indexes.Add(index);
            part.Targets.Add(target);
        }

        return [.. parts.Values];
    }

    private static Consistency ConsistencyOf(ReadOptions? options) =>
        options is null || options.Consistency == Consistency.Unspecified ? Consistency.Session : options.Consistency;

    private static GetResponse ToAnswer(Value? value, string session, bool withValue)
    {
        if (value is null)
            throw new AiDbException(AiDbErrorKind.Internal, "A node answered a read without a value.");
        GetResponse answer = new()
        {
            Found = value.Found,
            Version = value.Version,
            ExpiresAtMs = value.ExpiresAtMs,
            ValueBytes = value.Value_.IsEmpty ? value.ValueBytes : (ulong)value.Value_.Length,
            Info = new ReadInfo
            {
                Source = value.FromCache ? ReadInfo.Types.Source.Cache : ReadInfo.Types.Source.Primary,
                AgeMs = value.AgeMs,
                Session = session,
            },
        };
        if (withValue)
            answer.Value = value.Value_;
        return answer;
    }

    private sealed record ReadPart(uint Shard, List<int> Indexes, List<ReadTarget> Targets);

    private readonly record struct GetState(
        PointReads Reads, uint TableId, GetRequest Call, SessionToken Session);

    private readonly record struct ManyState(
        PointReads Reads, uint TableId, IList<ByteString> Keys, int[] Slots, ReadPart Part, ReadOptions? Options,
        SessionToken Session);
}
