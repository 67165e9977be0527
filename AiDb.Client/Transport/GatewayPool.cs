namespace AiDb.Client.Transport;

/// <summary>The gateways of a client. Calls go in turn to those that answer.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last.</remarks>
internal sealed class GatewayPool : IAsyncDisposable
{
    private readonly GatewayConnection[] _connections;
    private uint _next;

    public GatewayPool(AiDbClientSettings settings, TimeProvider time) =>
        _connections = [.. settings.Endpoints
            .Select(static address => address.TrimEnd('/'))
            .Distinct(StringComparer.OrdinalIgnoreCase)
            .Select(address => new GatewayConnection(address, settings, time))];

    public IReadOnlyList<GatewayConnection> Connections => _connections;

    /// <summary>The gateway for the next attempt: a usable one, other than <paramref name="previous"/> where
    /// there is one; any other where none is usable.</summary>
    public GatewayConnection Pick(GatewayConnection? previous)
    {
        if (_connections.Length == 1)
            return _connections[0];
        uint start = Interlocked.Increment(ref _next);
        GatewayConnection? fallback = null;
        for (uint offset = 0; offset < _connections.Length; offset++)
        {
            GatewayConnection candidate = _connections[(start + offset) % (uint)_connections.Length];
            if (candidate.IsUsable && !ReferenceEquals(candidate, previous))
                return candidate;
            if (fallback is null || candidate.IsUsable)
                fallback = candidate;
        }

        return fallback!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (GatewayConnection connection in _connections)
            await connection.DisposeAsync().ConfigureAwait(false);
    }
}
