namespace AiDb.Backup.Blobs;

/// <summary>An object as a listing shows it.</summary>
/// <param name="Name">Its name, without the store's prefix.</param>
/// <param name="SizeBytes">Its bytes.</param>
/// <param name="LastModified">When it was written, by the store's clock.</param>
public readonly record struct BlobInfo(string Name, long SizeBytes, DateTimeOffset LastModified);

/// <summary>Where archives live: named objects that appear as a whole or not at all.</summary>
/// <remarks>
/// Names are of <c>a-z 0-9 / - .</c>. Reads and listings see every write that has ended before they begin. Errors are
/// <see cref="AiDbException"/>: Unavailable (try again), PermissionDenied or Unauthenticated (credentials), NotFound
/// (of an object), PreconditionFailed (bucket or folder missing), ResourceExhausted (no space). A write that ended
/// with Unavailable may have happened. Thread safety: all members may be called concurrently.
/// </remarks>
public interface IBlobStore : IAsyncDisposable
{
    /// <summary>Where it is, for people; without credentials.</summary>
    string Location { get; }

    /// <summary>Creates an object unless there is one of that name.</summary>
    /// <returns>False: there is one, which stays as it is.</returns>
    Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default);

    /// <summary>Writes an object of any size from a stream, replacing one of that name. Nothing is visible before all of it
    /// is there.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="content">Read once, to its end.</param>
    /// <param name="sizeBytes">Its bytes; fewer in the stream is an error.</param>
    /// <param name="cancellationToken">Gives up; the object may have been written.</param>
    Task PutAsync(string name, Stream content, long sizeBytes, CancellationToken cancellationToken = default);

    /// <summary>Opens a range of an object for reading.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes; null: to the end. A range that reaches beyond the end stops there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    Task<Stream> OpenReadAsync(
        string name, long offset = 0, long? length = null, CancellationToken cancellationToken = default);

    /// <summary>Objects whose names begin with a prefix, in the order of their names.</summary>
    /// <param name="prefix">What the names begin with; a whole part, ending in <c>/</c>, or empty.</param>
    /// <param name="startAfter">Only names after this one; null: all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    IAsyncEnumerable<BlobInfo> ListAsync(
        string prefix, string? startAfter = null, CancellationToken cancellationToken = default);

    /// <summary>Deletes an object; no error when there is none.</summary>
    Task DeleteAsync(string name, CancellationToken cancellationToken = default);
}
