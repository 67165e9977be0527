namespace AiDb.Backup.Blobs;

/// <summary>Which names objects may have.</summary>
internal static class BlobNames
{
    public const int MaxChars = 512;

    /// <summary>Refuses a name that one of the stores could read as something else, such as a way out of the
    /// folder.</summary>
    public static void Check(string name)
    {
        bool isGood = name.Length is > 0 and <= MaxChars && name[0] != '/' && name[^1] != '/';
        for (int at = 0; isGood && at < name.Length; at++)
        {
            char letter = name[at];
            isGood = letter is >= 'a' and <= 'z' or >= '0' and <= '9' or '-'
                || (letter == '/' && name[at - 1] != '/') || (letter == '.' && at > 0 && name[at - 1] is not ('/' or '.'));
        }

        if (!isGood)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"An object's name is 1 to {MaxChars} of a-z, 0-9, '-', '.' and '/' between parts, not '{name}'.");
        }
    }

    /// <summary>Refuses a prefix for listings that is neither empty nor whole parts.</summary>
    public static void CheckPrefix(string prefix)
    {
        if (prefix.Length == 0)
            return;
        if (prefix[^1] != '/')
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"A prefix ends with '/': '{prefix}' does not.");
        Check(prefix[..^1]);
    }
}
