using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Collections.Diagnostics;

/// <summary>What collections log.</summary>
internal static partial class CollectionLog
{
    [LoggerMessage(Level = LogLevel.Information,
        Message = "Collection {Collection}: {Points} points indexed from their keys in {Elapsed}")]
    public static partial void Loaded(ILogger logger, string collection, int points, TimeSpan elapsed);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Collection {Collection}: its indexes could not be made; the next use tries again")]
    public static partial void NotLoaded(ILogger logger, string collection, Exception error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Collection {Collection}: the index over {Path} was not made; filters read payloads instead")]
    public static partial void IndexNotBuilt(ILogger logger, string collection, string path, Exception error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Collection {Collection}: saved indexes are of no use; they are made from the keys")]
    public static partial void NotRead(ILogger logger, string collection, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Collection {Collection}: its indexes could not be saved")]
    public static partial void NotSaved(ILogger logger, string collection, Exception error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Collection {Collection}: the index over the vector '{Vector}' was not made anew; its settings stay as they were")]
    public static partial void NotRebuilt(ILogger logger, string collection, string vector, Exception error);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Collection {Collection}: the indexes could not take in the point {Point}; it is read from its keys again")]
    public static partial void NotTakenIn(ILogger logger, string collection, PointId point, Exception error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "What a restore left that did not come to its end could not be deleted; the next start tries again")]
    public static partial void NotAbandoned(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "Collection {Collection}: background work failed")]
    public static partial void BackgroundFailed(ILogger logger, string collection, Exception error);
}
