using System.Collections.Concurrent;
using AiDb.Engine.Collections;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>Notes what the edge asks for, and answers what the test says.</summary>
internal sealed class RecordingCollections : ICollections
{
    /// <summary>What was asked, in order.</summary>
    public ConcurrentQueue<object> Asked { get; } = new();

    /// <summary>Set: every call fails with it.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Set: no call ends before it is cancelled.</summary>
    public bool Hangs { get; set; }

    public IReadOnlyList<ScoredPoint> Found { get; set; } = [];

    public IReadOnlyList<PointRecord> Records { get; set; } = [];

    public PointId? NextPage { get; set; }

    public IReadOnlyList<PointGroup> Groups { get; set; } = [];

    public IReadOnlyList<FacetHit> Hits { get; set; } = [];

    public MatrixResult Matrix { get; set; } = new([], []);

    public CollectionInfo Info { get; set; } = new() { Options = new CollectionOptions() };

    public async ValueTask<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken = default)
    {
        await NoteAsync("list", cancellationToken);
        return ["a", "b"];
    }

    public async ValueTask<bool> ExistsAsync(string collection, CancellationToken cancellationToken = default)
    {
        await NoteAsync(collection, cancellationToken);
        return collection == "a";
    }

    public async ValueTask<CollectionInfo> GetInfoAsync(string collection, CancellationToken cancellationToken = default)
    {
        await NoteAsync(collection, cancellationToken);
        return Info;
    }

    public ValueTask CreateAsync(string collection, CollectionOptions options, CancellationToken cancellationToken = default) =>
        NoteAsync(options, cancellationToken);

    public ValueTask UpdateAsync(string collection, CollectionUpdate update, CancellationToken cancellationToken = default) =>
        NoteAsync(update, cancellationToken);

    public async ValueTask<bool> DeleteAsync(string collection, CancellationToken cancellationToken = default)
    {
        await NoteAsync(collection, cancellationToken);
        return collection == "a";
    }

    public ValueTask ChangeAliasesAsync(IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken = default) =>
        NoteAsync(changes, cancellationToken);

    public async ValueTask<IReadOnlyList<AliasDescription>> ListAliasesAsync(
        string? collection, CancellationToken cancellationToken = default)
    {
        await NoteAsync(collection ?? "all", cancellationToken);
        return [new AliasDescription("alias", "a")];
    }

    public ValueTask<PointWriteResult> CreateIndexAsync(
        string collection, string path, PayloadIndexOptions options, CancellationToken cancellationToken = default) =>
        WrittenAsync((path, options), cancellationToken);

    public ValueTask<PointWriteResult> DropIndexAsync(
        string collection, string path, CancellationToken cancellationToken = default) =>
        WrittenAsync(path, cancellationToken);

    public ValueTask<PointWriteResult> WriteAsync(
        string collection, IReadOnlyList<PointOperation> operations, PointWriteOptions? options = null,
        CancellationToken cancellationToken = default) => WrittenAsync(operations, cancellationToken);

    public async ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        string collection, IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken = default)
    {
        await NoteAsync((ids, withPayload, withVectors), cancellationToken);
        return Records;
    }

    public async ValueTask<ScrollPage> ScrollAsync(
        string collection, ScrollRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return new ScrollPage(Records, NextPage);
    }

    public async ValueTask<long> CountAsync(
        string collection, Filter? filter, bool exact = true, CancellationToken cancellationToken = default)
    {
        await NoteAsync(exact, cancellationToken);
        return 5_000_000_000;
    }

    public async ValueTask<IReadOnlyList<ScoredPoint>> QueryAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return Found;
    }

    public async ValueTask<IReadOnlyList<PointGroup>> QueryGroupsAsync(
        string collection, QueryGroupsRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return Groups;
    }

    public async ValueTask<IReadOnlyList<FacetHit>> FacetAsync(
        string collection, FacetRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return Hits;
    }

    public async ValueTask<MatrixResult> MatrixAsync(
        string collection, MatrixRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return Matrix;
    }

    public async ValueTask<QueryExplanation> ExplainAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default)
    {
        await NoteAsync(request, cancellationToken);
        return new QueryExplanation(["look at every point"], ["there is no index over a"]);
    }

    private async ValueTask<PointWriteResult> WrittenAsync(object asked, CancellationToken cancellationToken)
    {
        await NoteAsync(asked, cancellationToken);
        return new PointWriteResult(1UL << 62, 17);
    }

    private async ValueTask NoteAsync(object asked, CancellationToken cancellationToken)
    {
        Asked.Enqueue(asked);
        if (Failure is not null)
            throw Failure;
        if (Hangs)
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
    }
}
