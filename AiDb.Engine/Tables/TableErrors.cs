using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>The errors of table files, worded in one place.</summary>
internal static class TableErrors
{
    /// <summary>Damaged bytes.</summary>
    public static AiDbException Damaged(string path, ulong offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"Table file '{path}' is damaged at offset {offset}: {what}. Restore the database from a checkpoint "
        + "or a backup, or rebuild this node from a replica; the other files are not affected.");

    /// <summary>The disk refused, or is full.</summary>
    public static AiDbException Disk(string path, string action, IOException cause) =>
        DiskErrors.IsOutOfSpace(cause)
            ? new AiDbException(
                AiDbErrorKind.ResourceExhausted,
                $"The disk is full: could not {action} table file '{path}' ({cause.Message}). Free space.",
                cause)
            : new AiDbException(
                AiDbErrorKind.Unavailable,
                $"The disk failed: could not {action} table file '{path}' ({cause.Message}).",
                cause);

    /// <summary>Written by something newer.</summary>
    public static AiDbException Unsupported(string path, string what) => new(
        AiDbErrorKind.Unimplemented,
        $"Table file '{path}' uses {what}, which this build does not read. Use a newer build.");
}
