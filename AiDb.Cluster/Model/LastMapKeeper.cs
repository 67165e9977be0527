using AiDb.Cluster.Metadata;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Model;

/// <summary>Keeps a gateway's last map on its disk while the store is there, and gives it to the watcher when
/// the gateway starts and the store is not.</summary>
public sealed partial class LastMapKeeper(
    IMetadataStore store, ClusterMapWatcher map, LastMapFile file, TimeProvider timeProvider, ILogger<LastMapKeeper> logger)
{
    // Changes come in bursts; the file follows them at this distance.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private bool _isFailing;
    private bool _isUnreadable;

    /// <summary>What the file holds; null: nothing that can be used.</summary>
    public MetadataRange? Read()
    {
        try
        {
            return file.Read();
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            if (!_isUnreadable)
                LogUnreadable(error.Message);
            _isUnreadable = true;
            return null;
        }
    }

    /// <summary>Writes the file whenever the map has changed, until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        long written = -1;
        while (true)
        {
            ClusterMap current = map.Current;
            if (current.Version != written && !map.IsFromFile && current != ClusterMap.Empty)
            {
                try
                {
                    MetadataRange range = await store.RangeAsync("", prefix: true, cancellationToken);
                    file.Write(range);
                    written = current.Version;
                    _isFailing = false;
                }
                catch (Exception error) when (error is AiDbException or IOException)
                {
                    // Told once; the file from before stays.
                    if (!_isFailing)
                        LogNotWritten(error.Message);
                    _isFailing = true;
                }
            }

            await Task.Delay(Pause, timeProvider, cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The last map cannot be read: {Reason}")]
    private partial void LogUnreadable(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The last map could not be written; the one from before stays: {Reason}")]
    private partial void LogNotWritten(string reason);
}
