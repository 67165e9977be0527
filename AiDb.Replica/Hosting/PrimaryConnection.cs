using AiDb.Contracts.Multiplexing;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Replica.Hosting;

/// <summary>What a replica has open to one primary: the shared stream, and the channel for feeds.</summary>
internal sealed class PrimaryConnection : IAsyncDisposable
{
    private readonly GrpcChannel _channel;

    public PrimaryConnection(string address, string secret)
    {
        Address = address;
        _channel = NodeChannels.Open(address);
        Invoker = _channel.WithSecret(secret);
        Exchange = new NodeConnection(Invoker);
    }

    public string Address { get; }

    public CallInvoker Invoker { get; }

    public NodeConnection Exchange { get; }

    public async ValueTask DisposeAsync()
    {
        await Exchange.DisposeAsync().ConfigureAwait(false);
        _channel.Dispose();
    }
}
