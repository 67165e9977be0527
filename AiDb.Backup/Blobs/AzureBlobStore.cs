using System.Runtime.CompilerServices;
using Azure;
using Azure.Core;
using Azure.Identity;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace AiDb.Backup.Blobs;

/// <summary>Objects in a container of Azure Blob storage.</summary>
/// <remarks>Big objects are sent in blocks, which become visible together. Credentials: a connection string, an account
/// key, or what the machine has (managed identity, environment, the Azure command line).</remarks>
public sealed class AzureBlobStore : IBlobStore
{
    private const int BlockBytes = 16 << 20;

    private readonly BlobContainerClient _container;
    private readonly string _prefix;

    /// <summary>Objects in a container, which must exist.</summary>
    public AzureBlobStore(BlobStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        BlobLocation location = options.Parse();
        _prefix = location.Prefix.Length == 0 ? "" : location.Prefix + "/";
        var client = new BlobClientOptions();
        client.Retry.MaxRetries = options.MaxRetries;
        client.Retry.Mode = RetryMode.Exponential;
        client.Retry.Delay = TimeSpan.FromMilliseconds(200);
        client.Retry.MaxDelay = TimeSpan.FromSeconds(5);
        client.Retry.NetworkTimeout = options.RequestTimeout;
        client.Diagnostics.IsLoggingEnabled = false;
        _container = Connect(options, location.Container, client);
        Location = $"container '{location.Container}'" + (_prefix.Length == 0 ? "" : $", prefix '{location.Prefix}'")
            + $" at {_container.Uri.Scheme}://{_container.Uri.Authority}";
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        try
        {
            await _container.GetBlobClient(_prefix + name).UploadAsync(
                BinaryData.FromBytes(content),
                new BlobUploadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All } },
                cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RequestFailedException error) when (
            error.Status == 412 || (error.Status == 409 && error.ErrorCode is not null && error.ErrorCode == BlobErrorCode.BlobAlreadyExists))
        {
            return false;
        }
        catch (Exception error) when (ShouldMap(error, cancellationToken))
        {
            throw Map(error, $"write '{name}'", name);
        }
    }

    /// <inheritdoc/>
    public async Task PutAsync(string name, Stream content, long sizeBytes, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        try
        {
            var counted = new CountingStream(content);
            Response<BlobContentInfo> written = await _container.GetBlobClient(_prefix + name).UploadAsync(
                counted,
                new BlobUploadOptions
                {
                    TransferOptions = new StorageTransferOptions
                    {
                        InitialTransferSize = BlockBytes,
                        MaximumTransferSize = BlockBytes,
                        MaximumConcurrency = 2,
                    },
                },
                cancellationToken).ConfigureAwait(false);
            if (counted.Bytes == sizeBytes)
                return;
            await _container.GetBlobClient(_prefix + name).DeleteIfExistsAsync(
                conditions: new BlobRequestConditions { IfMatch = written.Value.ETag }, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"'{name}' has {counted.Bytes} bytes instead of {sizeBytes}; nothing was written.");
        }
        catch (Exception error) when (ShouldMap(error, cancellationToken))
        {
            throw Map(error, $"write '{name}'", name);
        }
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(
        string name, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        if (length == 0)
            return Stream.Null;
        try
        {
            Response<BlobDownloadStreamingResult> response = await _container.GetBlobClient(_prefix + name)
                .DownloadStreamingAsync(
                    new BlobDownloadOptions
                    {
                        Range = offset > 0 || length is not null ? new HttpRange(offset, length) : default,
                    },
                    cancellationToken).ConfigureAwait(false);
            return response.Value.Content;
        }
        catch (RequestFailedException error) when (error.Status == 416)
        {
            return Stream.Null;
        }
        catch (Exception error) when (ShouldMap(error, cancellationToken))
        {
            throw Map(error, $"read '{name}'", name);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobInfo> ListAsync(
        string prefix, string? startAfter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        BlobNames.CheckPrefix(prefix);
        IAsyncEnumerator<BlobItem> items = _container
            .GetBlobsAsync(prefix: _prefix + prefix, cancellationToken: cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (items.ConfigureAwait(false))
        {
            while (true)
            {
                try
                {
                    if (!await items.MoveNextAsync().ConfigureAwait(false))
                        yield break;
                }
                catch (Exception error) when (ShouldMap(error, cancellationToken))
                {
                    throw Map(error, "list", prefix);
                }

                BlobItem item = items.Current;
                string name = item.Name[_prefix.Length..];
                if (startAfter is null || string.CompareOrdinal(name, startAfter) > 0)
                {
                    yield return new BlobInfo(
                        name, item.Properties.ContentLength ?? 0, item.Properties.LastModified ?? DateTimeOffset.MaxValue);
                }
            }
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        try
        {
            await _container.DeleteBlobIfExistsAsync(_prefix + name, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception error) when (ShouldMap(error, cancellationToken))
        {
            throw Map(error, $"delete '{name}'", name);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static BlobContainerClient Connect(BlobStoreOptions options, string container, BlobClientOptions client)
    {
        if (options.ConnectionString is { } connection)
            return new BlobContainerClient(connection, container, client);
        string endpoint = options.Endpoint ?? $"https://{options.AccessKey}.blob.core.windows.net";
        Uri uri = new(endpoint.TrimEnd('/') + "/" + container);
        return options is { AccessKey: { } account, SecretKey: { } key }
            ? new BlobContainerClient(uri, new StorageSharedKeyCredential(account, key), client)
            : new BlobContainerClient(uri, new DefaultAzureCredential(), client);
    }

    private static bool ShouldMap(Exception error, CancellationToken cancellationToken) =>
        error is not AiDbException && !(error is OperationCanceledException && cancellationToken.IsCancellationRequested);

    private AiDbException Map(Exception error, string doing, string name)
    {
        if (error is AuthenticationFailedException)
            return BlobErrors.Credentials(this, "no token could be had", error);
        if (error is not RequestFailedException failed)
            return BlobErrors.Unavailable(this, doing, error);

        // A connection that broke has no code; the type of the codes does not bear that.
        string code = failed.ErrorCode ?? "";
        if (code == BlobErrorCode.ContainerNotFound.ToString() || code == BlobErrorCode.ContainerBeingDeleted.ToString())
            return BlobErrors.Missing(this, "container", error);
        if (code == BlobErrorCode.AuthenticationFailed.ToString())
            return BlobErrors.Credentials(this, code, error);
        return failed.Status switch
        {
            401 => BlobErrors.Credentials(this, failed.ErrorCode ?? "401", error),
            403 => BlobErrors.Permission(this, failed.ErrorCode ?? "403", error),
            404 => BlobErrors.NotFound(this, name, error),
            _ => BlobErrors.Unavailable(this, doing, error),
        };
    }

    /// <summary>Counts what passes, so that a stream that ended early is noticed.</summary>
    private sealed class CountingStream(Stream inner) : Stream
    {
        public long Bytes { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = inner.Read(buffer, offset, count);
            Bytes += read;
            return read;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            Bytes += read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
