using System.Runtime.CompilerServices;
using AiDb.Client.Transport;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Client;

/// <summary>A handle on a table: an ordered map of binary keys to values. It costs nothing and holds
/// nothing.</summary>
/// <remarks>Thread safety: all members may be called concurrently; small concurrent calls share one
/// stream.</remarks>
public sealed class AiDbTable
{
    private static readonly ReadOptions DefaultRead = new();
    private static readonly WriteOptions DefaultWrite = new();
    private static readonly ScanOptions DefaultScan = new();
    private readonly CallExecutor _calls;

    internal AiDbTable(CallExecutor calls, string name)
    {
        _calls = calls;
        Name = name;
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>Reads a key; null when it is absent or expired.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such
    /// table.</exception>
    public ValueTask<AiDbEntry?> GetAsync(
        AiDbKey key, ReadOptions? options = null, CancellationToken cancellationToken = default) =>
        GetCoreAsync(key, head: false, options, cancellationToken);

    /// <summary>Reads version, size and expiry of a key without its value; null when it is absent or
    /// expired.</summary>
    public ValueTask<AiDbEntry?> HeadAsync(
        AiDbKey key, ReadOptions? options = null, CancellationToken cancellationToken = default) =>
        GetCoreAsync(key, head: true, options, cancellationToken);

    /// <summary>Reads many keys with one call.</summary>
    /// <returns>As many entries as keys, in their order; null for those that are absent.</returns>
    public async ValueTask<IReadOnlyList<AiDbEntry?>> MultiGetAsync(
        IEnumerable<AiDbKey> keys, ReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        options?.Validate();
        ReadOptions read = options ?? DefaultRead;
        MultiGetRequest request = new()
        {
            Table = Name,
            Partition = WireMapping.Bytes(read.Partition),
            Options = _calls.Session.ToWire(read.Consistency, read.Session),
        };
        request.Keys.AddRange(keys.Select(WireMapping.Key));
        if (request.Keys.Count == 0)
            return [];
        MultiGetResponse response = await _calls
            .MultiGetAsync(request, read.Timeout, read.HedgeAfter, cancellationToken).ConfigureAwait(false);
        _calls.Session.Observe(response.Session);
        AiDbEntry?[] entries = new AiDbEntry?[response.Values.Count];
        for (int index = 0; index < entries.Length; index++)
            entries[index] = WireMapping.ToEntry(response.Values[index]);
        return entries;
    }

    /// <summary>Sets a key.</summary>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="value">0 bytes to 64 MiB; copied.</param>
    /// <param name="options">Time to live, condition, durability.</param>
    /// <param name="cancellationToken">Gives up waiting; whether the write took effect is then
    /// unknown.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the condition does not
    /// hold. <see cref="AiDbErrorKind.OutcomeUnknown"/>: it may or may not have taken effect.</exception>
    public async ValueTask<WriteOutcome> PutAsync(
        AiDbKey key, ReadOnlyMemory<byte> value, WriteOptions? options = null, CancellationToken cancellationToken = default)
    {
        options?.Validate();
        WriteOptions write = options ?? DefaultWrite;
        PutRequest request = new()
        {
            Table = Name,
            Key = WireMapping.Key(key),
            Value = ByteString.CopyFrom(value.Span),
            Partition = WireMapping.Bytes(write.Partition),
            TtlMs = WireMapping.TimeToLive(write.TimeToLive),
            Condition = WireMapping.ToWire(write.Condition),
            Durability = WireMapping.ToWire(write.Durability),
        };
        WriteResponse response = await _calls.PutAsync(request, write, cancellationToken).ConfigureAwait(false);
        return Acknowledge(response);
    }

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    /// <exception cref="AiDbException">As for <see cref="PutAsync"/>.</exception>
    public async ValueTask<WriteOutcome> DeleteAsync(
        AiDbKey key, WriteOptions? options = null, CancellationToken cancellationToken = default)
    {
        options?.Validate();
        WriteOptions write = options ?? DefaultWrite;
        if (write.TimeToLive is not null)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "TimeToLive does not apply to a deletion.");
        DeleteRequest request = new()
        {
            Table = Name,
            Key = WireMapping.Key(key),
            Partition = WireMapping.Bytes(write.Partition),
            Condition = WireMapping.ToWire(write.Condition),
            Durability = WireMapping.ToWire(write.Durability),
        };
        WriteResponse response = await _calls.DeleteAsync(request, write, cancellationToken).ConfigureAwait(false);
        return Acknowledge(response);
    }

    /// <summary>Walks keys in order, consistent at one moment per shard. Pages are fetched as they are
    /// consumed; a page that was lost on the way is asked for again.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the state that the scan looks at
    /// is gone, because its consumer took too long or a node went away. Start it anew.</exception>
    public async IAsyncEnumerable<AiDbItem> ScanAsync(
        ScanOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        options?.Validate();
        ScanOptions scan = options ?? DefaultScan;
        ScanRequest request = new()
        {
            Table = Name,
            Prefix = WireMapping.Bytes(scan.Prefix.Bytes),
            Start = WireMapping.Bytes(scan.Start.Bytes),
            End = WireMapping.Bytes(scan.End.Bytes),
            Reverse = scan.Reverse,
            Limit = (ulong)(scan.Limit ?? 0),
            KeysOnly = scan.KeysOnly,
            Options = _calls.Session.ToWire(scan.Consistency, scan.Session),
        };
        await foreach (ScanItem item in _calls.ScanAsync(request, cancellationToken).ConfigureAwait(false))
            yield return WireMapping.ToItem(item);
    }

    private async ValueTask<AiDbEntry?> GetCoreAsync(
        AiDbKey key, bool head, ReadOptions? options, CancellationToken cancellationToken)
    {
        options?.Validate();
        ReadOptions read = options ?? DefaultRead;
        GetRequest request = new()
        {
            Table = Name,
            Key = WireMapping.Key(key),
            Partition = WireMapping.Bytes(read.Partition),
            Options = _calls.Session.ToWire(read.Consistency, read.Session),
            Head = head,
        };
        GetResponse response = await _calls
            .GetAsync(request, read.Timeout, read.HedgeAfter, cancellationToken).ConfigureAwait(false);
        _calls.Session.Observe(response.Info?.Session);
        return WireMapping.ToEntry(response);
    }

    private WriteOutcome Acknowledge(WriteResponse response)
    {
        _calls.Session.Observe(response.Session);
        return new WriteOutcome(response.Version, WireMapping.FromWire(response.Durability), response.Session);
    }
}
