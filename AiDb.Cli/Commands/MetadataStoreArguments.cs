using System.CommandLine;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Contracts.Multiplexing;
using AiDb.Engine;
using Grpc.Net.Client;

namespace AiDb.Cli.Commands;

/// <summary>What happens where a folder holds no store.</summary>
internal enum MissingStore
{
    /// <summary>It is an error.</summary>
    Refuse,

    /// <summary>One is made.</summary>
    Create,

    /// <summary>An empty one in memory stands for it.</summary>
    Imagine,
}

/// <summary>The options that name a metadata store: a gateway's by address or by folder, or etcd.</summary>
internal sealed class MetadataStoreArguments
{
    private readonly Option<string?> _store = Text(
        "--store",
        "The store: etcd://host:2379,host2:2379/prefix (etcds:// with TLS), the gRPC address of a running gateway that holds it, or the "
        + "data folder of one that is stopped.",
        "AIDB_METADATA");

    private readonly Option<string?> _secret = Text(
        "--cluster-secret", "The cluster's secret, which a running gateway asks for.", "AIDB_CLUSTER_SECRET");

    private readonly Option<string?> _user = Text("--user", "The user of etcd; AIDB_METADATA_PASSWORD holds the password.", "AIDB_METADATA_USER");
    private readonly Option<string?> _authorities = Text("--ca", "PEM file of those who sign etcd's certificates.", "AIDB_METADATA_CA");
    private readonly Option<string?> _certificate = Text("--cert", "PEM file of the certificate to show to etcd.", "AIDB_METADATA_CERT");
    private readonly Option<string?> _key = Text("--key", "PEM file of its key.", "AIDB_METADATA_KEY");

    public void AddTo(Command command)
    {
        command.Add(_store);
        command.Add(_secret);
        command.Add(_user);
        command.Add(_authorities);
        command.Add(_certificate);
        command.Add(_key);
    }

    /// <summary>Opens the store.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="time">The clock.</param>
    /// <param name="missing">What happens where a folder holds no store.</param>
    public IMetadataStore Open(ParseResult parsed, TimeProvider time, MissingStore missing)
    {
        if (parsed.GetValue(_store) is not { Length: > 0 } store)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "--store must name the metadata store: etcd://host:2379, a gateway's gRPC address, or a gateway's data folder.");
        }

        if (EtcdOptions.IsEtcd(store))
        {
            return new EtcdMetadataStore(
                EtcdOptions.Parse(store) with
                {
                    User = parsed.GetValue(_user),
                    Password = parsed.GetValue(_user) is null ? null : Variable("AIDB_METADATA_PASSWORD"),
                    CaCertificatePath = parsed.GetValue(_authorities),
                    ClientCertificatePath = parsed.GetValue(_certificate),
                    ClientKeyPath = parsed.GetValue(_key),
                },
                time);
        }

        return store.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || store.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            ? OpenRemote(store, parsed.GetValue(_secret) ?? "", time)
            : OpenFolder(store, time, missing);
    }

    private static RemoteMetadataStore OpenRemote(string address, string secret, TimeProvider time)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out _))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"--store '{address}' is not an address.");
        GrpcChannel channel = NodeChannels.Open(address, TimeSpan.FromSeconds(5));
        return new RemoteMetadataStore(channel.WithSecret(secret), time, channel: channel);
    }

    private static EmbeddedMetadataStore OpenFolder(string folder, TimeProvider time, MissingStore missing)
    {
        string path = Path.Combine(Path.GetFullPath(folder), "metadata");
        if (missing != MissingStore.Create && !Directory.Exists(path))
        {
            return missing == MissingStore.Imagine
                ? EmbeddedMetadataStore.InMemory(time)
                : throw new AiDbException(
                    AiDbErrorKind.NotFound, $"'{folder}' is not the data folder of a gateway: it holds no folder 'metadata'.");
        }

        return EmbeddedMetadataStore.Open(path, new DatabaseComponents { TimeProvider = time });
    }

    private static Option<string?> Text(string name, string description, string variable) => new(name)
    {
        Description = $"{description} Environment: {variable}.",
        DefaultValueFactory = _ => Variable(variable),
    };

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? text : null;
}
