using System.Buffers.Binary;
using System.IO.Hashing;

namespace AiDb.Cluster.Placement;

/// <summary>
/// A consistent-hash ring with virtual nodes (Karger et al., 1997). It proposes an owner for each slot; the
/// slot map in the metadata store decides. Adding a shard to n takes about 1/(n + 1) of the slots from the
/// others and moves no other.
/// </summary>
/// <remarks>A shard's points depend on its id alone. Immutable.</remarks>
public sealed class HashRing
{
    /// <summary>Points of a shard on the ring. More: better balance (the deviation falls with the square
    /// root), slower to build.</summary>
    public const int VirtualNodes = 512;

    private readonly ulong[] _points;
    private readonly uint[] _shards;

    /// <summary>Makes the ring of some shards.</summary>
    /// <exception cref="ArgumentException">None is given.</exception>
    public HashRing(IEnumerable<uint> shards)
    {
        uint[] ids = [.. shards.Distinct().Order()];
        if (ids.Length == 0)
            throw new ArgumentException("A ring needs a shard.", nameof(shards));
        _points = new ulong[ids.Length * VirtualNodes];
        _shards = new uint[_points.Length];
        for (int i = 0; i < _points.Length; i++)
        {
            uint shard = ids[i / VirtualNodes];
            _points[i] = HashPair(0x7368_6172, shard, (uint)(i % VirtualNodes));
            _shards[i] = shard;
        }

        Array.Sort(_points, _shards);
    }

    /// <summary>The shard that the ring proposes for a slot.</summary>
    public uint OwnerOf(int slot)
    {
        int index = Array.BinarySearch(_points, HashPair(0x736C_6F74, (uint)slot, 0));
        if (index < 0)
            index = ~index;
        return _shards[index == _points.Length ? 0 : index];
    }

    private static ulong HashPair(uint kind, uint a, uint b)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, kind);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], a);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], b);
        return XxHash64.HashToUInt64(bytes);
    }
}
