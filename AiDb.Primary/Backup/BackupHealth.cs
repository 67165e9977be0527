using AiDb.Backup.Archiving;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Backup;

/// <summary>What is wrong with the archives of a node, for its health check.</summary>
public static class BackupHealth
{
    /// <summary>The first problem in words; null: there is none.</summary>
    public static string? Problem(IEnumerable<ShardHost> shards, BackupHost? backup)
    {
        ArgumentNullException.ThrowIfNull(shards);
        foreach (ShardHost shard in shards)
        {
            if (shard.Restore?.GetStatus().Problem is { } unrestored)
                return $"The restore of shard {shard.Shard} does not get on: {unrestored}";
            if (shard.Archive?.Archiver.GetStatus() is not { } status)
                continue;
            if (status.Health is ArchiveHealth.Behind or ArchiveHealth.Failing or ArchiveHealth.Stopped)
            {
                return $"The archive of shard {shard.Shard} is {status.Health.ToString().ToLowerInvariant()}, "
                    + $"{status.Lag.TotalSeconds:F0} s behind: {status.Problem}";
            }
        }

        return backup?.LastDrill is { Succeeded: false } drill ? $"The last restore drill failed: {drill.Failure}" : null;
    }
}
