using AiDb.Engine;
using AiDb.Primary.Backup;
using AiDb.Primary.Shards;
using AiDb.Primary.Voters;
using AiDb.ServiceDefaults;

namespace AiDb.Primary.Hosting;

/// <summary>The settings of a primary.</summary>
public sealed record PrimaryOptions
{
    /// <summary>How it joins its cluster.</summary>
    public required NodeOptions Node { get; init; }

    /// <summary><c>AiDb:DataDirectory</c>: the folder of its data; each shard has one of its own in it.
    /// Default: <c>data</c>.</summary>
    public required string DataDirectory { get; init; }

    /// <summary><c>AiDb:Engine</c>: settings of each shard's engine.</summary>
    public DatabaseOptions Database { get; init; } = new();

    /// <summary><c>AiDb:Backup</c>: where shards are archived; null: nowhere.</summary>
    public BackupOptions? Backup { get; init; }

    /// <summary><c>AiDb:Replication</c>: how shards of several voters are kept.</summary>
    public VoterOptions Voters { get; init; } = new();

    /// <summary>How data that is not there, or not whole, comes from an archive.</summary>
    public RestoreSettings Restore { get; init; } = new();

    /// <summary>Bounds of each shard.</summary>
    public ShardHostOptions Shards { get; init; } = new();

    /// <summary>Reads the settings and reports every fault at once.</summary>
    public static PrimaryOptions Read(IConfiguration configuration)
    {
        List<string> errors = [];
        NodeOptions node = NodeOptions.Read(configuration, errors);
        MetadataStores.Check(node.Metadata, errors);
        string directory = configuration["AiDb:DataDirectory"] ?? "data";
        if (string.IsNullOrWhiteSpace(directory))
            errors.Add("AiDb:DataDirectory is empty; name a folder, or leave it out for ./data");
        DatabaseOptions database = EngineSettings.Read(configuration, errors);
        BackupOptions? backup = BackupOptions.Read(configuration, errors);
        VoterOptions voters = VoterOptions.Read(configuration, errors);
        RestoreSettings restore = RestoreSettings.Read(configuration, errors);
        NodeOptions.ThrowIfAny(errors);
        return new PrimaryOptions
        {
            Node = node,
            DataDirectory = Path.GetFullPath(directory),
            Database = BackupOptions.Apply(backup, database),
            Backup = backup,
            Voters = voters,
            Restore = restore,
        };
    }
}
