using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Placement;

/// <summary>
/// Lets one of several gateways coordinate: the one whose leased key stands in the store. The others wait for
/// that key to go, and then one of them takes over.
/// </summary>
/// <remarks>The lease spares work done twice; it is never a right. Two coordinators at once do no harm, since
/// each step of theirs is a compare-and-swap. Thread safety: <see cref="RunAsync"/> once.</remarks>
/// <param name="store">The store; every gateway's the same.</param>
/// <param name="nodeId">This gateway.</param>
/// <param name="timeToLive">How long the key outlives a gateway that died.</param>
/// <param name="timeProvider">The clock.</param>
/// <param name="logger">Tells who coordinates.</param>
public sealed partial class CoordinatorLease(
    IMetadataStore store, string nodeId, TimeSpan timeToLive, TimeProvider timeProvider, ILogger<CoordinatorLease> logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    private bool _isUnreachable;

    /// <summary>Coordinates whenever it is this gateway's turn, until it is cancelled.</summary>
    /// <param name="lead">Coordinates until it is cancelled.</param>
    /// <param name="cancellationToken">Ends it, and lets another gateway take over at once.</param>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await WaitUntilFreeAsync(cancellationToken);
                await TryLeadAsync(lead, cancellationToken);
            }
            catch (AiDbException error)
            {
                // Told once per outage, not once per attempt.
                if (!_isUnreachable && error.Kind != AiDbErrorKind.Aborted)
                    LogFailed(nodeId, error.Kind, error.Message);
                _isUnreachable = true;
                await Task.Delay(RetryDelay, timeProvider, cancellationToken);
            }
        }
    }

    private async ValueTask WaitUntilFreeAsync(CancellationToken cancellationToken)
    {
        MetadataRange range = await store.RangeAsync(MetadataKeys.Coordinator, cancellationToken: cancellationToken);
        _isUnreachable = false;
        if (range.Single is not { } holder)
            return;
        LogWaiting(nodeId, Encoding.UTF8.GetString(holder.Value.Span));
        await foreach (MetadataChange change in store.WatchAsync(
            MetadataKeys.Coordinator, range.Revision + 1, cancellationToken))
        {
            if (change.Events.Any(static item => item.Key == MetadataKeys.Coordinator && item.Current is null))
                return;
        }
    }

    private async ValueTask TryLeadAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        long leaseId = await store.GrantLeaseAsync(timeToLive, cancellationToken);
        try
        {
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [MetadataCompare.IsAbsent(MetadataKeys.Coordinator)],
                    Then = [MetadataOperation.Put(MetadataKeys.Coordinator, Encoding.UTF8.GetBytes(nodeId), leaseId)],
                },
                cancellationToken);
            if (result.Succeeded)
                await LeadAsync(lead, leaseId, cancellationToken);
        }
        finally
        {
            await RevokeAsync(leaseId);
        }
    }

    private async ValueTask LeadAsync(Func<CancellationToken, Task> lead, long leaseId, CancellationToken cancellationToken)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        LogTaken(nodeId);
        Task leading = lead(end.Token);
        try
        {
            Task keeping = KeepAliveAsync(leaseId, end.Token);
            await await Task.WhenAny(leading, keeping);
            LogLost(nodeId);
        }
        finally
        {
            await end.CancelAsync();
            await leading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Returns when the lease is lost, or may be.</summary>
    private async Task KeepAliveAsync(long leaseId, CancellationToken cancellationToken)
    {
        long confirmed = timeProvider.GetTimestamp();
        while (timeProvider.GetElapsedTime(confirmed) < timeToLive)
        {
            await Task.Delay(timeToLive / 3, timeProvider, cancellationToken);
            long asked = timeProvider.GetTimestamp();
            try
            {
                if (!await store.KeepLeaseAliveAsync(leaseId, cancellationToken))
                    return;
                confirmed = asked;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unavailable)
            {
                // The lease may live on: the store's clock decides, and this one gives up after the same time.
            }
        }
    }

    private async ValueTask RevokeAsync(long leaseId)
    {
        using CancellationTokenSource timeout = new(timeToLive / 2, timeProvider);
        try
        {
            await store.RevokeLeaseAsync(leaseId, timeout.Token);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException)
        {
            // It ends by itself.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Gateway {Node} coordinates the cluster")]
    private partial void LogTaken(string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Gateway {Node} no longer coordinates the cluster: its lease is lost")]
    private partial void LogLost(string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "Gateway {Node} stands by; {Holder} coordinates the cluster")]
    private partial void LogWaiting(string node, string holder);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Gateway {Node} cannot ask who coordinates ({Kind}): {Reason}")]
    private partial void LogFailed(string node, AiDbErrorKind kind, string reason);
}
