using AiDb.Backup.Blobs;
using AiDb.Backup.Restoring.Lazy;

namespace AiDb.Primary.Backup;

/// <summary>The settings of the section <c>AiDb:Backup</c> that are about restores.</summary>
public sealed record RestoreSettings
{
    /// <summary>Whether a node that finds no data for its shard restores it from the archive, lazily, and takes the archive
    /// over. Default: no.</summary>
    public bool RestoreOnStart { get; init; }

    /// <summary>Bytes that a lazy restore fetches each second in the background; 0: no limit.</summary>
    public long RestoreBytesPerSecond { get; init; }

    /// <summary>Credentials, times and tries of the store that a folder is restored from; its location is the
    /// folder's.</summary>
    public BlobStoreOptions Store { get; init; } = new() { Location = "." };

    /// <summary>How a lazy restore fetches.</summary>
    public LazyRestoreOptions Fetching => new() { BytesPerSecond = RestoreBytesPerSecond };

    /// <summary>Reads them, which may be there without a location to archive to; adds what is wrong to
    /// <paramref name="errors"/>.</summary>
    public static RestoreSettings Read(IConfiguration configuration, List<string> errors)
    {
        IConfigurationSection section = configuration.GetSection(BackupOptions.Section);
        string? location = BackupOptions.Text(section, nameof(BlobStoreOptions.Location));
        try
        {
            var settings = new RestoreSettings
            {
                RestoreOnStart = section.GetValue(nameof(RestoreOnStart), false),
                RestoreBytesPerSecond = section.GetValue(nameof(RestoreBytesPerSecond), 0L),
                Store = BackupOptions.ReadStore(section, location ?? "."),
            };
            settings.Fetching.Validate();
            if (settings.RestoreOnStart && location is null)
                errors.Add($"{section.Path}:{nameof(RestoreOnStart)} needs {section.Path}:{nameof(BlobStoreOptions.Location)}");
            return settings;
        }
        catch (Exception error) when (error is InvalidOperationException or AiDbException)
        {
            errors.Add($"{section.Path}: {error.Message.TrimEnd('.')}");
            return new RestoreSettings();
        }
    }
}
