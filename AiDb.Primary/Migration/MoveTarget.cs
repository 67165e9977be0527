using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Engine;
using AiDb.Primary.Shards;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Primary.Migration;

/// <summary>The target's side of a migration: takes in the copy, which nobody sees, compares it with what the source
/// counted, makes it durable, and commits the migration in the metadata store.</summary>
internal sealed class MoveTarget(
    ShardHost host, ClusterMapWatcher map, IMetadataStore store, string clusterSecret, TimeProvider time)
{
    private static readonly TimeSpan LongestMove = TimeSpan.FromHours(1);

    private CommitBasis? _basis;
    private long _completeAt;

    /// <summary>Carries out a migration up to its commit.</summary>
    /// <exception cref="AiDbException">It did not come to that; whether it was committed all the same is for the metadata
    /// store to say.</exception>
    /// <returns>How long it took from the last key to the commit.</returns>
    public async Task<TimeSpan> RunAsync(SlotMigration migration, CancellationToken cancellationToken)
    {
        await host.Moves.Markers.PutAsync(
            new MoveMarker(migration.Id, MoveRole.Target, migration.Slots), cancellationToken).ConfigureAwait(false);
        NodeDescriptor source = map.Current.PrimaryOf(migration.Source)
            ?? throw new AiDbException(AiDbErrorKind.Unavailable, $"Shard {migration.Source} has no primary.");
        using GrpcChannel channel = NodeChannels.Open(source.Address);
        var request = new MoveSlotsRequest
        {
            Shard = migration.Source,
            Migration = migration.Id,
            BytesPerSecond = migration.BytesPerSecond,
            HorizonMs = (ulong)time.GetUtcNow().Add(LongestMove).ToUnixTimeMilliseconds(),
            AsksForFreeze = true,
        };
        (ulong keys, ulong bytes) = (0, 0);
        try
        {
            var client = new Shard.ShardClient(channel.WithSecret(clusterSecret));
            using AsyncServerStreamingCall<MoveFrame> stream = client.MoveSlots(request, cancellationToken: cancellationToken);
            (keys, bytes) = await TakeAsync(
                migration, request.HorizonMs, stream.ResponseStream, () => AllowFreezeAsync(client, migration, cancellationToken),
                cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException exception)
        {
            throw ErrorMapping.FromRpc(exception);
        }

        MigrationPhase? phase = await MigrationRecords.CommitAsync(store, migration.Id, keys, bytes, _basis, cancellationToken)
            .ConfigureAwait(false);
        if (phase is not (MigrationPhase.Committed or MigrationPhase.Done))
            throw new AiDbException(AiDbErrorKind.Aborted, $"Migration {migration.Id} was ended before its commit.");
        return time.GetElapsedTime(_completeAt);
    }

    /// <summary>Does before the freeze whatever can be done before it: what came is made durable, and the commit is
    /// prepared.</summary>
    private async ValueTask AllowFreezeAsync(
        Shard.ShardClient client, SlotMigration migration, CancellationToken cancellationToken)
    {
        await host.Moves.Markers.PutAsync(
            new MoveMarker(migration.Id, MoveRole.Target, migration.Slots), cancellationToken).ConfigureAwait(false);
        _basis = await MigrationRecords.ReadBasisAsync(store, migration.Id, cancellationToken).ConfigureAwait(false);
        await client.FreezeSlotsAsync(
            new FreezeSlotsRequest { Shard = migration.Source, Migration = migration.Id }, cancellationToken: cancellationToken)
            .ConfigureAwait(false);
    }

    private async ValueTask<(ulong Keys, ulong Bytes)> TakeAsync(
        SlotMigration migration, ulong horizonMs, IAsyncStreamReader<MoveFrame> frames, Func<ValueTask> allowFreeze,
        CancellationToken cancellationToken)
    {
        var checksum = new MoveChecksum(horizonMs);
        ulong keys = 0;
        ulong bytes = 0;
        ulong taken = 0;
        string phase = "Copy";
        var batch = new WriteBatch();
        while (await frames.MoveNext(cancellationToken).ConfigureAwait(false))
        {
            MoveFrame frame = frames.Current;
            foreach (MovedKey key in frame.Keys)
            {
                Add(batch, key, ref checksum);
                keys++;
                bytes += (ulong)(key.Key.Length + key.Value.Length);
            }

            if (batch.Count > 0)
                await host.Database.TryWriteAsync(batch, WriteDurability.Memory, cancellationToken).ConfigureAwait(false);
            batch = new WriteBatch();
            if (frame.Copied)
                phase = "Tail";
            host.Moves.Report(migration.Id, new MoveFigures(
                migration.Id, frame.Frozen ? "Ready" : phase, keys, bytes, ++taken));
            if (frame.CaughtUp)
                await allowFreeze().ConfigureAwait(false);
            if (_completeAt == 0 && (frame.Complete || frame.Frozen))
                await CompleteAsync(migration, frame, checksum, cancellationToken).ConfigureAwait(false);
            if (frame.Frozen)
                return (keys, bytes);
        }

        throw new AiDbException(AiDbErrorKind.Unavailable, "The source ended the copy before its last frame.");
    }

    /// <summary>Compares what came with what the source counted, and makes it durable that all is there.</summary>
    private async ValueTask CompleteAsync(
        SlotMigration migration, MoveFrame frame, MoveChecksum checksum, CancellationToken cancellationToken)
    {
        _completeAt = time.GetTimestamp();
        if (frame.KeyCount != checksum.Count || frame.Checksum != checksum.Sum)
        {
            throw new AiDbException(
                AiDbErrorKind.Aborted,
                $"The copy differs from its source: {checksum.Count} keys with checksum {checksum.Sum:x16}, there "
                + $"{frame.KeyCount} with {frame.Checksum:x16}.");
        }

        await host.Moves.Markers.PutAsync(
            new MoveMarker(migration.Id, MoveRole.Ready, migration.Slots), cancellationToken).ConfigureAwait(false);
    }

    private void Add(WriteBatch batch, MovedKey key, ref MoveChecksum checksum)
    {
        Table table = host.Database.GetTableById(key.TableId);
        ulong before = 0;
        if (table.TryGet(key.Key.Span, out ValueLease lease))
        {
            using (lease)
                before = checksum.Of(key.TableId, key.Key.Span, lease.Span, lease.Version, lease.ExpiresAtMs);
        }

        NamedPartitions partitions = host.Moves.Partitions;
        if (key.Absent)
        {
            batch.Delete(table, key.Key.Span);
            partitions.Delete(batch, key.TableId, key.Key.Span);
            checksum.Replace(before, 0);
            return;
        }

        batch.PutMoved(table, key.Key.Span, key.Value.Span, key.Version, key.ExpiresAtMs);
        if (key.NamedSlot != 0)
        {
            partitions.PutMoved(
                batch, key.TableId, key.Key.Span, (int)key.NamedSlot - 1, key.Version, key.ExpiresAtMs);
        }

        checksum.Replace(
            before, checksum.Of(key.TableId, key.Key.Span, key.Value.Span, key.Version, key.ExpiresAtMs));
    }
}
