using AiDb.Backup.Blobs;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>Where a lazy restore fetches from, without credentials: a folder that is being restored remembers
/// it.</summary>
/// <param name="Location"><see cref="BlobStoreOptions.Location"/>; a folder as its full path.</param>
/// <param name="Endpoint"><see cref="BlobStoreOptions.Endpoint"/>.</param>
/// <param name="Region"><see cref="BlobStoreOptions.Region"/>.</param>
public sealed record RestoreSource(string Location, string? Endpoint, string? Region)
{
    /// <summary>That of a store's settings.</summary>
    public static RestoreSource Of(BlobStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        BlobLocation location = options.Parse();
        return new RestoreSource(
            location.Kind == BlobStoreKind.Folder ? location.Container : options.Location, options.Endpoint, options.Region);
    }

    /// <summary>Settings of the store, with the credentials, times and tries of others.</summary>
    /// <param name="credentials">Where the rest comes from; its location does not matter.</param>
    public BlobStoreOptions With(BlobStoreOptions credentials)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        return credentials with { Location = Location, Endpoint = Endpoint, Region = Region };
    }

    /// <inheritdoc/>
    public override string ToString() => Endpoint is null ? Location : $"{Location} at {Endpoint}";
}
