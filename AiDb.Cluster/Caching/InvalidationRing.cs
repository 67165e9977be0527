namespace AiDb.Cluster.Caching;

/// <summary>The most recent invalidations of a cache's partition: which keys were written, and up to where
/// the memory reaches back.</summary>
/// <remarks>
/// Invariant: it knows every invalidation of its keys with an LSN above <see cref="ReachesBackTo"/> that the
/// cache heard of in this generation. Thread safety: none; the partition's lock guards it.
/// </remarks>
internal sealed class InvalidationRing(int capacity)
{
    private readonly Dictionary<ulong, ulong> _newestLsn = [];
    private readonly Queue<(ulong KeyHash, ulong Lsn)> _order = new();
    private ulong _generation;
    private ulong _forgottenLsn;

    /// <summary>Invalidations at or below this LSN may have been forgotten.</summary>
    /// <param name="generation">The cache's generation; the ring of an older one knows nothing.</param>
    /// <param name="baseLsn">Where the generation began.</param>
    public ulong ReachesBackTo(ulong generation, ulong baseLsn) =>
        generation == _generation ? Math.Max(_forgottenLsn, baseLsn) : baseLsn;

    /// <summary>The newest known invalidation of a key; 0: none is known.</summary>
    public ulong NewestLsnOf(ulong keyHash, ulong generation) =>
        generation == _generation ? _newestLsn.GetValueOrDefault(keyHash) : 0;

    public void Add(ulong keyHash, ulong lsn, ulong generation)
    {
        if (generation != _generation)
        {
            _newestLsn.Clear();
            _order.Clear();
            _forgottenLsn = 0;
            _generation = generation;
        }

        ref ulong newest = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(
            _newestLsn, keyHash, out _);
        newest = Math.Max(newest, lsn);
        _order.Enqueue((keyHash, lsn));
        if (_order.Count <= capacity)
            return;
        (ulong forgottenHash, ulong forgottenLsn) = _order.Dequeue();
        _forgottenLsn = Math.Max(_forgottenLsn, forgottenLsn);
        if (_newestLsn.TryGetValue(forgottenHash, out ulong last) && last <= forgottenLsn)
            _newestLsn.Remove(forgottenHash);
    }
}
