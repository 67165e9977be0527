using System.Collections.Concurrent;
using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Primary.Voters;

/// <summary>Carries the messages of this node's voters: one stream to each other node, for all shards.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ReplicationTransport(
    string nodeId, string clusterSecret, ClusterMapWatcher map, TimeProvider time, ILogger<ReplicationTransport> logger)
    : IReplicationTransport, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Peer> _peers = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private bool _isDisposed;

    /// <inheritdoc/>
    public void Send(string nodeId, uint shard, ReplicationMessage message) =>
        Send(nodeId, ReplicationWire.ToItem(shard, message));

    /// <summary>Sends a message that is the host's, not the protocol's.</summary>
    public void Send(string nodeId, ReplicationItem item) => Find(nodeId)?.Send(item);

    /// <summary>Closes streams to nodes that the map does not know any more.</summary>
    public async ValueTask RetainAsync(ClusterMap current)
    {
        foreach (string peerId in _peers.Keys)
        {
            if (current.FindNode(peerId) is null && _peers.TryRemove(peerId, out Peer? gone))
                await gone.Stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _isDisposed = true;
        foreach (Peer peer in _peers.Values)
            await peer.Stream.DisposeAsync().ConfigureAwait(false);
        _peers.Clear();
    }

    private PeerStream? Find(string peerId)
    {
        if (map.Current.FindNode(peerId) is not { Address.Length: > 0 } node || peerId == nodeId)
            return null;
        if (_peers.TryGetValue(peerId, out Peer? known) && known.Serves(node))
            return known.Stream;
        lock (_gate)
        {
            if (_isDisposed)
                return null;
            if (_peers.TryGetValue(peerId, out known))
            {
                if (known.Serves(node))
                    return known.Stream;
                _ = known.Stream.DisposeAsync().AsTask();
            }

            // A new run of the process is met by a new connection: the old one may hang for a while.
            var peer = new Peer(
                node.Address, node.Incarnation,
                new PeerStream(nodeId, peerId, node.Address, clusterSecret, time, logger));
            _peers[peerId] = peer;
            return peer.Stream;
        }
    }

    private sealed record Peer(string Address, string Incarnation, PeerStream Stream)
    {
        /// <summary>A node that is not alive by the map has no incarnation; the stream it had may still stand.</summary>
        public bool Serves(NodeDescriptor node) =>
            Address == node.Address && (node.Incarnation.Length == 0 || Incarnation == node.Incarnation);
    }
}
