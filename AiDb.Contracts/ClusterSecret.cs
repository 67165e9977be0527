using System.Security.Cryptography;
using System.Text;

namespace AiDb.Contracts;

/// <summary>The secret that every call between the nodes of a cluster carries.</summary>
public sealed class ClusterSecret
{
    /// <summary>The gRPC metadata key that carries it.</summary>
    public const string HeaderName = "aidb-cluster-secret";

    private readonly byte[] _digest;

    /// <summary>Keeps the expected secret as a digest only.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is empty.</exception>
    public ClusterSecret(string secret)
    {
        if (string.IsNullOrEmpty(secret))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The cluster's secret must not be empty: set AiDb:Cluster:Secret.");
        _digest = SHA256.HashData(Encoding.UTF8.GetBytes(secret));
    }

    /// <summary>Whether a presented secret is the expected one, in a time that tells nothing about
    /// it.</summary>
    public bool Matches(string? presented)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented ?? ""), digest);
        return CryptographicOperations.FixedTimeEquals(digest, _digest) && presented is not null;
    }
}
