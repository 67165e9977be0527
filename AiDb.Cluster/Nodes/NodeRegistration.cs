using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Nodes;

/// <summary>
/// Keeps a node in the cluster's map: a durable record of who it is and where, and a leased key that says
/// that it is alive. A lost lease is taken anew; while the store is down the node goes on with its work.
/// </summary>
/// <remarks>The lease tells others of a failure and is never a right to serve: a primary's right is its
/// epoch.</remarks>
public sealed partial class NodeRegistration(
    IMetadataStore store, NodeDescriptor node, TimeSpan timeToLive, TimeProvider timeProvider, ILogger<NodeRegistration> logger)
{
    /// <summary>The usual lease of a node.</summary>
    public static readonly TimeSpan DefaultTimeToLive = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    private readonly TaskCompletionSource _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isUnreachable;

    /// <summary>Whether the store cannot be reached at present.</summary>
    public bool IsUnreachable => Volatile.Read(ref _isUnreachable);

    /// <summary>Completes with the first registration.</summary>
    public Task Registered => _registered.Task;

    /// <summary>Registers, and keeps the lease alive until it is cancelled; then signs off.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        long leaseId = 0;
        try
        {
            while (true)
            {
                try
                {
                    leaseId = await store.GrantLeaseAsync(timeToLive, cancellationToken);
                    if (await TryRegisterAsync(leaseId, cancellationToken))
                    {
                        _isUnreachable = false;
                        LogRegistered(node.Id, node.Role, node.Address);
                        _registered.TrySetResult();
                        await KeepAliveAsync(leaseId, cancellationToken);
                        LogLeaseLost(node.Id);
                        continue;
                    }

                    await store.RevokeLeaseAsync(leaseId, cancellationToken);
                }
                catch (AiDbException error)
                {
                    NoteFailure(error);
                }

                await Task.Delay(RetryDelay, timeProvider, cancellationToken);
            }
        }
        finally
        {
            await SignOffAsync(leaseId);
        }
    }

    private async ValueTask<bool> TryRegisterAsync(long leaseId, CancellationToken cancellationToken)
    {
        string aliveKey = MetadataKeys.Alive(node.Id);
        MetadataKeyValue? alive = (await store.RangeAsync(aliveKey, cancellationToken: cancellationToken)).Single;
        if (alive is not null && !IsOwnPast(MetadataJson.ReadAlive(aliveKey, alive.Value)))
        {
            LogNameTaken(node.Id, MetadataJson.ReadAlive(aliveKey, alive.Value).Address);
            return false;
        }

        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction
            {
                Compares = [MetadataCompare.UnchangedSince(aliveKey, alive?.ModRevision ?? 0)],
                Then =
                [
                    MetadataOperation.Put(MetadataKeys.Member(node.Id), MetadataJson.Write(MemberRecord.From(node))),
                    MetadataOperation.Put(
                        aliveKey,
                        MetadataJson.Write(new AliveRecord(node.Incarnation, node.Address, node.DiskId)),
                        leaseId),
                ],
            },
            cancellationToken);
        return result.Succeeded;
    }

    // Its own lease of before, or of a process that is gone for certain: this one holds its port, or its
    // disk's lock. Any other process of the same name may be alive, and its lease is waited for.
    private bool IsOwnPast(AliveRecord alive) =>
        string.Equals(alive.Incarnation, node.Incarnation, StringComparison.Ordinal)
        || string.Equals(alive.Address, node.Address, StringComparison.Ordinal)
        || (node.DiskId.Length > 0 && string.Equals(alive.DiskId, node.DiskId, StringComparison.Ordinal));

    /// <summary>Returns when the lease is lost.</summary>
    private async ValueTask KeepAliveAsync(long leaseId, CancellationToken cancellationToken)
    {
        TimeSpan wait = timeToLive / 3;
        while (true)
        {
            await Task.Delay(wait, timeProvider, cancellationToken);
            try
            {
                if (!await store.KeepLeaseAliveAsync(leaseId, cancellationToken))
                    return;
                if (_isUnreachable)
                    LogReachable(node.Id);
                _isUnreachable = false;
            }
            catch (AiDbException error) when (error.Kind is AiDbErrorKind.Unavailable)
            {
                // The lease may live on, or not: only the store's answer tells.
                NoteFailure(error);
            }
        }
    }

    // Told once per outage, not once per attempt.
    private void NoteFailure(AiDbException error)
    {
        if (!_isUnreachable)
            LogFailed(node.Id, error.Kind, error.Message);
        _isUnreachable = true;
    }

    private async ValueTask SignOffAsync(long leaseId)
    {
        if (leaseId == 0)
            return;
        using CancellationTokenSource timeout = new(timeToLive / 2, timeProvider);
        try
        {
            // A primary stays known: its shard waits for it. The others leave nothing behind.
            if (node.Role != NodeRole.Primary)
            {
                await store.CommitAsync(
                    new MetadataTransaction
                    {
                        Compares =
                        [
                            MetadataCompare.HasValue(
                                MetadataKeys.Alive(node.Id),
                                MetadataJson.Write(new AliveRecord(node.Incarnation, node.Address, node.DiskId))),
                        ],
                        Then = [MetadataOperation.Delete(MetadataKeys.Member(node.Id))],
                    },
                    timeout.Token);
            }

            await store.RevokeLeaseAsync(leaseId, timeout.Token);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException)
        {
            // The lease ends by itself.
            LogSignOffFailed(node.Id, error.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {Node} ({Role}) is registered at {Address}")]
    private partial void LogRegistered(string node, NodeRole role, string address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {Node} lost its lease and registers anew")]
    private partial void LogLeaseLost(string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {Node} cannot reach the metadata store ({Kind}): {Reason}")]
    private partial void LogFailed(string node, AiDbErrorKind kind, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {Node} reaches the metadata store again and kept its lease")]
    private partial void LogReachable(string node);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Another process is registered as {Node} at {Address}: waiting for its lease to end. Node ids must be unique")]
    private partial void LogNameTaken(string node, string address);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {Node} could not sign off; its lease ends by itself: {Reason}")]
    private partial void LogSignOffFailed(string node, string reason);
}
