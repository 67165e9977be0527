using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace AiDb.Backup.Blobs;

/// <summary>Objects in a bucket of S3 or a store that speaks its protocol.</summary>
/// <remarks>Objects beyond <see cref="PartBytes"/> are sent in parts; the others, manifests above all, with one
/// PutObject, whose <c>If-None-Match: *</c> every store enforces.</remarks>
public sealed class S3BlobStore : IBlobStore
{
    /// <summary>Bytes of a part.</summary>
    public const int PartBytes = 48 << 20;

    private readonly AmazonS3Client _client;
    private readonly string _bucket;
    private readonly string _prefix;

    /// <summary>Objects in a bucket, which must exist.</summary>
    public S3BlobStore(BlobStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        BlobLocation location = options.Parse();
        _bucket = location.Container;
        _prefix = location.Prefix.Length == 0 ? "" : location.Prefix + "/";
        Location = $"bucket '{_bucket}'" + (_prefix.Length == 0 ? "" : $", prefix '{location.Prefix}'")
            + (options.Endpoint is null ? "" : $" at {options.Endpoint}");
        var config = new AmazonS3Config
        {
            Timeout = options.RequestTimeout,
            MaxErrorRetry = options.MaxRetries,
            ForcePathStyle = options.Endpoint is not null,

            // The default, a trailing checksum in chunks, is refused by several stores; every object of an archive has
            // a checksum of its own.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.Endpoint is not null)
            config.ServiceURL = options.Endpoint;
        else
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region ?? "us-east-1");
        if (options.Region is not null)
            config.AuthenticationRegion = options.Region;
        _client = options.AccessKey is { } key
            ? new AmazonS3Client(new BasicAWSCredentials(key, options.SecretKey), config)
            : new AmazonS3Client(config);
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        using var stream = new MemoryStream(content.ToArray(), writable: false);
        try
        {
            await _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = _bucket,
                    Key = _prefix + name,
                    InputStream = stream,
                    AutoCloseStream = false,
                    IfNoneMatch = "*",
                    UseChunkEncoding = false,
                },
                cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (AmazonS3Exception error) when (
            error.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict)
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
            if (sizeBytes > PartBytes)
            {
                await PutPartsAsync(name, content, sizeBytes, cancellationToken).ConfigureAwait(false);
                return;
            }

            using MemoryStream body = await FillAsync(name, content, sizeBytes, cancellationToken).ConfigureAwait(false);
            await _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = _bucket,
                    Key = _prefix + name,
                    InputStream = body,
                    AutoCloseStream = false,
                    UseChunkEncoding = false,
                },
                cancellationToken).ConfigureAwait(false);
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
        var request = new GetObjectRequest { BucketName = _bucket, Key = _prefix + name };
        if (offset > 0 || length is not null)
            request.ByteRange = new ByteRange(offset, length is { } bytes ? offset + bytes - 1 : long.MaxValue);
        try
        {
            GetObjectResponse response = await _client.GetObjectAsync(request, cancellationToken).ConfigureAwait(false);
            return response.ResponseStream;
        }
        catch (AmazonS3Exception error) when (error.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
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
        var request = new ListObjectsV2Request
        {
            BucketName = _bucket,
            Prefix = _prefix + prefix,
            StartAfter = startAfter is null ? null : _prefix + startAfter,
        };
        while (true)
        {
            ListObjectsV2Response page;
            try
            {
                page = await _client.ListObjectsV2Async(request, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (ShouldMap(error, cancellationToken))
            {
                throw Map(error, "list", prefix);
            }

            foreach (S3Object found in page.S3Objects ?? [])
            {
                yield return new BlobInfo(
                    found.Key[_prefix.Length..], found.Size ?? 0,
                    new DateTimeOffset((found.LastModified ?? DateTime.MaxValue).ToUniversalTime()));
            }

            if (page.IsTruncated != true)
                yield break;
            request.ContinuationToken = page.NextContinuationToken;
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        try
        {
            await _client.DeleteObjectAsync(_bucket, _prefix + name, cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception error) when (error.ErrorCode == "NoSuchKey")
        {
            // Gone is gone.
        }
        catch (Exception error) when (ShouldMap(error, cancellationToken))
        {
            throw Map(error, $"delete '{name}'", name);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task PutPartsAsync(string name, Stream content, long sizeBytes, CancellationToken cancellationToken)
    {
        string key = _prefix + name;
        InitiateMultipartUploadResponse upload = await _client.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = _bucket, Key = key }, cancellationToken).ConfigureAwait(false);
        try
        {
            List<PartETag> parts = [];
            for (long offset = 0; offset < sizeBytes; offset += PartBytes)
            {
                using MemoryStream body = await FillAsync(
                    name, content, Math.Min(PartBytes, sizeBytes - offset), cancellationToken).ConfigureAwait(false);
                UploadPartResponse part = await _client.UploadPartAsync(
                    new UploadPartRequest
                    {
                        BucketName = _bucket,
                        Key = key,
                        UploadId = upload.UploadId,
                        PartNumber = parts.Count + 1,
                        PartSize = body.Length,
                        InputStream = body,
                        UseChunkEncoding = false,
                    },
                    cancellationToken).ConfigureAwait(false);
                parts.Add(new PartETag(parts.Count + 1, part.ETag));
            }

            await _client.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest
                {
                    BucketName = _bucket,
                    Key = key,
                    UploadId = upload.UploadId,
                    PartETags = parts,
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await AbortAsync(key, upload.UploadId).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Parts of an upload that never ends cost money and are in no listing.</summary>
    private async Task AbortAsync(string key, string uploadId)
    {
        try
        {
            await _client.AbortMultipartUploadAsync(
                new AbortMultipartUploadRequest { BucketName = _bucket, Key = key, UploadId = uploadId },
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AmazonServiceException or AmazonClientException || BlobErrors.IsTransport(error))
        {
            // The error before this one is the one to tell; a rule of the bucket removes old uploads.
        }
    }

    private static async Task<MemoryStream> FillAsync(
        string name, Stream content, long bytes, CancellationToken cancellationToken)
    {
        byte[] body = new byte[bytes];
        int read = await content.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return read == bytes
            ? new MemoryStream(body, writable: false)
            : throw new AiDbException(
                AiDbErrorKind.DataLoss, $"'{name}' ends {bytes - read} bytes before its length; nothing was written.");
    }

    private static bool ShouldMap(Exception error, CancellationToken cancellationToken) =>
        error is not AiDbException && !(error is OperationCanceledException && cancellationToken.IsCancellationRequested);

    private AiDbException Map(Exception error, string doing, string name)
    {
        if (error is not AmazonServiceException service)
        {
            return error is AmazonClientException && !BlobErrors.IsTransport(error)
                ? BlobErrors.Credentials(this, "no credentials were found", error)
                : BlobErrors.Unavailable(this, doing, error);
        }

        return (service.ErrorCode, service.StatusCode) switch
        {
            ("NoSuchBucket", _) => BlobErrors.Missing(this, "bucket", error),
            ("NoSuchKey", _) => BlobErrors.NotFound(this, name, error),
            ("InvalidAccessKeyId" or "SignatureDoesNotMatch" or "InvalidToken" or "ExpiredToken", _) =>
                BlobErrors.Credentials(this, service.ErrorCode, error),
            ("AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException", _)
                or (_, HttpStatusCode.MovedPermanently) => new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    $"{Location} is in another region than the settings say ({service.ErrorCode}). Correct the region.", error),
            ("RequestTimeTooSkewed", _) => BlobErrors.Clock(this, error),
            (_, HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized) =>
                BlobErrors.Permission(this, service.ErrorCode ?? "access denied", error),
            (_, HttpStatusCode.NotFound) => BlobErrors.NotFound(this, name, error),
            _ => BlobErrors.Unavailable(this, doing, error),
        };
    }
}
