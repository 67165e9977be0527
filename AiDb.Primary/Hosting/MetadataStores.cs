using AiDb.Cluster.Metadata;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Contracts.Multiplexing;
using AiDb.ServiceDefaults;
using Grpc.Net.Client;

namespace AiDb.Primary.Hosting;

/// <summary>Opens the metadata store that the settings of a primary or a gateway name.</summary>
public static class MetadataStores
{
    /// <summary>Opens a store of another process; nothing is connected before its first call.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="secret">The cluster's secret, which a gateway asks for.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="AiDbException">A setting is invalid, or a certificate cannot be read.</exception>
    public static IMetadataStore Open(MetadataOptions options, string secret, TimeProvider time)
    {
        if (EtcdOptions.IsEtcd(options.Address))
            return new EtcdMetadataStore(ToEtcd(options), time);
        GrpcChannel channel = NodeChannels.Open(options.Address, TimeSpan.FromSeconds(5));
        return new RemoteMetadataStore(channel.WithSecret(secret), time, channel: channel);
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
