using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Engine.Log;
using Grpc.Core;

namespace AiDb.Primary.Shards;

/// <summary>What a cache hears of a shard: the keys of its applied, durable entries in order, and, while
/// nothing happens, a heartbeat with the position.</summary>
/// <remarks>One feed belongs to one subscriber. Every frame names the position before it, so that a
/// subscriber notices a gap. The feed says that it is current only as of a moment at which what it has sent
/// was the newest entry.</remarks>
internal sealed class SubscriptionFeed(ShardHost host, TimeProvider time)
{
    /// <summary>The longest silence.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromMilliseconds(200);

    private const int MaxFrameInvalidations = 4096;

    private LogPosition _sent;
    private ulong _newestLsn;
    private long _newestAt;

    /// <summary>Feeds a subscriber until it leaves or the shard is closed.</summary>
    public async Task RunAsync(
        SubscribeRequest request, IServerStreamWriter<SubscribeFrame> writer, CancellationToken cancellationToken)
    {
        Position? from = request.From;
        while (true)
        {
            using LogTail tail = Open(from, out bool reset);
            await FollowAsync(tail, reset, writer, cancellationToken).ConfigureAwait(false);
            // It fell behind what the log keeps: everything is cold, and it begins anew.
            from = null;
        }
    }

    private LogTail Open(Position? from, out bool reset)
    {
        LogPosition applied = host.Database.AppliedPosition;
        if (from is { Lsn: > 0 } && from.Epoch == applied.Epoch && from.Lsn <= applied.Lsn)
        {
            try
            {
                LogTail tail = host.Database.TailLog(from.Lsn + 1);
                _sent = new LogPosition(from.Epoch, from.Lsn, 0);
                reset = false;
                return tail;
            }
            catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.Aborted)
            {
                // The log does not reach back that far.
            }
        }

        _sent = applied;
        reset = true;
        return host.Database.TailLog(applied.Lsn + 1);
    }

    /// <summary>Sends frames until the tail is lost.</summary>
    private async Task FollowAsync(
        LogTail tail, bool reset, IServerStreamWriter<SubscribeFrame> writer, CancellationToken cancellationToken)
    {
        var frame = new SubscribeFrame();
        Task<bool>? more = null;
        while (true)
        {
            frame.Invalidations.Clear();
            frame.DroppedTables.Clear();
            frame.Reset = reset;
            frame.Previous = reset ? null : At(_sent);
            if (!Fill(frame, tail))
                return;
            await writer.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
            reset = false;

            more ??= tail.WaitToReadAsync(cancellationToken).AsTask();
            await ((Task)more).WaitAsync(HeartbeatInterval, time, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (!more.IsCompleted)
                continue;
            if (!await more.ConfigureAwait(false))
                throw new AiDbException(AiDbErrorKind.Unavailable, $"Shard {host.Shard} is closing.");
            more = null;
        }
    }

    /// <summary>Puts what can be read into a frame; false when the log no longer holds what comes
    /// next.</summary>
    private bool Fill(SubscribeFrame frame, LogTail tail)
    {
        // A moment and the newest entry at it; kept until that entry is sent, which may have to wait for the
        // disk.
        if (_sent.Lsn >= _newestLsn)
        {
            _newestAt = time.GetTimestamp();
            _newestLsn = host.Database.AppliedPosition.Lsn;
        }

        try
        {
            while (frame.Invalidations.Count < MaxFrameInvalidations && tail.TryRead(out LogEntry entry))
            {
                if (entry.Type == LogRecordType.Batch)
                    AddKeys(frame, entry);
                _sent = entry.Position;
            }
        }
        catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.Aborted)
        {
            return false;
        }

        frame.Position = At(_sent);
        frame.Behind = _sent.Lsn < _newestLsn;
        frame.LagMs = frame.Behind ? 0 : (uint)time.GetElapsedTime(_newestAt).TotalMilliseconds;
        return true;
    }

    private void AddKeys(SubscribeFrame frame, LogEntry entry)
    {
        var operations = new LogOperationReader(entry.Payload.Span);
        while (operations.MoveNext())
        {
            if (operations.Kind == LogOperationKind.Require)
                continue;

            // Caches know keys by their hash, so for them a range is the whole table: what they filled before this
            // entry is stale.
            if (operations.Kind == LogOperationKind.DeleteRange)
            {
                if (!frame.DroppedTables.Contains(operations.TableId))
                    frame.DroppedTables.Add(operations.TableId);
                continue;
            }

            // Frozen slots are another shard's soon, which nobody who holds keys of them would hear of.
            if (host.Moves.Markers.EndsCaches(operations.TableId, operations.Value))
                frame.Reset = true;

            // A drop is an entry like any other, so that who was away while it happened hears of it, too.
            if (operations.InvalidatedTable is { } invalidated)
                frame.DroppedTables.Add(invalidated);
            frame.Invalidations.Add(new Invalidation
            {
                Lsn = entry.Position.Lsn,
                KeyHash = KeyHash.Of(operations.TableId, operations.Key),
            });
        }
    }

    private static Position At(LogPosition position) => new() { Epoch = position.Epoch, Lsn = position.Lsn };
}
