namespace AiDb.Backup.Blobs;

/// <summary>What every store can do.</summary>
public static class BlobStoreExtensions
{
    /// <summary>Reads an object as a whole.</summary>
    /// <param name="store">The store.</param>
    /// <param name="name">Its name.</param>
    /// <param name="maxBytes">A bigger one is DataLoss: nothing of ours is that big.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<byte[]> ReadAllAsync(
        this IBlobStore store, string name, long maxBytes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        Stream content = await store.OpenReadAsync(name, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            using var buffer = new MemoryStream();
            byte[] window = new byte[128 << 10];
            int read;
            while ((read = await BlobErrors.ReadAsync(content, window, store, name, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (buffer.Length + read > maxBytes)
                    throw BlobErrors.Damaged(store, name, $"it is longer than the {maxBytes} bytes that it can have");
                buffer.Write(window, 0, read);
            }

            return buffer.ToArray();
        }
    }

    /// <summary>Fills a buffer from a range of an object.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the object ends before.</exception>
    public static async Task ReadExactlyAsync(
        this IBlobStore store, string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        Stream content = await store.OpenReadAsync(name, offset, buffer.Length, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            int filled = 0;
            while (filled < buffer.Length)
            {
                int read = await BlobErrors.ReadAsync(content, buffer[filled..], store, name, cancellationToken)
                    .ConfigureAwait(false);
                if (read == 0)
                    throw BlobErrors.Damaged(store, name, $"it ends at byte {offset + filled}");
                filled += read;
            }
        }
    }

    /// <summary>Names that begin with a prefix, in their order.</summary>
    public static async Task<List<string>> ListNamesAsync(
        this IBlobStore store, string prefix, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        List<string> names = [];
        await foreach (BlobInfo blob in store.ListAsync(prefix, null, cancellationToken).ConfigureAwait(false))
            names.Add(blob.Name);
        return names;
    }
}
