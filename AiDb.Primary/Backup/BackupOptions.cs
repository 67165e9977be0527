using System.Collections.Frozen;
using System.Reflection;
using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Engine;

namespace AiDb.Primary.Backup;

/// <summary>The section <c>AiDb:Backup</c>: where and how shards are archived.</summary>
public sealed record BackupOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "AiDb:Backup";

    /// <summary>Log that is kept for an archive unless <c>AiDb:Engine:ArchiveLogBytes</c> says otherwise.</summary>
    public const long DefaultArchiveLogBytes = 4L << 30;

    private static readonly string[] StoreNames =
    [
        nameof(BlobStoreOptions.Location), nameof(BlobStoreOptions.Endpoint), nameof(BlobStoreOptions.Region),
        nameof(BlobStoreOptions.AccessKey), nameof(BlobStoreOptions.SecretKey), nameof(BlobStoreOptions.ConnectionString),
        nameof(BlobStoreOptions.RequestTimeout), nameof(BlobStoreOptions.MaxRetries),
    ];

    private static readonly FrozenSet<string> Names = typeof(ArchiveOptions)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(static property => property.CanWrite)
        .Select(static property => property.Name)
        .Concat(StoreNames)
        .Append(nameof(DrillInterval))
        .Append(nameof(RestoreSettings.RestoreOnStart))
        .Append(nameof(RestoreSettings.RestoreBytesPerSecond))
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The store.</summary>
    public required BlobStoreOptions Store { get; init; }

    /// <summary>How shards are archived.</summary>
    public ArchiveOptions Archive { get; init; } = new();

    /// <summary>How often the backup is restored into a scratch folder and read; zero: never. Default: 7 days.</summary>
    public TimeSpan DrillInterval { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Reads the section; null where it names no location. Adds what is wrong to
    /// <paramref name="errors"/>.</summary>
    public static BackupOptions? Read(IConfiguration configuration, List<string> errors)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        foreach (IConfigurationSection setting in section.GetChildren())
        {
            if (!Names.Contains(setting.Key))
                errors.Add($"{setting.Path} is no setting; there are {string.Join(", ", Names.Order(StringComparer.Ordinal))}");
        }

        if (section[nameof(BlobStoreOptions.Location)] is not { Length: > 0 } location)
            return null;
        try
        {
            BlobStoreOptions store = ReadStore(section, location);
            store.Validate();
            ArchiveOptions archive = section.Get<ArchiveOptions>() ?? new ArchiveOptions();
            archive.Validate();
            TimeSpan drills = section.GetValue(nameof(DrillInterval), TimeSpan.FromDays(7));
            if (drills != TimeSpan.Zero && (drills < TimeSpan.FromMinutes(1) || drills > TimeSpan.FromDays(45)))
                errors.Add($"{Section}:{nameof(DrillInterval)} is zero (never), or a minute (00:01:00) to 45 days (45.00:00:00)");
            return new BackupOptions { Store = store, Archive = archive, DrillInterval = drills };
        }
        catch (Exception error) when (error is InvalidOperationException or AiDbException)
        {
            errors.Add($"{Section}: {error.Message.TrimEnd('.')}");
            return null;
        }
    }

    /// <summary>The engine's settings with what an archive needs.</summary>
    public static DatabaseOptions Apply(BackupOptions? backup, DatabaseOptions engine) =>
        backup is null || engine.ArchiveLogBytes != 0 ? engine : engine with { ArchiveLogBytes = DefaultArchiveLogBytes };

    /// <summary>The store's settings, not validated.</summary>
    internal static BlobStoreOptions ReadStore(IConfigurationSection section, string location) => new()
    {
        Location = location,
        Endpoint = Text(section, nameof(BlobStoreOptions.Endpoint)),
        Region = Text(section, nameof(BlobStoreOptions.Region)),
        AccessKey = Text(section, nameof(BlobStoreOptions.AccessKey)),
        SecretKey = Text(section, nameof(BlobStoreOptions.SecretKey)),
        ConnectionString = Text(section, nameof(BlobStoreOptions.ConnectionString)),
        RequestTimeout = section.GetValue(nameof(BlobStoreOptions.RequestTimeout), TimeSpan.FromSeconds(30)),
        MaxRetries = section.GetValue(nameof(BlobStoreOptions.MaxRetries), 3),
    };

    internal static string? Text(IConfigurationSection section, string name) =>
        section[name] is { Length: > 0 } text ? text : null;
}
