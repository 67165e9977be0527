using System.IO.Hashing;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Engine.Images;
using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using AiDb.Primary.Hosting;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Primary.Voters;

/// <summary>Fetches a shard's files from its primary into a folder beside the shard's, which counts for nothing until it is
/// whole: every file of the length and checksum that the primary's manifest names, and synced.</summary>
/// <remarks>The shard's own folder stays open and votes meanwhile; <see cref="ShardFolder.Install"/> puts the copy in its
/// place.</remarks>
/// <param name="context">The node.</param>
/// <param name="shardId">The shard.</param>
/// <param name="folder">Its folder.</param>
/// <param name="isOfUse">Whether a copy could be put in the folder's place, as things stand.</param>
internal sealed partial class ShardCopier(NodeContext context, uint shardId, ShardFolder folder, Func<ShardCopy, bool> isOfUse)
{
    private readonly ILogger _logger = context.Loggers.CreateLogger<ShardCopier>();
    private readonly IFileSystem _files = context.Components.FileSystem;

    /// <summary>Fetches them.</summary>
    /// <param name="sourceNodeId">The primary.</param>
    /// <param name="cancellationToken">Ends it; what was fetched counts for nothing.</param>
    /// <returns>What was copied.</returns>
    /// <exception cref="AiDbException">It cannot be had now; told in the log.</exception>
    public async Task<ShardCopy> RunAsync(string sourceNodeId, CancellationToken cancellationToken)
    {
        try
        {
            NodeDescriptor source = context.Map.Current.FindNode(sourceNodeId)
                ?? throw new AiDbException(AiDbErrorKind.Unavailable, $"There is no node '{sourceNodeId}'.");
            using GrpcChannel channel = NodeChannels.Open(source.Address);
            var headers = new Grpc.Core.Metadata { { ClusterSecret.HeaderName, context.Options.Node.ClusterSecret } };
            using AsyncServerStreamingCall<ShardPiece> call = new Contracts.Internal.V1.Replication.ReplicationClient(channel)
                .CopyShard(new CopyShardRequest { Shard = shardId }, headers, cancellationToken: cancellationToken);
            return await ReceiveAsync(sourceNodeId, call.ResponseStream, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AiDbException or RpcException or IOException)
        {
            LogFailed(shardId, sourceNodeId, error.Message);
            throw new AiDbException(AiDbErrorKind.Unavailable, error.Message, error);
        }
    }

    /// <summary>Takes in the pieces of a copy.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: this voter has gone on beyond it; nothing was
    /// taken.</exception>
    internal async Task<ShardCopy> ReceiveAsync(
        string sourceNodeId, IAsyncStreamReader<ShardPiece> pieces, CancellationToken cancellationToken)
    {
        if (!await pieces.MoveNext(cancellationToken).ConfigureAwait(false) || pieces.Current.Start is not { } start)
            throw new AiDbException(AiDbErrorKind.DataLoss, "The copy does not begin with what it consists of.");
        var copy = new ShardCopy(
            start.Epoch, start.Lsn, [.. start.Epochs.Select(static epoch => new EpochStart(epoch.Epoch, epoch.Lsn))]);
        if (!isOfUse(copy))
        {
            throw new AiDbException(
                AiDbErrorKind.Aborted, $"The copy goes up to entry {copy.Lsn} of epoch {copy.Epoch}, and this voter has gone on.");
        }

        ReadOnlyMemory<byte> statement = start.Statement.Memory;
        IReadOnlyList<ImageFile> files = ImageWriter.FilesOf(statement);
        long bytes = files.Sum(file => file.SizeBytes);
        LogBegins(shardId, sourceNodeId, files.Count, bytes);
        if (_files.GetFreeBytes(context.Options.DataDirectory) < bytes + context.Options.Database.MinFreeDiskBytes)
            throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"The copy takes {bytes} bytes; the disk has not so many free.");
        _files.DeleteDirectory(folder.Incoming);
        using (var image = new ImageWriter(folder.Incoming, statement, context.Options.Database, context.Components))
        {
            foreach (ImageFile file in files)
                await ReceiveAsync(file, pieces, cancellationToken).ConfigureAwait(false);
            if (await pieces.MoveNext(cancellationToken).ConfigureAwait(false))
                throw new AiDbException(AiDbErrorKind.DataLoss, "The copy goes on after its last file.");
            image.Complete();
        }

        LogComplete(shardId, sourceNodeId, start.Lsn);
        return copy;
    }

    private async Task ReceiveAsync(ImageFile file, IAsyncStreamReader<ShardPiece> pieces, CancellationToken cancellationToken)
    {
        using IStorageFile target = _files.Open(folder.Incoming + "/" + file.Name, FileOpenMode.CreateNew);
        var hash = new XxHash3();
        for (long offset = 0; offset < file.SizeBytes;)
        {
            if (!await pieces.MoveNext(cancellationToken).ConfigureAwait(false))
                throw new AiDbException(AiDbErrorKind.Unavailable, $"The copy ended in {file.Name}, after {offset} of {file.SizeBytes} bytes.");
            ReadOnlyMemory<byte> content = pieces.Current.Content.Memory;
            if (content.IsEmpty || offset + content.Length > file.SizeBytes)
                throw new AiDbException(AiDbErrorKind.DataLoss, $"A piece of {file.Name} does not fit: {content.Length} bytes at {offset}.");
            target.Write(offset, content.Span);
            hash.Append(content.Span);
            offset += content.Length;
        }

        if (hash.GetCurrentHashAsUInt64() != file.Checksum)
            throw new AiDbException(AiDbErrorKind.DataLoss, $"{file.Name} arrived with another checksum than it was written with.");
        target.Sync();
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard} is copied from '{Source}': {Files} files, {Bytes} bytes")]
    private partial void LogBegins(uint shard, string source, int files, long bytes);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information, Message = "Shard {Shard} is copied from '{Source}' up to entry {Lsn}")]
    private partial void LogComplete(uint shard, string source, ulong lsn);

    [LoggerMessage(EventId = 3, Level = LogLevel.Warning, Message = "Shard {Shard} could not be copied from '{Source}': {Reason}")]
    private partial void LogFailed(uint shard, string source, string reason);
}

/// <summary>A whole copy of a shard's files in the folder beside the shard's.</summary>
/// <param name="Epoch">The epoch that its source led.</param>
/// <param name="Lsn">The last entry whose effects are in the files; all of them are committed.</param>
/// <param name="Epochs">Where the epochs of the log begin.</param>
internal sealed record ShardCopy(ulong Epoch, ulong Lsn, IReadOnlyList<EpochStart> Epochs)
{
    /// <summary>Whether it may take the place of a log. The voter went on voting while it was copied: where it has acknowledged
    /// entries beyond the copy, or promised a later epoch whose primary may count on what its log holds, the copy would take
    /// back what it has said.</summary>
    /// <param name="lastLsn">The log's last entry.</param>
    /// <param name="promised">The voter's promise.</param>
    public bool MayReplace(ulong lastLsn, ulong promised) => lastLsn <= Lsn && promised <= Epoch;
}
