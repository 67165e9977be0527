using AiDb.Cluster.Model;
using AiDb.Engine.Collections;
using CollectionCatalogue = AiDb.Cluster.Model.CollectionCatalogue;

namespace AiDb.Tests.Cluster.Model;

public sealed class CollectionCatalogueTests
{
    private static readonly CollectionOptions Options = new()
    {
        Vectors = new Dictionary<string, VectorOptions>(StringComparer.Ordinal)
        {
            [""] = new() { Dimensions = 4, Metric = VectorMetric.Cosine, Quantization = new() { Kind = QuantizationKind.ScalarInt8 } },
        },
        SparseVectors = new Dictionary<string, SparseVectorOptions>(StringComparer.Ordinal) { ["words"] = new() { Idf = true } },
        Hnsw = new HnswOptions { M = 8 },
        PayloadIndexes = new Dictionary<string, PayloadIndexOptions>(StringComparer.Ordinal)
        {
            ["a.b"] = new() { Kind = PayloadIndexKind.Text, Text = new TextIndexOptions { PhraseMatching = true, Stopwords = ["x"] } },
        },
        TimeToLive = TimeSpan.FromHours(2),
        Metadata = Payload.Parse("""{"owner":"me","n":1.50}"""u8),
    };

    [Fact]
    public async Task Settings_are_read_as_they_were_written()
    {
        await using ClusterFixture cluster = new();
        CollectionDescriptor made = await cluster.WaitAsync(NewCatalogue(cluster).CreateAsync("docs", Options).AsTask());

        CollectionOptions read = cluster.Map.Current.Collections.Find(made.Id)!.Options;

        Assert.Equal(Options.Vectors[""], read.Vectors[""]);
        Assert.Equal(Options.SparseVectors["words"], read.SparseVectors["words"]);
        Assert.Equal(Options.Hnsw, read.Hnsw);
        Assert.Equal(PayloadIndexKind.Text, read.PayloadIndexes["a.b"].Kind);
        Assert.Equal(["x"], read.PayloadIndexes["a.b"].Text!.Stopwords);
        Assert.True(read.PayloadIndexes["a.b"].Text!.PhraseMatching);
        Assert.Equal(Options.TimeToLive, read.TimeToLive);
        Assert.Equal(Options.Metadata, read.Metadata);
    }

    [Fact]
    public async Task Ids_are_never_used_again_for_a_table_neither()
    {
        await using ClusterFixture cluster = new();
        CollectionCatalogue collections = NewCatalogue(cluster);
        CollectionDescriptor first = await cluster.WaitAsync(collections.CreateAsync("a", Options).AsTask());
        TableDescriptor table = await cluster.WaitAsync(cluster.NewCatalogue().CreateAsync("t", TableSettings.Default).AsTask());
        await cluster.WaitAsync(collections.DropAsync("a").AsTask());
        CollectionDescriptor second = await cluster.WaitAsync(collections.CreateAsync("a", Options).AsTask());

        Assert.Equal(3, new HashSet<uint> { first.Id, table.Id, second.Id }.Count);
        Assert.Contains(first.Id, cluster.Map.Current.Collections.Dropped);
        Assert.DoesNotContain(second.Id, cluster.Map.Current.Collections.Dropped);
    }

    [Fact]
    public async Task A_name_is_given_once()
    {
        await using ClusterFixture cluster = new();
        CollectionCatalogue collections = NewCatalogue(cluster);
        await cluster.WaitAsync(collections.CreateAsync("a", Options).AsTask());
        await cluster.WaitAsync(DoneAsync(collections.ChangeAliasesAsync([new AliasChange("b", "a")])));

        await FailsAsync(AiDbErrorKind.AlreadyExists, cluster, collections.CreateAsync("a", Options).AsTask());
        await FailsAsync(AiDbErrorKind.AlreadyExists, cluster, collections.CreateAsync("b", Options).AsTask());
        await FailsAsync(
            AiDbErrorKind.AlreadyExists, cluster, DoneAsync(collections.ChangeAliasesAsync([new AliasChange("a", "a")])));
    }

