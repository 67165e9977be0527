using System.Collections.Concurrent;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Multiplexing;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Gateway.Routing;

/// <summary>The nodes of a cluster, each behind one shared stream that all requests to it travel
/// on.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class RemoteNodes(string clusterSecret) : INodeDirectory
{
    private readonly ConcurrentDictionary<NodeAddress, Lazy<Connection>> _connections = new();

    /// <inheritdoc/>
    public IShardClient? Find(ClusterMap map, string nodeId) => FindConnection(map, nodeId)?.Client;

    /// <inheritdoc/>
    public CallInvoker? FindInvoker(ClusterMap map, string nodeId) => FindConnection(map, nodeId)?.Invoker;

    private Connection? FindConnection(ClusterMap map, string nodeId)
    {
        if (map.FindNode(nodeId) is not { Address.Length: > 0 } node)
            return null;
        NodeAddress key = new(nodeId, node.Address);
        return (_connections.TryGetValue(key, out Lazy<Connection>? known)
            ? known
            : _connections.GetOrAdd(key, new Lazy<Connection>(() => new Connection(key.Address, clusterSecret)))).Value;
    }

    /// <inheritdoc/>
    public async ValueTask RetainAsync(ClusterMap map)
    {
        foreach (NodeAddress key in _connections.Keys)
        {
            bool isKnown = string.Equals(map.FindNode(key.NodeId)?.Address, key.Address, StringComparison.Ordinal);
            if (!isKnown && _connections.TryRemove(key, out Lazy<Connection>? gone))
                await gone.Value.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (NodeAddress key in _connections.Keys)
        {
            if (_connections.TryRemove(key, out Lazy<Connection>? connection))
                await connection.Value.DisposeAsync();
        }
    }

    private readonly record struct NodeAddress(string NodeId, string Address);

    private sealed class Connection : IAsyncDisposable
    {
        private readonly GrpcChannel _channel;

        public Connection(string address, string clusterSecret)
        {
            _channel = NodeChannels.Open(address, TimeSpan.FromSeconds(5));
            Client = new NodeConnection(_channel.CreateCallInvoker(), clusterSecret);
            Invoker = _channel.WithSecret(clusterSecret);
        }

        public CallInvoker Invoker { get; }

        public NodeConnection Client { get; }

        public async ValueTask DisposeAsync()
        {
            await Client.DisposeAsync();
            _channel.Dispose();
        }
    }
}
