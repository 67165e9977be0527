using AiDb.Client;
using AiDb.Engine.Collections;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.DependencyInjection;
using QueryExplanation = AiDb.Client.QueryExplanation;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>The .NET client and the command line against a stand-alone gateway and one in front of two
/// primaries.</summary>
public sealed class CollectionClusterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Points_survive_a_restart_with_settings_indexes_and_aliases(int shards)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(shards);
        await using (AiDbClient client = Connect(cluster))
        {
            await client.Collections.CreateAsync("docs", new CollectionSettings { Vector = new VectorSettings(4) }, cancellation);
            AiDbCollection docs = client.Collection("docs");
            await docs.UpsertAsync(Points(200), cancellation);
            await docs.CreateIndexAsync("group", PayloadIndex.Keyword, cancellation);
            await client.Collections.SetAliasAsync("current", "docs", cancellation);
        }

        await cluster.RestartAsync();

        await using AiDbClient again = Connect(cluster);
        AiDbCollection current = again.Collection("current");
        Assert.Equal(200, await current.CountAsync(cancellationToken: cancellation));
        Assert.Equal(50, await current.CountAsync(AiDbFilter.Equal("group", "g1"), cancellation));
        IReadOnlyList<AiDbFoundPoint> found = await current.SearchAsync(
            Vector(17), new SearchOptions { Limit = 3, WithVectors = true }, cancellation);
        Assert.Equal(17UL, found[0].Id.Number);
        Assert.Equal("""{"group":"g1","number":17}""", found[0].PayloadJson);
        Assert.Equal(4, found[0].Vectors[""].Values.Length);
        CollectionDetails details = await again.Collections.GetAsync("current", cancellation);
        Assert.Equal((PayloadIndex.Keyword, 200L), details.Indexes["group"]);
        Assert.Equal(4, details.Settings.Vector!.Dimensions);
        Assert.Equal(
            [("g0", 50L), ("g1", 50L), ("g2", 50L), ("g3", 50L)],
            (await current.FacetAsync("group", cancellationToken: cancellation)).Select(hit => ((string)hit.Value, hit.Count)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_write_that_is_not_valid_changes_nothing_on_any_shard(int shards)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(shards);
        await using AiDbClient client = Connect(cluster);
        await client.Collections.CreateAsync("docs", new CollectionSettings { Vector = new VectorSettings(4) }, cancellation);
        AiDbCollection docs = client.Collection("docs");
        AiDbPoint bad = new() { Id = 1000, Vector = new float[] { 1, 2 } };

        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => docs.UpsertAsync([.. Points(100), bad], cancellation).AsTask());

        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("points[100]", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await docs.CountAsync(cancellationToken: cancellation));
        error = await Assert.ThrowsAsync<AiDbException>(
            () => client.Collection("nothing").CountAsync(cancellationToken: cancellation).AsTask());
        Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
    }

    [Fact]
    public async Task Explain_names_the_plan_of_each_shard_and_warns_of_a_filter_without_an_index()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        await using AiDbClient client = Connect(cluster);
        await client.Collections.CreateAsync("docs", new CollectionSettings { Vector = new VectorSettings(4) }, cancellation);
        AiDbCollection docs = client.Collection("docs");
        await docs.UpsertAsync(Points(100), cancellation);

        QueryExplanation explanation = await docs.ExplainAsync(
            Vector(1), new SearchOptions { Filter = AiDbFilter.Equal("group", "g1") }, cancellation);

        Assert.Contains(explanation.Steps, step => step.StartsWith("shard 1: ", StringComparison.Ordinal));
        Assert.Contains(explanation.Steps, step => step.StartsWith("shard 2: ", StringComparison.Ordinal));
        Assert.Contains(explanation.Steps, step => step.Contains("2 shards", StringComparison.Ordinal));
        Assert.Contains(explanation.Warnings, warning => warning.Contains("'group'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Points_live_as_long_as_their_write_or_their_collection_says()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(1);
        await using AiDbClient client = Connect(cluster);
        await client.Collections.CreateAsync(
            "docs",
            new CollectionSettings { Vector = new VectorSettings(4), TimeToLive = TimeSpan.FromHours(1) }, cancellation);
        AiDbCollection docs = client.Collection("docs");
        AiDbPoint brief = Points(1)[0] with { Id = Guid.NewGuid(), TimeToLive = TimeSpan.FromMilliseconds(1) };
        await docs.UpsertAsync([brief, .. Points(2)], cancellation);

        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        while ((await docs.GetAsync([brief.Id], cancellationToken: patience.Token)).Count > 0)
            await Task.Delay(5, patience.Token);

        Assert.Equal(2, (await docs.GetAsync([0, 1], cancellationToken: cancellation)).Count);
        Assert.Equal(TimeSpan.FromHours(1), (await client.Collections.GetAsync("docs", cancellation)).Settings.TimeToLive);
    }

    [Fact]
    public async Task Many_collections_are_made_and_dropped_and_leave_nothing_behind()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        ICollections collections = cluster.Services.GetRequiredService<ICollections>();
        await using AiDbClient client = Connect(cluster);
        for (int round = 0; round < 5; round++)
        {
            await client.Collections.CreateAsync("c", new CollectionSettings { Vector = new VectorSettings(4) }, cancellation);
            await client.Collection("c").UpsertAsync(Points(20 + round), cancellation);
            Assert.Equal(20 + round, await collections.CountAsync("c", null, cancellationToken: cancellation));
            Assert.True(await client.Collections.DeleteAsync("c", cancellation));
        }

        Assert.Empty(await client.Collections.ListAsync(cancellation));
    }

    private static AiDbClient Connect(CollectionCluster cluster) => new(new AiDbClientSettings
    {
        Endpoints = [cluster.Grpc.GetLeftPart(UriPartial.Authority)],
        ApiKey = CollectionCluster.ApiKey,
    });

    private static AiDbPoint[] Points(int count) =>
    [
        .. Enumerable.Range(0, count).Select(number => new AiDbPoint
        {
            Id = (ulong)number,
            Vector = Vector(number),
            PayloadJson = $$"""{"group":"g{{number % 4}}","number":{{number}}}""",
        }),
    ];

    private static float[] Vector(int number)
    {
        Random random = new(TestSeed.Base + number);
        return [.. Enumerable.Range(0, 4).Select(_ => random.NextSingle() - .5f)];
    }
}
