using System.Numerics;

namespace AiDb.Engine.Caching;

/// <summary>Remembers which blocks left the cache lately, by fingerprint: who comes back was thrown out too
/// early.</summary>
/// <remarks>A fixed table in which a newer fingerprint takes the place of an older one. Two blocks may share a
/// fingerprint, which costs a wrong guess and nothing else. Thread safety: none.</remarks>
internal sealed class GhostList
{
    private readonly uint[] _fingerprints;

    /// <summary>Makes a list with about so many places.</summary>
    public GhostList(long places) =>
        _fingerprints = new uint[(int)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(places, 64, 1 << 20))];

    /// <summary>Notes a block that left.</summary>
    public void Add(uint fingerprint) => Place(fingerprint) = fingerprint | 1;

    /// <summary>Whether a block left lately; it is forgotten by that.</summary>
    public bool Remove(uint fingerprint)
    {
        ref uint place = ref Place(fingerprint);
        if (place != (fingerprint | 1))
            return false;
        place = 0;
        return true;
    }

    private ref uint Place(uint fingerprint) =>
        ref _fingerprints[(int)((fingerprint >> 1) & (uint)(_fingerprints.Length - 1))];
}
