using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using AiDb.Primary.Hosting;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Primary.Voters;

/// <summary>Sends a shard's files to a voter that lacks what the log gave up. Writes go on meanwhile; what they add is in the log.
/// As fast as the settings allow, and as many at once.</summary>
internal sealed class ShardCopySource(NodeContext context, uint shardId, ShardFolder folder)
{
    private const int PieceBytes = 256 << 10;

    /// <summary>Sends them.</summary>
    /// <param name="database">The primary's.</param>
    /// <param name="epoch">The epoch that it leads.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task SendAsync(
        Database database, ulong epoch, IServerStreamWriter<ShardPiece> writer, CancellationToken cancellationToken)
    {
        await context.Copies.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await database.FlushAsync(cancellationToken).ConfigureAwait(false);
            using TreeImage image = database.CaptureTree();
            await writer.WriteAsync(Start(image, epoch), cancellationToken).ConfigureAwait(false);
            var pace = new Pace(context.Options.Voters.CopyBytesPerSecond, context.Time);
            foreach (ImageFile file in image.Files)
                await SendAsync(image, file, writer, pace, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            context.Copies.Release();
        }
    }

    private ShardPiece Start(TreeImage image, ulong epoch)
    {
        var start = new ShardCopyStart
        {
            Statement = UnsafeByteOperations.UnsafeWrap(image.Statement),
            Lsn = image.Flushed.Lsn,
            Epoch = epoch,
        };
        VoterState voter = VoterFile.Read(context.Components.FileSystem, folder.Path);
        start.Epochs.AddRange(voter.Epochs.Where(epoch => epoch.StartLsn <= image.Flushed.Lsn)
            .Select(epoch => new EntryName { Epoch = epoch.Epoch, Lsn = epoch.StartLsn }));
        return new ShardPiece { Start = start };
    }

    private async Task SendAsync(
        TreeImage image, ImageFile file, IServerStreamWriter<ShardPiece> writer, Pace pace, CancellationToken cancellationToken)
    {
        using IStorageFile source = image.Open(file);
        byte[] buffer = new byte[PieceBytes];
        for (long offset = 0; offset < file.SizeBytes;)
        {
            int wanted = (int)Math.Min(buffer.Length, file.SizeBytes - offset);
            int read = source.Read(offset, buffer.AsSpan(0, wanted));
            if (read == 0)
            {
                throw new AiDbException(
                    AiDbErrorKind.DataLoss, $"{file.Name} of shard {shardId} ends after {offset} of {file.SizeBytes} bytes.");
            }

            await pace.WaitAsync(read, cancellationToken).ConfigureAwait(false);

            // The piece is serialized when the write ends, so the buffer serves again.
            var piece = new ShardPiece { Content = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, read)) };
            await writer.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
            offset += read;
        }
    }

    /// <summary>Spreads bytes over time.</summary>
    private sealed class Pace(long bytesPerSecond, TimeProvider time)
    {
        private readonly long _startedAt = time.GetTimestamp();
        private long _bytes;

        public async ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
        {
            _bytes += bytes;
            TimeSpan ahead = TimeSpan.FromSeconds((double)_bytes / bytesPerSecond) - time.GetElapsedTime(_startedAt);
            if (ahead > TimeSpan.FromMilliseconds(20))
                await Task.Delay(ahead, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
