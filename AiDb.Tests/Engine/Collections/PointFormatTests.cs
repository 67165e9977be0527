using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Tests.Engine.Collections;

/// <summary>The bytes of docs/formats/points.md, through a database.</summary>
public sealed class PointFormatTests
{
    [Fact]
    public async Task Keys_and_values_are_the_bytes_of_the_format()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        uint id = Table.FirstHostId + 1;
        Collection collection = database.Collections.OpenById(id, new CollectionOptions
        {
            Vectors = new Dictionary<string, VectorOptions>
            {
                [""] = new() { Dimensions = 2, Metric = VectorMetric.Dot },
                ["b"] = new() { Dimensions = 2, Metric = VectorMetric.Dot, Element = VectorElement.UInt8 },
                ["h"] = new()
                {
                    Dimensions = 1,
                    Metric = VectorMetric.Dot,
                    Element = VectorElement.Float16,
                    MultiVector = MultiVectorComparator.MaxSim,
                },
            },
            SparseVectors = new Dictionary<string, SparseVectorOptions> { ["s"] = new() },
        });
        await collection.WriteAsync(
        [
            new UpsertOperation(
            [
                TestPoints.Point(7, [1, 0], """{"a": 1}"""),
                new Point
                {
                    Id = new(Guid.Parse("00112233-4455-6677-8899-aabbccddeeff")),
                    Vectors = new()
                    {
                        ["s"] = new SparseVector(new uint[] { 258, 1 }, new float[] { 2, 1 }),
                        ["b"] = new DenseVector(new float[] { 300, 7.9f }),
                        ["h"] = new MultiVector(new float[] { 1, 2 }, 2),
                    },
                },
            ]),
        ]);
        List<(string Key, string Value)> found = [];
        using ScanCursor cursor = database.GetTableById(id).Scan();
        while (cursor.MoveNext())
            found.Add((Convert.ToHexStringLower(cursor.Key), Convert.ToHexStringLower(cursor.Value)));
        Assert.Equal(
        [
            ("01000000000000000007", "0101007b2261223a317d"),
            ("010100112233445566778899aabbccddeeff", "010301620168" + "0173"),
            ("02000000000000000007", "0100000000803f00000000"),
            ("020100112233445566778899aabbccddeeff62", "010001ff07"),
            ("020100112233445566778899aabbccddeeff68", "01020202003c0040"),
            ("020100112233445566778899aabbccddeeff73", "010100020100000002010000" + "0000803f00000040"),
        ],
            found);
    }

    [Theory]
    [InlineData("", AiDbErrorKind.DataLoss)]
    [InlineData("02", AiDbErrorKind.Unimplemented)]
    [InlineData("01", AiDbErrorKind.DataLoss)]
    [InlineData("0102016105", AiDbErrorKind.DataLoss)]
    [InlineData("01ffffffff0f", AiDbErrorKind.DataLoss)]
    public void A_malformed_point_is_told_from_a_newer_one(string value, AiDbErrorKind expected)
    {
        AiDbException error = Assert.Throws<AiDbException>(
            () => StoredPoint.Read(new PointId(5), Convert.FromHexString(value), 1, 0));
        Assert.Equal(expected, error.Kind);
        Assert.Contains("5", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0100", AiDbErrorKind.DataLoss)]
    [InlineData("020000", AiDbErrorKind.Unimplemented)]
    [InlineData("010003", AiDbErrorKind.DataLoss)]
    [InlineData("01000000", AiDbErrorKind.DataLoss)]
    [InlineData("010100ff01", AiDbErrorKind.DataLoss)]
    [InlineData("0101000101000000", AiDbErrorKind.DataLoss)]
    [InlineData("010300", AiDbErrorKind.DataLoss)]
    [InlineData("01020000", AiDbErrorKind.DataLoss)]
    [InlineData("01020002" + "0000803f" + "0000803f" + "0000803f", AiDbErrorKind.DataLoss)]
    public void A_malformed_vector_is_told_from_a_newer_one(string value, AiDbErrorKind expected) =>
        Assert.Equal(
            expected,
            Assert.Throws<AiDbException>(() => StoredVector.Read(new PointId(5), Convert.FromHexString(value))).Kind);
}