    [Fact]
    public async Task Of_many_that_create_one_collection_at_once_one_succeeds()
    {
        await using ClusterFixture cluster = new();
        Task<bool>[] creating = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            try
            {
                await NewCatalogue(cluster).CreateAsync("one", Options);
                return true;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.AlreadyExists)
            {
                return false;
            }
        }))];

        Assert.Single(await cluster.WaitAsync(Task.WhenAll(creating)), won => won);
    }

    [Fact]
    public async Task Aliases_change_all_or_none_and_go_with_their_collection()
    {
        await using ClusterFixture cluster = new();
        CollectionCatalogue collections = NewCatalogue(cluster);
        await cluster.WaitAsync(collections.CreateAsync("a", Options).AsTask());
        await cluster.WaitAsync(collections.CreateAsync("b", Options).AsTask());
        await cluster.WaitAsync(DoneAsync(collections.ChangeAliasesAsync(
            [new AliasChange("x", "a"), new AliasChange("y", "b"), new AliasChange("z", null, "y")])));
        await FailsAsync(AiDbErrorKind.NotFound, cluster, DoneAsync(collections.ChangeAliasesAsync(
            [new AliasChange("x", "b"), new AliasChange("w", "missing")])));

        Assert.Equal("a", collections.Current.Find("x")!.Name);
        Assert.Equal("b", collections.Current.Find("z")!.Name);
        Assert.Null(collections.Current.Find("y"));

        await cluster.WaitAsync(collections.DropAsync("x").AsTask());
        Assert.Null(collections.Current.Find("a"));
        Assert.Equal(["z"], collections.Current.Aliases.Keys);
    }

    [Fact]
    public async Task Changes_that_race_are_all_kept()
    {
        await using ClusterFixture cluster = new();
        await cluster.WaitAsync(NewCatalogue(cluster).CreateAsync("a", Options).AsTask());
        Task<CollectionDescriptor>[] changing = [.. Enumerable.Range(0, 8).Select(number => Task.Run(() =>
            NewCatalogue(cluster).UpdateAsync("a", options => options with
            {
                PayloadIndexes = new Dictionary<string, PayloadIndexOptions>(options.PayloadIndexes, StringComparer.Ordinal)
                {
                    [$"f{number}"] = new PayloadIndexOptions { Kind = PayloadIndexKind.Keyword },
                },
            }).AsTask()))];
        await cluster.WaitAsync(Task.WhenAll(changing));

        Assert.Equal(9, cluster.Map.Current.Collections.Find("a")!.Options.PayloadIndexes.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData("a\nb")]
    [InlineData("a*b")]
    public void Names_that_no_client_could_use_are_refused(string name)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => CollectionCatalogue.CheckName(name, "collection_name"));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("collection_name", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_may_have_letters_of_any_language()
    {
        await using ClusterFixture cluster = new();
        CollectionCatalogue collections = NewCatalogue(cluster);
        await cluster.WaitAsync(collections.CreateAsync("Bücher 本 100%", Options).AsTask());

        Assert.Equal("Bücher 本 100%", Assert.Single(collections.Current.All).Name);
        Assert.NotNull(await cluster.WaitAsync(collections.DropAsync("Bücher 本 100%").AsTask()));
        Assert.Empty(collections.Current.All);
        Assert.Throws<AiDbException>(() => CollectionCatalogue.CheckName(new string('本', 200), "collection_name"));
    }

    private static CollectionCatalogue NewCatalogue(ClusterFixture cluster) => new(cluster.Store, cluster.Map, cluster.Time);

    private static async Task<bool> DoneAsync(ValueTask work)
    {
        await work;
        return true;
    }

    private static async Task FailsAsync<T>(AiDbErrorKind kind, ClusterFixture cluster, Task<T> work)
    {
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => cluster.WaitAsync(work));
        Assert.Equal(kind, error.Kind);
    }
}
