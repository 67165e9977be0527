using Microsoft.Extensions.Configuration;

namespace AiDb.ServiceDefaults;

/// <summary>What a node behind the gateway must know to join its cluster: the section <c>AiDb</c> of the
/// settings.</summary>
public sealed record NodeOptions
{
    /// <summary><c>AiDb:Node:Id</c>: its name, the same after a restart, unique in the cluster.</summary>
    public required string NodeId { get; init; }

    /// <summary><c>AiDb:Node:Address</c>: where others reach its gRPC port; null: where it listens.</summary>
    public string? NodeAddress { get; init; }

    /// <summary><c>AiDb:Node:Zone</c>: what fails together with it - a rack, an availability zone; empty: not
    /// told.</summary>
    public string Zone { get; init; } = "";

    /// <summary><c>AiDb:Metadata</c>: the metadata store.</summary>
    public required MetadataOptions Metadata { get; init; }

    /// <summary>Where the metadata store is.</summary>
    public string MetadataAddress => Metadata.Address;

    /// <summary><c>AiDb:Cluster:Secret</c>: what every inner call carries.</summary>
    public required string ClusterSecret { get; init; }

    /// <summary>Reads the settings. Every fault is added to <paramref name="errors"/>, each naming its
    /// setting.</summary>
    public static NodeOptions Read(IConfiguration configuration, ICollection<string> errors)
    {
        string id = configuration["AiDb:Node:Id"] ?? "";
        if (!IsName(id))
            errors.Add($"AiDb:Node:Id is '{id}'; it must be 1 to 63 letters, digits, '-', '_' or '.'");
        string? address = configuration["AiDb:Node:Address"];
        if (string.IsNullOrWhiteSpace(address))
            address = null;
        else if (!IsAddress(address))
            errors.Add($"AiDb:Node:Address is '{address}'; it must be like http://10.0.0.7:6334, or unset");
        MetadataOptions? metadata = MetadataOptions.Read(configuration, errors);
        if (metadata is null)
        {
            errors.Add("AiDb:Metadata:Address is missing; it is the gRPC address of the gateway that holds the metadata store, "
                + "like http://10.0.0.1:6334, or etcd://10.0.0.1:2379");
        }

        string secret = configuration["AiDb:Cluster:Secret"] ?? "";
        if (secret.Length == 0)
            errors.Add("AiDb:Cluster:Secret is missing; every node of a cluster needs the same one");
        string zone = configuration["AiDb:Node:Zone"] ?? "";
        if (zone.Length > 0 && !IsName(zone))
            errors.Add($"AiDb:Node:Zone is '{zone}'; it must be 1 to 63 letters, digits, '-', '_' or '.', or unset");
        return new NodeOptions
        {
            NodeId = id,
            Zone = zone,
            NodeAddress = address?.TrimEnd('/'),
            Metadata = metadata ?? new MetadataOptions { Address = "" },
            ClusterSecret = secret,
        };
    }

    /// <summary>Throws one error that names every fault.</summary>
    public static void ThrowIfAny(IReadOnlyCollection<string> errors)
    {
        if (errors.Count > 0)
            throw new InvalidOperationException("The settings are not usable: " + string.Join("; ", errors) + ".");
    }

    private static bool IsName(string id) =>
        id.Length is > 0 and <= 63 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static bool IsAddress(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" && uri.Port > 0;
}
