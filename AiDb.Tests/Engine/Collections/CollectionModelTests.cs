using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections;

/// <summary>Random histories of a collection against a naive model, over reopenings and flushes.</summary>
public sealed class CollectionModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_random_history_leaves_what_the_model_says(int salt)
    {
        var run = new Run(TestSeed.Base + salt, salt);
        try
        {
            await run.DoAsync(250);
        }
        catch (Exception error)
        {
            Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, salt {salt}, step {run.Step}: {error}");
        }
        finally
        {
            run.Dispose();
        }
    }

    private sealed class Run : IDisposable
    {
        private const int Ids = 24;
        private readonly Random _random;
        private readonly SimulatedFileSystem _disk;
        private readonly PointModel _model = new();
        private Database _database;

        public Run(int seed, int salt)
        {
            _random = new Random(seed);
            _disk = TestDatabase.NewDisk(salt);
            _database = TestDatabase.Open(_disk);
        }

        public int Step { get; private set; }

        public async Task DoAsync(int steps)
        {
            await _database.Collections.CreateAsync("c", PointModel.Options);
            for (; Step < steps; Step++)
            {
                switch (_random.Next(20))
                {
                    case 0:
                        await _database.DisposeAsync();
                        _database = TestDatabase.Open(_disk, idSalt: Step);
                        break;
                    case 1:
                        await _database.FlushAsync();
                        break;
                    case 2 when _random.Next(4) == 0:
                        await _database.CompactAsync();
                        break;
                    default:
                        List<PointOperation> operations = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => NextOperation())];
                        await WriteAsync(operations);
                        break;
                }

                if (Step % 5 == 0)
                    await _model.VerifyAsync(_database.Collections, "c", _random);
            }

            await _model.VerifyAsync(_database.Collections, "c", _random);
        }

        public void Dispose() => _database.Dispose();

        private async Task WriteAsync(List<PointOperation> operations)
        {
            bool succeeds = _model.TryApply(operations);
            try
            {
                await _database.Collections.WriteAsync("c", operations);
                Assert.True(succeeds, "the write should have found a point missing");
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.NotFound)
            {
                Assert.False(succeeds, error.Message);
            }
        }

        private PointOperation NextOperation() => _random.Next(9) switch
        {
            0 => new DeleteOperation(NextSelector()),
            1 => new SetPayloadOperation(NextSelector(), NextPayload()),
            2 => new OverwritePayloadOperation(NextSelector(), NextPayload()),
            3 => new DeletePayloadOperation(NextSelector(), ["a"]),
            4 => new ClearPayloadOperation(NextSelector()),
            5 => new UpdateVectorsOperation([new PointVectors(NextId(), NextVectors())]),
            6 => new DeleteVectorsOperation(NextSelector(), [_random.Next(2) == 0 ? "d" : "s"]),
            7 => new UpsertOperation(NextPoints(), Mode: (UpsertMode)_random.Next(3)),
            _ => new UpsertOperation(NextPoints()),
        };

        private List<Point> NextPoints() =>
        [
            .. Enumerable.Range(0, _random.Next(1, 6)).Select(_ => new Point
            {
                Id = NextId(), Vectors = NextVectors(), Payload = _random.Next(3) == 0 ? null : NextPayload(),
            }).DistinctBy(static point => point.Id),
        ];

        private PointSelector NextSelector() => _random.Next(3) == 0
            ? PointSelector.Of(new Filter { Must = [new MatchCondition("a", MatchValue.Of(_random.Next(4)))] })
            : PointSelector.Of([.. Enumerable.Range(0, _random.Next(1, 3)).Select(_ => NextId()).Distinct()]);

        private PointId NextId()
        {
            int number = _random.Next(Ids);
            return number % 3 == 0
                ? new PointId(new Guid(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
                : new PointId((ulong)number);
        }

        private Payload NextPayload() => TestPoints.Payload(string.Create(
            CultureInfo.InvariantCulture, $$"""{"{{(char)('a' + _random.Next(3))}}":{{_random.Next(4)}},"t":"{{_random.Next(3)}}"}"""));

        private NamedVectors NextVectors()
        {
            NamedVectors vectors = [];
            if (_random.Next(5) != 0)
                vectors["d"] = new DenseVector(new float[] { _random.Next(-9, 9), _random.Next(-9, 9), _random.Next(-9, 9) });
            if (_random.Next(2) == 0)
                vectors["s"] = new SparseVector(new uint[] { 1, 7 + (uint)_random.Next(3) }, new float[] { 1 + _random.Next(4), 2 });
            if (_random.Next(3) == 0)
                vectors["m"] = new MultiVector(Enumerable.Range(0, 4).Select(_ => (float)_random.Next(1, 9)).ToArray(), 2);
            return vectors;
        }
    }
}
