namespace AiDb.Engine.Collections.Queries;

/// <summary>Errors of requests, which name the field as users wrote it.</summary>
internal static class QueryErrors
{
    /// <summary>The request cannot succeed as it stands.</summary>
    public static AiDbException Invalid(string field, string problem) =>
        new(AiDbErrorKind.InvalidArgument, $"{field} {problem}.");

    /// <summary>A number is out of its range.</summary>
    public static void RequireRange(string field, long value, long least, long most)
    {
        if (value < least || value > most)
            throw Invalid(field, $"is {value}; it must be {least} to {most}");
    }
}
