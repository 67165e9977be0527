using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class PointReaderTests
{
    [Fact]
    public void Points_are_read_with_every_kind_of_vector()
    {
        UpsertOperation upsert = BodyText.Read(
            """
            {"points":[
             {"id":9007199254740993,"vector":[1,2],"payload":{"a":[1,{"b":null}]},"ttl":1.5},
             {"id":"c56a4180-65aa-42ec-a945-5fd21dec0538","vector":{"dense":[1],"multi":[[1],[2]],"words":{"indices":[3],"values":[4]}}},
             {"id":3,"vector":{},"payload":null}],
             "update_mode":"insert_only","update_filter":{"must":{"has_id":[1]}}}
            """,
            PointReader.ReadUpsert);
        Assert.Equal(new PointId(9007199254740993), upsert.Points[0].Id);
        Assert.Equal(TimeSpan.FromSeconds(1.5), upsert.Points[0].TimeToLive);
        Assert.Equal("""{"a":[1,{"b":null}]}""", upsert.Points[0].Payload!.ToString());
        NamedVectors named = upsert.Points[1].Vectors;
        Assert.IsType<DenseVector>(named["dense"]);
        Assert.Equal(2, Assert.IsType<MultiVector>(named["multi"]).Count);
        Assert.IsType<SparseVector>(named["words"]);
        Assert.Empty(upsert.Points[2].Vectors);
        Assert.Null(upsert.Points[2].Payload);
        Assert.Equal(UpsertMode.InsertOnly, upsert.Mode);
        Assert.NotNull(upsert.UpdateFilter);
    }

    [Fact]
    public void Columns_are_read_as_points()
    {
        UpsertOperation unnamed = BodyText.Read(
            """{"batch":{"ids":[1,2],"vectors":[[1],[2]],"payloads":[{"a":1},null]}}""", PointReader.ReadUpsert);
        Assert.Equal(2f, ((DenseVector)unnamed.Points[1].Vectors[NamedVectors.Unnamed]).Values.Span[0]);
        Assert.NotNull(unnamed.Points[0].Payload);
        Assert.Null(unnamed.Points[1].Payload);
        UpsertOperation named = BodyText.Read(
            """{"batch":{"ids":[1,2],"vectors":{"x":[[1],[2]],"y":[{"indices":[1],"values":[1]},{"indices":[2],"values":[2]}]}}}""",
            PointReader.ReadUpsert);
        Assert.Equal(2u, ((SparseVector)named.Points[1].Vectors["y"]).Indices.Span[0]);
    }

    [Fact]
    public void A_batch_has_every_operation()
    {
        PointOperation[] operations = BodyText.Read(
            """
            {"operations":[{"upsert":{"points":[{"id":1,"vector":[1]}]}},{"delete":{"points":[1]}},
             {"set_payload":{"payload":{"a":1},"filter":{"must":[]},"key":"b.c"}},{"overwrite_payload":{"payload":{"a":1},"points":[1]}},
             {"delete_payload":{"keys":["a"],"points":[1]}},{"clear_payload":{"points":[1]}},
             {"update_vectors":{"points":[{"id":1,"vector":[2]}]}},{"delete_vectors":{"vector":["x"],"points":[1]}}]}
            """,
            OperationReader.ReadBatch);
        Assert.Equal(
            [
                typeof(UpsertOperation), typeof(DeleteOperation), typeof(SetPayloadOperation), typeof(OverwritePayloadOperation),
                typeof(DeletePayloadOperation), typeof(ClearPayloadOperation), typeof(UpdateVectorsOperation), typeof(DeleteVectorsOperation),
            ],
            operations.Select(operation => operation.GetType()));
        Assert.Equal("b.c", ((SetPayloadOperation)operations[2]).Path);
    }

    [Theory]
    [InlineData("""{"points":[{"id":1.5,"vector":[1]}]}""", "points[0].id: expected a point id")]
    [InlineData("""{"points":[{"id":-1,"vector":[1]}]}""", "points[0].id: expected a point id")]
    [InlineData("""{"points":[{"id":"1","vector":[1]}]}""", "points[0].id: expected a point id")]
    [InlineData("""{"points":[{"id":18446744073709551616,"vector":[1]}]}""", "points[0].id: expected a point id")]
    [InlineData("""{"points":[{"vector":[1]}]}""", "points[0]: the field 'id' is missing")]
    [InlineData("""{"points":[{"id":1}]}""", "points[0]: the field 'vector' is missing")]
    [InlineData("""{"points":[{"id":1,"vector":[1,"2"]}]}""", "points[0].vector[1]: expected a number")]
    [InlineData("""{"points":[{"id":1,"vector":{"a":[1,1e300]}}]}""", "points[0].vector.a[1]: expected a number that a 32-bit float")]
    [InlineData("""{"points":[{"id":1,"vector":[1],"payload":[1]}]}""", "points[0].payload: payload must be a JSON object")]
    [InlineData("""{"points":[{"id":1,"vector":[1],"ttl":0}]}""", "points[0].ttl: expected seconds")]
    [InlineData("""{"points":[]}""", "points: a request has 1 to")]
    [InlineData("""{}""", "body: the field 'points' is missing")]
    [InlineData("""{"batch":{"ids":[1,2],"vectors":[[1]]}}""", "batch.vectors: expected an array of 2, as many as ids")]
    [InlineData("""{"batch":{"ids":[1],"vectors":{"a":[[1],[2]]}}}""", "batch.vectors.a: expected an array of 1")]
    public void What_is_wrong_with_points_is_named_by_its_path(string json, string expected) =>
        Assert.StartsWith(expected, BodyText.ErrorOf(json, PointReader.ReadUpsert), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"operations":[{"remove":{}}]}""", "operations[0].remove: there is no such operation")]
    [InlineData("""{"operations":[{"delete":{"points":[1]}},{"delete":{}}]}""", "operations[1].delete: give either points (ids) or filter")]
    [InlineData("""{"operations":[{}]}""", "operations[0]: give one operation")]
    [InlineData("""{"operations":[{"delete_vectors":{"vector":[],"points":[1]}}]}""", "operations[0].delete_vectors.vector: name at least one")]
    public void What_is_wrong_with_a_batch_is_named_by_its_path(string json, string expected) =>
        Assert.StartsWith(expected, BodyText.ErrorOf(json, OperationReader.ReadBatch), StringComparison.Ordinal);
}
