using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Primary.Hosting;
using AiDb.Primary.Voters;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Primary.Voters;

public sealed class ShardCopierTests
{
    [Fact]
    public async Task A_copy_that_the_voter_has_gone_beyond_is_refused_before_anything_is_fetched()
    {
        var context = new NodeContext
        {
            Options = null!,
            Node = null!,
            Store = null!,
            Map = null!,
            Components = new DatabaseComponents(),
            Transport = null!,
            Restorer = null!,
            Hosts = null!,
            Copies = null!,
            Time = TimeProvider.System,
            Loggers = NullLoggerFactory.Instance,
        };
        var folder = new ShardFolder(PhysicalFileSystem.Instance, "/nowhere", 1);
        var pieces = new Pieces();
        var copier = new ShardCopier(context, 1, folder, copy => copy.MayReplace(lastLsn: 51, promised: 7));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => copier.ReceiveAsync("p1", pieces, TestContext.Current.CancellationToken));
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
        Assert.Equal(1, pieces.Taken);
    }

    /// <summary>A stream that begins a copy up to entry 50 of epoch 7.</summary>
    private sealed class Pieces : IAsyncStreamReader<ShardPiece>
    {
        public int Taken { get; private set; }

        public ShardPiece Current => new() { Start = new ShardCopyStart { Epoch = 7, Lsn = 50 } };

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            Taken++;
            return Task.FromResult(true);
        }
    }
}
