using System.Collections.Concurrent;
using AiDb.Cluster.Model;

namespace AiDb.Gateway.Routing;

/// <summary>Who waits for an answer of a shard's primary, told when another was elected.</summary>
/// <remarks>Thread safety: <see cref="Watch"/> and the results may be used concurrently with <see cref="Update"/>, which one
/// caller at a time calls.</remarks>
internal sealed class EpochWatches
{
    private readonly ConcurrentDictionary<uint, Shard> _shards = new();

    /// <summary>Calls back once when the epoch is later than a given one.</summary>
    public IDisposable Watch(uint shard, ulong epoch, Action onLater)
    {
        var watch = new Watched(_shards.GetOrAdd(shard, static _ => new Shard()), epoch, onLater);
        bool isLater;
        lock (watch.Shard.Waiting)
        {
            isLater = watch.Shard.Epoch > epoch;
            if (!isLater)
                watch.Shard.Waiting.Add(watch);
        }

        if (isLater)
            onLater();
        return watch;
    }

    /// <summary>Takes in a map.</summary>
    public void Update(ClusterMap map)
    {
        foreach (ShardDescriptor descriptor in map.Shards)
        {
            if (!descriptor.IsReplicated)
                continue;
            Shard shard = _shards.GetOrAdd(descriptor.Id, static _ => new Shard());
            List<Watched> told;
            lock (shard.Waiting)
            {
                if (shard.Epoch == descriptor.Epoch)
                    continue;
                shard.Epoch = descriptor.Epoch;
                told = [.. shard.Waiting.Where(watch => watch.Epoch < descriptor.Epoch)];
                shard.Waiting.ExceptWith(told);
            }

            foreach (Watched watch in told)
                watch.Tell();
        }
    }

    private sealed class Shard
    {
        public ulong Epoch { get; set; }

        public HashSet<Watched> Waiting { get; } = [];
    }

    private sealed class Watched(Shard shard, ulong epoch, Action onLater) : IDisposable
    {
        private readonly Lock _gate = new();
        private bool _isDisposed;

        public Shard Shard => shard;

        public ulong Epoch => epoch;

        public void Tell()
        {
            lock (_gate)
            {
                if (!_isDisposed)
                    onLater();
            }
        }

        public void Dispose()
        {
            lock (shard.Waiting)
                shard.Waiting.Remove(this);
            lock (_gate)
                _isDisposed = true;
        }
    }
}
