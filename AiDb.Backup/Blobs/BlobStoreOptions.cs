using AiDb.Engine.Storage;

namespace AiDb.Backup.Blobs;

/// <summary>Which kind of store.</summary>
public enum BlobStoreKind
{
    /// <summary>A folder.</summary>
    Folder,

    /// <summary>S3 or what speaks its protocol.</summary>
    S3,

    /// <summary>Azure Blob storage.</summary>
    Azure,
}

/// <summary>A location taken apart.</summary>
/// <param name="Kind">Which kind of store.</param>
/// <param name="Container">The bucket, the container or the folder.</param>
/// <param name="Prefix">What all names in it begin with; empty: nothing.</param>
public readonly record struct BlobLocation(BlobStoreKind Kind, string Container, string Prefix);

/// <summary>Where archives are kept, and how to get there.</summary>
public sealed record BlobStoreOptions
{
    private const string S3Scheme = "s3://";
    private const string AzureScheme = "azure://";
    private const string FileScheme = "file://";

    /// <summary><c>s3://bucket/prefix</c>, <c>azure://container/prefix</c>, or a folder (also
    /// <c>file:///folder</c>).</summary>
    public required string Location { get; init; }

    /// <summary>The address of a store that is not Amazon's or Azure's own, such as <c>http://127.0.0.1:9000</c>; of
    /// Azure, of the account.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The region of an S3 bucket. Default: us-east-1, or what the endpoint needs.</summary>
    public string? Region { get; init; }

    /// <summary>Access key of S3, account name of Azure; null: what the machine's environment has.</summary>
    public string? AccessKey { get; init; }

    /// <summary>The secret that belongs to it. Never logged.</summary>
    public string? SecretKey { get; init; }

    /// <summary>Of Azure, in place of account and key. Never logged.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>How long one request may take. Longer: slow links; shorter: a store that hangs is noticed sooner. Default:
    /// 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a request that failed for a passing reason is tried again at once; archives try again for ever
    /// besides. Default: 3.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        BlobLocation location = default;
        try
        {
            location = Parse();
        }
        catch (AiDbException error)
        {
            errors.Add(error.Message.TrimEnd('.'));
        }

        if (Endpoint is not null
            && (!Uri.TryCreate(Endpoint, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https")))
        {
            errors.Add("Endpoint must be an address such as https://storage.example.com");
        }

        if (AccessKey is null != SecretKey is null && location.Kind == BlobStoreKind.S3)
            errors.Add("AccessKey and SecretKey are given together, or neither");
        if (errors.Count == 0 && location.Kind == BlobStoreKind.Azure && ConnectionString is null && Endpoint is null
            && AccessKey is null)
        {
            errors.Add("an Azure location needs ConnectionString, Endpoint, or AccessKey (the account's name)");
        }

        if (RequestTimeout <= TimeSpan.Zero || RequestTimeout > TimeSpan.FromMinutes(30))
            errors.Add("RequestTimeout must be more than zero, at most half an hour (00:30:00)");
        if (MaxRetries is < 0 or > 10)
            errors.Add("MaxRetries must be 0 to 10");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The backup store: " + string.Join("; ", errors) + ".");
    }

    /// <summary>Takes the location apart.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public BlobLocation Parse()
    {
        string text = Location ?? "";
        if (text.StartsWith(S3Scheme, StringComparison.Ordinal))
            return Split(BlobStoreKind.S3, text[S3Scheme.Length..]);
        if (text.StartsWith(AzureScheme, StringComparison.Ordinal))
            return Split(BlobStoreKind.Azure, text[AzureScheme.Length..]);
        if (text.StartsWith(FileScheme, StringComparison.Ordinal))
            text = text[FileScheme.Length..];
        if (text.Length == 0 || text.Contains("://", StringComparison.Ordinal))
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"Location must be s3://bucket/prefix, azure://container/prefix or a folder, not '{Location}'.");
        }

        return new BlobLocation(BlobStoreKind.Folder, Path.GetFullPath(text), "");
    }

    /// <summary>Opens the store; nothing is asked of it yet.</summary>
    /// <param name="files">The disk of a folder; null: the machine's.</param>
    public IBlobStore Open(IFileSystem? files = null)
    {
        Validate();
        BlobLocation location = Parse();
        return location.Kind switch
        {
            BlobStoreKind.S3 => new S3BlobStore(this),
            BlobStoreKind.Azure => new AzureBlobStore(this),
            _ => new FolderBlobStore(location.Container, files),
        };
    }

    /// <summary>The location without anything secret.</summary>
    public override string ToString() => Endpoint is null ? Location : $"{Location} at {Endpoint}";

    private BlobLocation Split(BlobStoreKind kind, string rest)
    {
        int slash = rest.IndexOf('/');
        string container = slash < 0 ? rest : rest[..slash];
        string prefix = slash < 0 ? "" : rest[(slash + 1)..].Trim('/');
        if (container.Length is < 3 or > 63)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"Location '{Location}' needs the name of a bucket or container, 3 to 63 letters.");
        }

        if (prefix.Length > 0)
            BlobNames.Check(prefix);
        return new BlobLocation(kind, container, prefix);
    }
}
