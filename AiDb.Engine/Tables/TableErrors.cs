using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>The errors of table files, worded in one place.</summary>
internal static class TableErrors
{
    /// <summary>Damaged bytes.</summary>
    public static AiDbException Damaged(string path, ulong offset, string what) => Place(offset, new(
        AiDbErrorKind.DataLoss,
        $"Table file '{path}' is damaged at offset {offset}: {what}. Restore the database from a checkpoint "
        + "or a backup, or rebuild this node from a replica; the other files are not affected."));

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

    /// <summary>The offset that a <see cref="Damaged"/> error names; 0 for other errors.</summary>
    public static long OffsetOf(AiDbException error) => error.Data[OffsetKey] is ulong offset ? (long)offset : 0;

    /// <summary>Written by something newer.</summary>
    public static AiDbException Unsupported(string path, string what) => new(
        AiDbErrorKind.Unimplemented,
        $"Table file '{path}' uses {what}, which this build does not read. Use a newer build.");

    private const string OffsetKey = "AiDb.Offset";

    private static AiDbException Place(ulong offset, AiDbException error)
    {
        error.Data[OffsetKey] = offset;
        return error;
    }
}
