namespace AiDb.Engine.Tables;

/// <summary>The errors of table files, worded in one place.</summary>
internal static class TableErrors
{
    /// <summary>Damaged bytes.</summary>
    public static AiDbException Damaged(string path, ulong offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"Table file '{path}' is damaged at offset {offset}: {what}. Restore the database from a checkpoint or a backup, or "
        + "rebuild this node from a replica; the other files are not affected.");

    /// <summary>The disk refused.</summary>
    public static AiDbException Disk(string path, string action, IOException cause) => new(
        AiDbErrorKind.Unavailable,
        $"Could not {action} table file '{path}': {cause.Message} Check the disk, then try again.",
        cause);

    /// <summary>Written by something newer.</summary>
    public static AiDbException Unsupported(string path, string what) => new(
        AiDbErrorKind.Unimplemented, $"Table file '{path}' uses {what}, which this build does not read. Use a newer build.");
}
