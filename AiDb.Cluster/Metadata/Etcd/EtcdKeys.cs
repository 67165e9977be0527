using System.Text;

namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>The store's keys as etcd's: each with the prefix of this cluster in front.</summary>
internal sealed class EtcdKeys(string clusterPrefix)
{
    /// <summary>A key, or where a prefix begins.</summary>
    public byte[] Of(string key) => Encoding.ASCII.GetBytes(clusterPrefix + key);

    /// <summary>The first key after those of a prefix.</summary>
    public byte[] EndOf(string prefix)
    {
        // Keys are printable ASCII, so the last byte can always be one more.
        byte[] end = Of(prefix);
        end[^1]++;
        return end;
    }

    /// <summary>The name of a key without the prefix.</summary>
    public string NameOf(EtcdKeyValue item) => Encoding.UTF8.GetString(item.Key ?? [])[clusterPrefix.Length..];

    /// <summary>A key as the store's callers see it.</summary>
    public MetadataKeyValue Read(EtcdKeyValue item) => new(
        NameOf(item), item.Value ?? [], item.CreateRevision, item.ModRevision, item.Version, item.Lease);

    /// <summary>What a range read saw.</summary>
    public MetadataRange Read(EtcdRangeResponse answer, long revision) =>
        new(revision, [.. (answer.Kvs ?? []).Select(Read)]);
}
