using AiDb.Cluster.Metadata;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Contracts.Multiplexing;
using AiDb.ServiceDefaults;
using Grpc.Net.Client;

namespace AiDb.Replica.Hosting;

/// <summary>Opens the metadata store that the settings of a replica name.</summary>
internal static class MetadataStores
{
    /// <summary>Opens the store; nothing is connected before its first call.</summary>
    public static IMetadataStore Open(MetadataOptions options, string secret)
    {
        if (EtcdOptions.IsEtcd(options.Address))
            return new EtcdMetadataStore(ToEtcd(options), TimeProvider.System);
        GrpcChannel channel = NodeChannels.Open(options.Address);
        return new RemoteMetadataStore(channel.WithSecret(secret), TimeProvider.System, channel: channel);
    }

    /// <summary>Adds what is wrong with an address of etcd and what belongs to it.</summary>
    public static void Check(MetadataOptions options, ICollection<string> errors)
    {
        if (!EtcdOptions.IsEtcd(options.Address))
            return;
        try
        {
            ToEtcd(options).Validate();
        }
        catch (AiDbException exception)
        {
            errors.Add("AiDb:Metadata: " + exception.Message.TrimEnd('.'));
        }
    }

    private static EtcdOptions ToEtcd(MetadataOptions options) => EtcdOptions.Parse(options.Address) with
    {
        User = options.User,
        Password = options.Password,
        CaCertificatePath = options.CaCertificatePath,
        ClientCertificatePath = options.ClientCertificatePath,
        ClientKeyPath = options.ClientKeyPath,
    };
}
