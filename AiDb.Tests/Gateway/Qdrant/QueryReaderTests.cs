using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class QueryReaderTests
{
    [Fact]
    public void A_vector_an_id_and_a_uuid_are_queries_by_nearness()
    {
        Assert.Equal([0.5f, -1], Dense(Read<NearestQuery>("[0.5,-1]").Vector));
        Assert.Equal(new PointIdInput(new PointId(7)), Read<NearestQuery>("7").Vector);
        Assert.Equal(
            new PointIdInput(new PointId(new Guid("c56a4180-65aa-42ec-a945-5fd21dec0538"))),
            Read<NearestQuery>("\"c56a418065aa42eca9455fd21dec0538\"").Vector);
        var sparse = Assert.IsType<SparseVector>(Vector(Read<NearestQuery>("""{"indices":[7,1],"values":[0.7,0.1]}""").Vector));
        Assert.Equal([1u, 7u], sparse.Indices.ToArray());
        Assert.Equal([0.1f, 0.7f], sparse.Values.ToArray());
        var multi = Assert.IsType<MultiVector>(Vector(Read<NearestQuery>("[[1,2],[3,4],[5,6]]").Vector));
        Assert.Equal((3, 6), (multi.Count, multi.Values.Length));
    }

    [Fact]
    public void Every_kind_of_query_is_read()
    {
        NearestQuery mmr = Read<NearestQuery>("""{"nearest":[1],"mmr":{"diversity":0.3,"candidates_limit":50}}""");
        Assert.Equal(new MmrOptions(0.3f, 50), mmr.Mmr);
        RecommendQuery recommend =
            Read<RecommendQuery>("""{"recommend":{"positive":[1,[2,3]],"negative":[4],"strategy":"best_score"}}""");
        Assert.Equal((2, 1, RecommendStrategy.BestScore), (recommend.Positive.Count, recommend.Negative.Count, recommend.Strategy));
        DiscoverQuery discover = Read<DiscoverQuery>("""{"discover":{"target":1,"context":{"positive":2,"negative":3}}}""");
        Assert.Single(discover.Context);
        Assert.Equal(2, Read<ContextQuery>("""{"context":[{"positive":2,"negative":3},{"positive":4,"negative":5}]}""").Context.Count);
        Assert.Equal(new OrderBy("a"), Read<OrderByQuery>("""{"order_by":"a"}""").OrderBy);
        Assert.Equal(
            new OrderBy("a", true, OrderValue.Of(1000)),
            Read<OrderByQuery>("""{"order_by":{"key":"a","direction":"desc","start_from":"1970-01-01T00:00:00.001Z"}}""").OrderBy);
        Assert.Null(Read<RrfQuery>("""{"fusion":"rrf"}""").K);
        RrfQuery rrf = Read<RrfQuery>("""{"rrf":{"k":60,"weights":[1,0.5]}}""");
        Assert.Equal(60, rrf.K);
        Assert.Equal([1f, 0.5f], rrf.Weights!);
        Read<DbsfQuery>("""{"fusion":"dbsf"}""");
        Read<SampleQuery>("""{"sample":"random"}""");
        Assert.Equal(
            new TextQuery("body", "red car", 1.5f, null), Read<TextQuery>("""{"bm25":{"field":"body","text":"red car","k1":1.5}}"""));
    }

    [Fact]
    public void A_formula_is_read_with_its_functions_conditions_and_defaults()
    {
        FormulaQuery formula = Read<FormulaQuery>(
            """
            {"formula":{"sum":["$score",{"mult":[0.5,{"key":"tag","match":{"value":"new"}}]},
             {"gauss_decay":{"x":{"geo_distance":{"origin":{"lon":1,"lat":2},"to":"place"}},"scale":5000,"midpoint":0.2}},
             {"div":{"left":1,"right":"n","by_zero_default":3}}]},
             "defaults":{"n":2}}
            """);
        var sum = Assert.IsType<FunctionExpression>(formula.Expression);
        Assert.Equal(new VariableExpression("$score"), sum.Arguments[0]);
        var product = Assert.IsType<FunctionExpression>(sum.Arguments[1]);
        Assert.IsType<ConditionExpression>(product.Arguments[1]);
        var decay = Assert.IsType<DecayExpression>(sum.Arguments[2]);
        Assert.Equal(
            (DecayCurve.Gaussian, new GeoDistanceExpression(new GeoPoint(1, 2), "place"), 5000d, 0.2d),
            (decay.Curve, decay.Value, decay.Scale!.Value, decay.Midpoint!.Value));
        Assert.Equal(3, Assert.IsType<FunctionExpression>(sum.Arguments[3]).Arguments.Count);
        Assert.Equal(2, formula.Defaults["n"].GetInt32());
    }

    [Fact]
    public void A_request_has_prefetches_within_prefetches()
    {
        QueryRequest request = BodyText.Read(
            """
            {"prefetch":[{"query":[1,2],"using":"a","limit":50,"prefetch":{"query":3,"filter":{"must":{"has_id":[1]}}}},{"query":{"sample":"random"}}],
             "query":{"fusion":"dbsf"},"limit":5,"offset":2,"score_threshold":0.1,"with_payload":["x"],"with_vector":["a"],
             "params":{"hnsw_ef":64,"exact":true,"quantization":{"rescore":false,"oversampling":2.5}},
             "lookup_from":{"collection":"other","vector":"b"},"shard_key":null,"unknown":1}
            """,
            QueryRequestReader.Read);
        Assert.Equal(2, request.Prefetches.Count);
        Assert.Equal(("a", 50), (request.Prefetches[0].Using, request.Prefetches[0].Limit));
        Assert.NotNull(Assert.Single(request.Prefetches[0].Prefetches).Filter);
        Assert.Equal((5, 2, 0.1f), (request.Limit, request.Offset, request.ScoreThreshold!.Value));
        Assert.Equal(["x"], request.WithPayload.Include!);
        Assert.Equal(["a"], request.WithVectors.Names!);
        Assert.Equal(
            new SearchParameters { HnswEf = 64, Exact = true, Rescore = false, Oversampling = 2.5f }, request.Parameters);
        Assert.Equal(new LookupLocation("other", "b"), request.LookupFrom);
    }

    [Fact]
    public void The_older_routes_ask_the_same_in_other_words()
    {
        QueryRequest search = BodyText.Read(
            """{"vector":{"name":"image","vector":[1,2]},"limit":3,"with_payload":true}""", OlderRequestReader.ReadSearch);
        Assert.Equal(("image", 3, true), (search.Using, search.Limit, search.WithPayload.Enabled));
        Assert.Equal([1f, 2f], Dense(((NearestQuery)search.Query!).Vector));
        QueryRequest sparse = BodyText.Read(
            """{"vector":{"name":"words","vector":{"indices":[1],"values":[2]}},"limit":3}""", OlderRequestReader.ReadSearch);
        Assert.IsType<SparseVector>(Vector(((NearestQuery)sparse.Query!).Vector));
        QueryRequest recommend = BodyText.Read(
            """{"positive":[1],"negative":[2],"limit":3,"using":"image"}""", OlderRequestReader.ReadRecommend);
        Assert.Equal(("image", 1), (recommend.Using, ((RecommendQuery)recommend.Query!).Positive.Count));
        Assert.IsType<DiscoverQuery>(BodyText.Read(
            """{"target":1,"context":[{"positive":1,"negative":2}],"limit":3}""", OlderRequestReader.ReadDiscover).Query);
        Assert.IsType<ContextQuery>(BodyText.Read(
            """{"context":[{"positive":1,"negative":2}],"limit":3}""", OlderRequestReader.ReadDiscover).Query);
    }

    [Theory]
    [InlineData("""{"query":[1,1e39]}""", "query[1]: expected a number that a 32-bit float can hold, not 1e39")]
    [InlineData("""{"query":[1,null]}""", "query[1]: expected a number")]
    [InlineData("""{"query":"seven"}""", "query: expected a point id")]
    [InlineData("""{"query":1.5}""", "query: expected a point id")]
    [InlineData("""{"query":[[1,2],[3]]}""", "query[1]: expected an array of 2 numbers")]
    [InlineData("""{"query":{"indices":[1,1],"values":[1,2]}}""", "query.indices: the dimension 1 is given twice")]
    [InlineData("""{"query":{"indices":[1],"values":[1,2]}}""", "query: indices and values differ in length")]
    [InlineData("""{"query":{"indices":[-1],"values":[1]}}""", "query.indices[0]: expected a dimension")]
    [InlineData("""{"query":{"text":"red","model":"some/model"}}""", "query: AiDb does not offer models")]
    [InlineData("""{"query":{"nearby":[1]}}""", "query: expected a vector, a point id, or an object of one of nearest")]
    [InlineData("""{"query":{"fusion":"sum"}}""", "query.fusion: expected one of rrf, dbsf")]
    [InlineData("""{"query":{"recommend":{}}}""", "query.recommend: give an example")]
    [InlineData("""{"query":{"recommend":{"negative":[1]}}}""", "query.recommend: the strategy average_vector needs a positive")]
    [InlineData("""{"query":{"formula":{"sum":[{"tan":1}]}}}""", "query.formula.sum[0].tan: there is no such function")]
    [InlineData("""{"limit":0}""", "limit: expected a whole number from 1")]
    [InlineData("""{"limit":3000000000}""", "limit: expected a whole number from 1")]
    [InlineData("""{"offset":-1}""", "offset: expected a whole number from 0")]
    [InlineData("""{"with_payload":{"include":["a"],"exclude":["b"]}}""", "with_payload: give either include or exclude")]
    [InlineData("""{"prefetch":[{"query":[1]},{"limit":0}]}""", "prefetch[1].limit: expected")]
    [InlineData("""{"shard_key":"tenant"}""", "shard_key: AiDb does not offer shard keys")]
    [InlineData("""[1]""", "body: expected an object, not an array of 1")]
    public void What_is_wrong_with_a_query_is_named_by_its_path(string json, string expected) =>
        Assert.StartsWith(expected, BodyText.ErrorOf(json, QueryRequestReader.Read), StringComparison.Ordinal);

    private static T Read<T>(string json)
        where T : Query => Assert.IsType<T>(BodyText.Read(json, QueryReader.Read));

    private static VectorValue Vector(VectorInput input) => Assert.IsType<VectorValueInput>(input).Vector;

    private static float[] Dense(VectorInput input) => Assert.IsType<DenseVector>(Vector(input)).Values.ToArray();
}
