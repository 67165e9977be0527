using AiDb.Cluster;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Routing;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>Reads of single keys and of many, from a cache replica where the consistency allows it. A replica that fails,
/// or declines, never fails the read: the primary answers instead.</summary>
internal sealed class PointReads(ShardCaller caller, AcknowledgedPositions acknowledged, TimeSpan replicaPatience)
{
    private static readonly Action<Request, uint, GetState> FillGet = (request, shard, state) => request.Get = new Get
    {
        TableId = state.TableId,
        Slot = (uint)state.Slot,
        Key = state.Call.Key,
        Level = state.Reads.LevelOf(shard, state.Call.Options, state.Session),
        Head = state.Call.Head,
    };

    private static readonly Action<Request, uint, ManyState> FillMany = (request, shard, state) =>
    {
        MultiGet many = new() { TableId = state.TableId, Level = state.Reads.LevelOf(shard, state.Options, state.Session) };
        foreach (int index in state.Indexes)
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
        int slot = table.Settings.Partitioning.SlotOf(call.Key.Span, call.Partition.Span);
        GetState state = new(this, table.Id, slot, call, session);
        (uint shard, Response response) =
            await ReadAsync(slot, FillGet, state, call.Options, deadline, cancellationToken);
        session.Advance(shard, ShardPosition.From(response.Position));
        return ToAnswer(response.Get, session.ToString(), withValue: !call.Head);
    }

    /// <summary>Reads many keys, each shard's part as of one moment.</summary>
    public async ValueTask<MultiGetResponse> MultiGetAsync(
        TableDescriptor table, MultiGetRequest call, Deadline deadline, CancellationToken cancellationToken)
    {
        SessionToken session = SessionToken.Parse(call.Options?.Session ?? "");
        int[] slots = new int[call.Keys.Count];
        for (int i = 0; i < slots.Length; i++)
            slots[i] = table.Settings.Partitioning.SlotOf(call.Keys[i].Span, call.Partition.Span);
        GetResponse[] values = new GetResponse[slots.Length];
        List<List<int>> parts = GroupByShard(slots);
        Task<(uint Shard, Response Response)>[] reads = [.. parts.Select(part => ReadAsync(
            slots[part[0]],
            FillMany,
            new ManyState(this, table.Id, call.Keys, slots, part, call.Options, session),
            call.Options,
            deadline,
            cancellationToken).AsTask())];
        await Task.WhenAll(reads);
        for (int i = 0; i < parts.Count; i++)
        {
            (uint shard, Response response) = await reads[i];
            if (response.MultiGet is not { } answer || answer.Values.Count != parts[i].Count)
                throw new AiDbException(AiDbErrorKind.Internal, "A node answered a read of other keys.");
            session.Advance(shard, ShardPosition.From(response.Position));
            for (int j = 0; j < parts[i].Count; j++)
                values[parts[i][j]] = ToAnswer(answer.Values[j], session: "", withValue: true);
        }

        MultiGetResponse result = new() { Session = session.ToString() };
        result.Values.AddRange(values);
        return result;
    }

    /// <summary>What a read asks of the node: its consistency, and the position that it must have seen.</summary>
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

    private async ValueTask<(uint Shard, Response Response)> ReadAsync<TState>(
        int slot, Action<Request, uint, TState> fill, TState state, ReadOptions? options, Deadline deadline,
        CancellationToken cancellationToken)
    {
        if (ConsistencyOf(options) != Consistency.Linearizable)
        {
            ClusterMap map = caller.Router.Map;
            uint shard = map.Slots[slot];
            if (shard != 0 && caller.Router.TryTakeReader(map, shard, slot, out ShardReader reader)
                && await TryReaderAsync(reader, map, shard, fill, state, deadline, cancellationToken) is { } answer)
            {
                return (shard, answer);
            }
        }

        return await caller.SendToSlotAsync(slot, fill, state, isRead: true, deadline, cancellationToken);
    }

    private async ValueTask<Response?> TryReaderAsync<TState>(
        ShardReader reader, ClusterMap map, uint shard, Action<Request, uint, TState> fill, TState state,
        Deadline deadline, CancellationToken cancellationToken)
    {
        ReadOutcome outcome = ReadOutcome.Failed;
        try
        {
            uint patienceMs = (uint)Math.Clamp(replicaPatience.TotalMilliseconds, 1, deadline.RemainingMs);
            Request request = ShardCaller.CreateRequest(map, shard, patienceMs);
            fill(request, shard, state);
            Response response = await reader.Client.SendAsync(request, cancellationToken);
            outcome = response.Error is null ? ReadOutcome.Answered : ReadOutcome.Declined;
            return response.Error is null ? response : null;
        }
        catch (AiDbException exception) when (exception.Kind != AiDbErrorKind.Cancelled)
        {
            return null;
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            outcome = ReadOutcome.Declined;
            throw;
        }
        finally
        {
            reader.Report(outcome);
        }
    }

    private List<List<int>> GroupByShard(int[] slots)
    {
        Dictionary<uint, List<int>> parts = [];
        for (int index = 0; index < slots.Length; index++)
        {
            uint shard = caller.ShardOf(slots[index]);
            if (!parts.TryGetValue(shard, out List<int>? part))
                parts.Add(shard, part = []);
            part.Add(index);
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
            ValueBytes = value.Value.IsEmpty ? value.ValueBytes : (ulong)value.Value.Length,
            Info = new ReadInfo
            {
                Source = value.FromCache ? ReadInfo.Types.Source.Cache : ReadInfo.Types.Source.Primary,
                AgeMs = value.AgeMs,
                Session = session,
            },
        };
        if (withValue)
            answer.Value = value.Value;
        return answer;
    }

    private readonly record struct GetState(
        PointReads Reads, uint TableId, int Slot, GetRequest Call, SessionToken Session);

    private readonly record struct ManyState(
        PointReads Reads, uint TableId, IList<ByteString> Keys, int[] Slots, List<int> Indexes, ReadOptions? Options,
        SessionToken Session);
}
