using System.Runtime.CompilerServices;
using System.Text.Json;

namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>Follows the changes under a prefix, over as many streams, at as many members, as it takes.</summary>
internal sealed class EtcdWatch(
    EtcdClient client, EtcdKeys keys, EtcdOptions options, Func<CancellationToken, Task<EtcdHeader>> readHeader, TimeProvider timeProvider)
{
    private bool _isTokenRenewed;

    /// <summary>The changes from a revision on.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: read the range again.</exception>
    public async IAsyncEnumerable<MetadataChange> RunAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // etcd takes 0 for "from now on".
        long next = Math.Max(1, fromRevision);
        ulong cluster = 0;
        while (true)
        {
            using (EtcdStream? stream = await TryOpenAsync(prefix, next, cancellationToken))
            {
                while (stream is not null && await TryReadAsync(stream, cancellationToken) is { } answer)
                {
                    if (answer.Created && answer is { Canceled: false, Header: { } header })
                        cluster = await CheckStoreAsync(header, cluster, next, cancellationToken);
                    foreach (MetadataChange change in Changes(answer))
                    {
                        next = change.Revision + 1;
                        yield return change;
                        cancellationToken.ThrowIfCancellationRequested();
                    }

                    // Without events it says how far the store is: nothing of the prefix changed up to there.
                    if (answer is { Created: false, Events: null or [], Header: { } progress })
                        next = Math.Max(next, progress.Revision + 1);
                }
            }

            await Task.Delay(options.ReconnectDelay, timeProvider, cancellationToken);
        }
    }

    private async Task<EtcdStream?> TryOpenAsync(string prefix, long next, CancellationToken cancellationToken)
    {
        EtcdWatchRequest request = new(new EtcdWatchCreate(keys.Of(prefix), keys.EndOf(prefix), next, ProgressNotify: true));
        int endpoint = client.Endpoint;
        try
        {
            return await client.OpenStreamAsync("watch", request, EtcdJson.Default.EtcdWatchRequest, cancellationToken);
        }
        catch (EtcdFailure failure)
        {
            cancellationToken.ThrowIfCancellationRequested();
            client.TurnFrom(endpoint);
            Reconsider(failure);
            return null;
        }
    }

    /// <summary>The next answer; null: the stream is of no more use, another one is.</summary>
    private async Task<EtcdWatchResult?> TryReadAsync(EtcdStream stream, CancellationToken cancellationToken)
    {
        if (await ReadLineAsync(stream, cancellationToken) is not { } line)
        {
            client.TurnFrom(stream.Endpoint);
            return null;
        }

        EtcdWatchResponse? answer = null;
        try
        {
            answer = JsonSerializer.Deserialize(line, EtcdJson.Default.EtcdWatchResponse);
        }
        catch (JsonException)
        {
            // Cut off in the middle of a line: what was not read comes again.
        }

        if (answer?.Result is not { } result)
        {
            client.TurnFrom(stream.Endpoint);
            if (answer?.Error is { } error)
                Reconsider(EtcdFailure.Of(Math.Max(error.GrpcCode, error.Code), error.Message ?? ""));
            return null;
        }

        if (result.CompactRevision > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Aborted, $"etcd no longer holds the revision; the oldest one held is {result.CompactRevision}.");
        }

        if (!result.Canceled)
        {
            _isTokenRenewed = false;
            return result;
        }

        client.TurnFrom(stream.Endpoint);

        // A watch with a token that is no longer good is told "permission denied", as one without the right.
        Reconsider(EtcdFailure.Of(
            result.CancelReason?.Contains("permission denied", StringComparison.Ordinal) == true ? 7 : 14, result.CancelReason ?? ""));
        return null;
    }

    private async Task<string?> ReadLineAsync(EtcdStream stream, CancellationToken cancellationToken)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<string?> reading = stream.ReadLineAsync(end.Token);
        try
        {
            while (true)
            {
                Task pause = Task.Delay(options.WatchCheckInterval, timeProvider, end.Token);
                if (await Task.WhenAny(reading, pause) == reading)
                    return await reading;

                // Silent because nothing changed, or because the member hangs?
                await client.CheckAsync(stream.Endpoint, end.Token);
            }
        }
        catch (EtcdFailure failure)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (failure.Outcome == EtcdOutcome.TokenExpired)
                client.ForgetToken();
            return null;
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAny(reading);
        }
    }

    /// <summary>Whether the store is the one that was watched before, and as far as the caller has
    /// seen.</summary>
    private async ValueTask<ulong> CheckStoreAsync(
        EtcdHeader created, ulong cluster, long next, CancellationToken cancellationToken)
    {
        if (cluster != 0 && cluster != created.ClusterId)
        {
            throw new AiDbException(
                AiDbErrorKind.Aborted, "Another etcd cluster answers at this address: it was restored, or replaced.");
        }

        // This member may only be behind; the cluster as a whole is asked then.
        if (next > created.Revision + 1 && next > (await readHeader(cancellationToken)).Revision + 1)
            throw new AiDbException(AiDbErrorKind.Aborted, $"Revision {next} is yet to come; the newest one is {created.Revision}.");
        return created.ClusterId;
    }

    private void Reconsider(EtcdFailure failure)
    {
        bool mayBeToken = failure.Outcome == EtcdOutcome.TokenExpired || failure.Kind == AiDbErrorKind.PermissionDenied;
        if (mayBeToken && options.User is not null && !_isTokenRenewed)
        {
            _isTokenRenewed = true;
            client.ForgetToken();
        }
        else if (failure.Outcome is EtcdOutcome.Refused or EtcdOutcome.TokenExpired)
        {
            throw failure.ToException(mayHaveChanged: false);
        }
    }

    /// <summary>The events of an answer by revision. etcd keeps those of one revision together.</summary>
    private IEnumerable<MetadataChange> Changes(EtcdWatchResult answer)
    {
        List<MetadataEvent> events = [];
        long revision = 0;
        foreach (EtcdEvent item in answer.Events ?? [])
        {
            if (item.Kv is not { Key: not null } kv)
                continue;
            if (kv.ModRevision != revision && events.Count > 0)
            {
                yield return new MetadataChange(revision, events);
                events = [];
            }

            revision = kv.ModRevision;
            bool isDeleted = string.Equals(item.Type, "DELETE", StringComparison.Ordinal);
            events.Add(new MetadataEvent(keys.NameOf(kv), isDeleted ? null : keys.Read(kv)));
        }

        if (events.Count > 0)
            yield return new MetadataChange(revision, events);
    }
}
