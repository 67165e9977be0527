using AiDb.Engine.Collections;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Qdrant.Snapshots;

/// <summary>Makes collections from snapshots.</summary>
internal static class SnapshotRecovery
{
    private const int BatchPoints = 500;
    private const long BatchBytes = 16 << 20;

    /// <summary>Replaces collections by those of a snapshot. The file is read whole before anything is changed.</summary>
    /// <param name="collections">Where they are.</param>
    /// <param name="path">The file.</param>
    /// <param name="name">The name that its one collection gets; null: those that they had.</param>
    /// <param name="cancellationToken">Stops it; collections may then be incomplete.</param>
    public static async Task RunAsync(
        ICollections collections, string path, string? name, CancellationToken cancellationToken)
    {
        await CheckAsync(path, name, cancellationToken);
        string current = "";
        List<Point> batch = [];
        long batchBytes = 0;

        async ValueTask FlushAsync()
        {
            if (batch.Count > 0)
                await collections.WriteAsync(current, [new UpsertOperation([.. batch])], null, cancellationToken);
            batch.Clear();
            batchBytes = 0;
        }

        async ValueTask BeginAsync(SnapshotHead head)
        {
            current = name ?? head.Name;
            await collections.DeleteAsync(current, cancellationToken);
            await collections.CreateAsync(current, head.Options, cancellationToken);
            foreach ((string field, PayloadIndexOptions index) in head.Indexes)
                await collections.CreateIndexAsync(current, field, index, cancellationToken);
        }

        async ValueTask AddAsync(Point point)
        {
            batch.Add(point);
            batchBytes += SizeOf(point);
            if (batch.Count >= BatchPoints || batchBytes >= BatchBytes)
                await FlushAsync();
        }

        await SnapshotReader.ReadAsync(path, BeginAsync, AddAsync, FlushAsync, cancellationToken);
    }

    private static async Task CheckAsync(string path, string? name, CancellationToken cancellationToken)
    {
        int heads = 0;
        await SnapshotReader.ReadAsync(
            path,
            head =>
            {
                head.Options.Validate();
                heads++;
                return default;
            },
            static _ => default,
            static () => default,
            cancellationToken);
        if (name is not null && heads != 1)
            throw RequestLimits.Invalid($"snapshot: it has {heads} collections; a full snapshot is recovered by POST /snapshots/recover.");
    }

    private static long SizeOf(Point point)
    {
        long bytes = point.Payload?.Utf8.Length ?? 0;
        foreach (VectorValue vector in point.Vectors.Values)
        {
            bytes += vector switch
            {
                DenseVector dense => dense.Values.Length * sizeof(float),
                MultiVector multi => multi.Values.Length * sizeof(float),
                SparseVector sparse => sparse.Values.Length * 2 * sizeof(float),
                _ => 0,
            };
        }

        return bytes;
    }
}
