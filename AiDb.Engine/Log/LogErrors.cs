using AiDb.Engine.Storage;

namespace AiDb.Engine.Log;

/// <summary>The log's errors, worded once.</summary>
internal static class LogErrors
{
    /// <summary>Stored bytes are damaged.</summary>
    public static AiDbException Corrupt(string path, long offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"The log file '{path}' is damaged at byte {offset}: {what}. Entries that were durable are affected, so the " +
        "database does not open by itself: take the data from a replica or restore a backup.");

    /// <summary>A newer program wrote this.</summary>
    public static AiDbException TooNew(string path, long offset, string what) => new(
        AiDbErrorKind.Unimplemented,
        $"The log file '{path}' holds something at byte {offset} that this version does not know: {what}. Start the " +
        "version that wrote it, or a later one.");

    /// <summary>A reader wants what is gone.</summary>
    public static AiDbException FellBehind(ulong lsn, ulong firstLsn) => new(
        AiDbErrorKind.Aborted,
        $"The log no longer holds entry {lsn}; it begins with {firstLsn}. Start from a snapshot, or raise " +
        $"{nameof(DatabaseOptions)}.{nameof(DatabaseOptions.LogRetentionBytes)}.");

    /// <summary>A reader has read what was cut off.</summary>
    public static AiDbException CutOff(ulong lsn) => new(
        AiDbErrorKind.Aborted, $"The log was cut off after entry {lsn}, which the reader had passed. Start anew.");

    /// <summary>A disk error after which nothing was done.</summary>
    public static AiDbException NothingDone(string doing, IOException error) => DiskErrors.IsOutOfSpace(error)
        ? new AiDbException(
            AiDbErrorKind.ResourceExhausted, $"The disk is full: could not {doing} ({error.Message}). Free space.", error)
        : new AiDbException(
            AiDbErrorKind.Unavailable, $"The disk failed: could not {doing} ({error.Message}).", error);

    /// <summary>A disk error after which nobody knows what a restart finds.</summary>
    public static AiDbException Unknown(string doing, Exception error) => new(
        AiDbErrorKind.OutcomeUnknown,
        $"The disk failed: could not {doing} ({error.Message}). Whether the entries in question survive shows only when the " +
        "database is opened anew.",
        error);

    /// <summary>The log takes nothing any more.</summary>
    public static AiDbException FailedClosed(string doing, Exception error) => new(
        AiDbErrorKind.Unavailable,
        $"The log takes no more writes, because it could not {doing} ({error.Message}). After such an error the system may " +
        "have dropped written data, so trying again would be unsafe: check the disk and open the database anew.",
        error);
}

/// <summary>A sync that failed, told apart from other disk errors because it is final.</summary>
internal sealed class LogSyncException : IOException
{
    public LogSyncException(IOException cause)
        : base(cause.Message, cause) => HResult = cause.HResult;
}
