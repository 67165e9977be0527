using Microsoft.Extensions.Configuration;

namespace AiDb.ServiceDefaults;

/// <summary>Which metadata store a node uses: the section <c>AiDb:Metadata</c> of the settings.</summary>
public sealed record MetadataOptions
{
    private static readonly string[] Schemes = ["http", "https", "etcd", "etcds"];

    /// <summary><c>AiDb:Metadata:Address</c>: the gRPC address of the gateway that holds the store, or
    /// <c>etcd://host:2379,host2:2379/prefix</c>; <c>etcds://</c> with TLS.</summary>
    public required string Address { get; init; }

    /// <summary><c>AiDb:Metadata:User</c>: the user of etcd; null: nobody.</summary>
    public string? User { get; init; }

    /// <summary><c>AiDb:Metadata:Password</c>: that user's password.</summary>
    public string? Password { get; init; }

    /// <summary><c>AiDb:Metadata:CaCertificate</c>: a PEM file of those who sign etcd's certificates; null:
    /// whom the machine trusts.</summary>
    public string? CaCertificatePath { get; init; }

    /// <summary><c>AiDb:Metadata:ClientCertificate</c>: a PEM file of the certificate to show to etcd.</summary>
    public string? ClientCertificatePath { get; init; }

    /// <summary><c>AiDb:Metadata:ClientKey</c>: a PEM file of its key.</summary>
    public string? ClientKeyPath { get; init; }

    /// <summary>Whether it is etcd, and no gateway holds it.</summary>
    public bool IsEtcd => Address.StartsWith("etcd", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads the settings; null: they name no store. Every fault is added to
    /// <paramref name="errors"/>, each naming its setting.</summary>
    public static MetadataOptions? Read(IConfiguration configuration, ICollection<string> errors)
    {
        string? Text(string name) => configuration["AiDb:Metadata:" + name] is { Length: > 0 } text ? text : null;
        string? File(string name)
        {
            if (Text(name) is { } path && !System.IO.File.Exists(path))
                errors.Add($"AiDb:Metadata:{name} is '{path}'; there is no such file");
            return Text(name);
        }

        if (Text("Address") is not { } address)
            return null;
        if (!IsAddress(address))
        {
            errors.Add($"AiDb:Metadata:Address is '{address}'; it must be the gRPC address of the gateway that holds the "
                + "metadata store, like http://10.0.0.1:6334, or etcd://10.0.0.1:2379,10.0.0.2:2379");
        }

        return new MetadataOptions
        {
            Address = address.TrimEnd('/'),
            User = Text("User"),
            Password = Text("Password"),
            CaCertificatePath = File("CaCertificate"),
            ClientCertificatePath = File("ClientCertificate"),
            ClientKeyPath = File("ClientKey"),
        };
    }

    /// <summary>The address alone: the rest holds a secret.</summary>
    public override string ToString() => Address;

    // An address of etcd may name several hosts; its own parser says what is wrong with it.
    private static bool IsAddress(string address)
    {
        int scheme = address.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0 || !Schemes.Contains(address[..scheme], StringComparer.OrdinalIgnoreCase))
            return false;
        return address.StartsWith("etcd", StringComparison.OrdinalIgnoreCase)
            || (Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Port > 0);
    }
}
