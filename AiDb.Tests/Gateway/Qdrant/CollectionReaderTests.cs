using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class CollectionReaderTests
{
    [Fact]
    public void A_collection_of_one_vector_without_a_name_is_read()
    {
        CollectionOptions options = BodyText.Read(
            """
            {"vectors":{"size":4,"distance":"Cosine","datatype":"float16","on_disk":true},"on_disk_payload":false,"shard_number":3,
             "hnsw_config":{"m":8,"ef_construct":50},"quantization_config":{"scalar":{"type":"int8","quantile":0.99,"always_ram":true}},
             "optimizers_config":{"indexing_threshold":10,"max_optimization_threads":"auto"},"metadata":{"a":1},"ttl":60,"wal_config":null}
            """,
            CollectionReader.ReadCreate);
        Assert.Equal(
            new VectorOptions { Dimensions = 4, Metric = VectorMetric.Cosine, Element = VectorElement.Float16, OnDisk = true },
            options.Vectors[NamedVectors.Unnamed]);
        Assert.Equal((8, 50), (options.Hnsw!.M!.Value, options.Hnsw.EfConstruct!.Value));
        Assert.Equal(
            new QuantizationOptions { Kind = QuantizationKind.ScalarInt8, Quantile = 0.99f, AlwaysRam = true }, options.Quantization);
        Assert.Equal(10, options.Optimizers!.IndexingThresholdKb);
        Assert.Equal(TimeSpan.FromMinutes(1), options.TimeToLive);
        Assert.False(options.OnDiskPayload);
        options.Validate();
    }

    [Fact]
    public void Vectors_by_name_sparse_ones_and_several_as_one_are_read()
    {
        CollectionOptions options = BodyText.Read(
            """
            {"vectors":{"image":{"size":4,"distance":"Dot","quantization_config":{"product":{"compression":"x16"}}},
             "size":{"size":2,"distance":"Manhattan","multivector_config":{"comparator":"max_sim"}}},
             "sparse_vectors":{"words":{"modifier":"idf","index":{"on_disk":true}},"plain":{}}}
            """,
            CollectionReader.ReadCreate);
        Assert.Equal(16, options.Vectors["image"].Quantization!.CompressionRatio);
        Assert.Equal(MultiVectorComparator.MaxSim, options.Vectors["size"].MultiVector);
        Assert.True(options.SparseVectors["words"].Idf);
        Assert.False(options.SparseVectors["plain"].Idf);
    }

    [Fact]
    public void Changes_turn_quantization_off_and_a_time_to_live_too()
    {
        CollectionUpdate update = BodyText.Read(
            """{"vectors":{"":{"quantization_config":"Disabled","hnsw_config":{"m":32}}},"ttl":0}""", CollectionReader.ReadUpdate);
        Assert.Equal(QuantizationKind.Disabled, update.Vectors![""].Quantization!.Kind);
        Assert.Equal(32, update.Vectors[""].Hnsw!.M);
        Assert.Equal(TimeSpan.Zero, update.TimeToLive);
        Assert.Null(update.Quantization);
    }

    [Fact]
    public void Indexes_are_read_by_name_and_with_parameters()
    {
        Assert.Equal(
            ("a", new PayloadIndexOptions { Kind = PayloadIndexKind.Keyword }),
            BodyText.Read("""{"field_name":"a","field_schema":"keyword"}""", IndexReader.Read));
        (string path, PayloadIndexOptions text) = BodyText.Read(
            """
            {"field_name":"b","field_schema":{"type":"text","tokenizer":"prefix","min_token_len":2,"lowercase":false,"phrase_matching":true,
             "stopwords":{"languages":["english"],"custom":["foo"]},"stemmer":{"type":"snowball","language":"english"}}}
            """,
            IndexReader.Read);
        Assert.Equal("b", path);
        Assert.Equal((TextTokenizer.Prefix, 2, false, true), (
            text.Text!.Tokenizer, text.Text.MinTokenLength!.Value, text.Text.Lowercase, text.Text.PhraseMatching));
        Assert.Equal(("english", "foo", "english"), (text.Text.StopwordLanguages[0], text.Text.Stopwords[0], text.Text.StemmerLanguage));
    }

    [Fact]
    public void Changes_of_aliases_are_read() =>
        Assert.Equal(
            [new AliasChange("a", "c"), new AliasChange("b", null), new AliasChange("new", null, "old")],
            BodyText.Read(
                """
                {"actions":[{"create_alias":{"collection_name":"c","alias_name":"a"}},{"delete_alias":{"alias_name":"b"}},
                 {"rename_alias":{"old_alias_name":"old","new_alias_name":"new"}}]}
                """,
                IndexReader.ReadAliases));

    [Theory]
    [InlineData("""{"vectors":{"size":0,"distance":"Cosine"}}""", "vectors.size: expected a whole number from 1 to 65536")]
    [InlineData("""{"vectors":{"size":4}}""", "vectors: the field 'distance' is missing")]
    [InlineData("""{"vectors":{"size":4,"distance":"cosine"}}""", "vectors.distance: expected one of Cosine, Euclid, Dot, Manhattan")]
    [InlineData("""{"vectors":{"a":{"size":"4","distance":"Dot"}}}""", "vectors.a.size: expected a whole number")]
    [InlineData("""{"vectors":{"a":{"size":4,"distance":"Dot","datatype":"turbo4"}}}""", "vectors.a.datatype: expected one of")]
    [InlineData("""{"quantization_config":{}}""", "quantization_config: give one of scalar, product, binary, turbo")]
    [InlineData("""{"quantization_config":{"turbo":{"bits":"bits4"}}}""", "quantization_config.turbo: AiDb does not offer")]
    [InlineData("""{"sharding_method":"custom"}""", "sharding_method: AiDb does not offer custom sharding")]
    [InlineData("""{"strict_mode_config":{"read_rate_limit":5}}""", "strict_mode_config: there is no field 'read_rate_limit' here")]
    public void What_is_wrong_with_settings_is_named_by_its_path(string json, string expected) =>
        Assert.StartsWith(expected, BodyText.ErrorOf(json, CollectionReader.ReadCreate), StringComparison.Ordinal);
}
