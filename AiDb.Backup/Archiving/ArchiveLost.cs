namespace AiDb.Backup.Archiving;

/// <summary>Marks errors after which an archive stops: it is another primary's, or does not go on from this database.
/// Trying again would not help.</summary>
internal static class ArchiveLost
{
    private const string Mark = "AiDb.Backup.ArchiveLost";

    public static AiDbException Create(AiDbErrorKind kind, string message)
    {
        var error = new AiDbException(kind, message);
        error.Data[Mark] = true;
        return error;
    }

    public static bool Is(AiDbException error) => error.Data.Contains(Mark);
}
