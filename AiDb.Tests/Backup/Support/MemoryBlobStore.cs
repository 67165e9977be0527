using System.Runtime.CompilerServices;
using AiDb.Backup.Blobs;

namespace AiDb.Tests.Backup.Support;

/// <summary>Objects in memory, with a clock, and a say before and after each operation: for histories of crashes. Its
/// conformance is tested beside the real stores.</summary>
public sealed class MemoryBlobStore(TimeProvider? time = null) : IBlobStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (byte[] Content, DateTimeOffset Modified)> _objects = new(StringComparer.Ordinal);
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    public string Location => "the store in memory";

    /// <summary>Called before each operation with its name and the object's; what it throws happens instead.</summary>
    public Action<string, string>? Before { get; set; }

    /// <summary>Called after each change took effect; what it throws, the caller gets in place of the answer.</summary>
    public Action<string, string>? After { get; set; }

    /// <summary>Bytes that were written in all.</summary>
    public long WrittenBytes { get; private set; }

    public IReadOnlyDictionary<string, byte[]> Objects
    {
        get
        {
            lock (_gate)
                return _objects.ToDictionary(static item => item.Key, static item => item.Value.Content, StringComparer.Ordinal);
        }
    }

    public void Change(string name, Func<byte[], byte[]> change)
    {
        lock (_gate)
            _objects[name] = (change(_objects[name].Content), _objects[name].Modified);
    }

    public Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        Begin("create", name, cancellationToken);
        lock (_gate)
        {
            if (_objects.ContainsKey(name))
                return Task.FromResult(false);
            _objects[name] = (content.ToArray(), _time.GetUtcNow());
            WrittenBytes += content.Length;
        }

        After?.Invoke("create", name);
        return Task.FromResult(true);
    }

    public async Task PutAsync(string name, Stream content, long sizeBytes, CancellationToken cancellationToken = default)
    {
        Begin("put", name, cancellationToken);
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, cancellationToken);
        if (buffer.Length != sizeBytes)
            throw new AiDbException(AiDbErrorKind.DataLoss, $"'{name}' has {buffer.Length} bytes instead of {sizeBytes}.");
        lock (_gate)
        {
            _objects[name] = (buffer.ToArray(), _time.GetUtcNow());
            WrittenBytes += sizeBytes;
        }

        After?.Invoke("put", name);
    }

    public Task<Stream> OpenReadAsync(
        string name, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        Begin("read", name, cancellationToken);
        lock (_gate)
        {
            if (!_objects.TryGetValue(name, out (byte[] Content, DateTimeOffset Modified) found))
                throw new AiDbException(AiDbErrorKind.NotFound, $"There is no object '{name}'.");
            int start = (int)Math.Min(offset, found.Content.Length);
            int count = (int)Math.Min(length ?? long.MaxValue, found.Content.Length - start);
            return Task.FromResult<Stream>(new MemoryStream(found.Content, start, count, writable: false));
        }
    }

    public async IAsyncEnumerable<BlobInfo> ListAsync(
        string prefix, string? startAfter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Begin("list", prefix, cancellationToken);
        await Task.CompletedTask;
        List<BlobInfo> found;
        lock (_gate)
        {
            found = [.. _objects
                .Where(item => item.Key.StartsWith(prefix, StringComparison.Ordinal)
                    && (startAfter is null || string.CompareOrdinal(item.Key, startAfter) > 0))
                .Select(item => new BlobInfo(item.Key, item.Value.Content.Length, item.Value.Modified))];
        }

        foreach (BlobInfo blob in found)
            yield return blob;
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        Begin("delete", name, cancellationToken);
        lock (_gate)
            _objects.Remove(name);
        After?.Invoke("delete", name);
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Begin(string operation, string name, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (operation == "list")
            BlobNames.CheckPrefix(name);
        else
            BlobNames.Check(name);
        Before?.Invoke(operation, name);
    }
}
