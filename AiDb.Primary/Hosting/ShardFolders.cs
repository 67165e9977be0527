using System.Globalization;

namespace AiDb.Primary.Hosting;

/// <summary>Where a node keeps its shards.</summary>
public static class ShardFolders
{
    /// <summary>The folder of a shard.</summary>
    public static string Of(string dataDirectory, uint shard) =>
        Path.Combine(dataDirectory, "shard-" + shard.ToString("D5", CultureInfo.InvariantCulture));
}
