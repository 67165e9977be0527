namespace AiDb.Cli;

/// <summary>One line for an error: what happened and what to do.</summary>
internal static class Advice
{
    public static string For(AiDbException exception)
    {
        string message = exception.Message.ReplaceLineEndings(" ").TrimEnd('.', ' ');
        string? hint = exception.Kind switch
        {
            AiDbErrorKind.Unavailable =>
                "Is it running, and is --endpoint (for 'meta': --store) its address? 'aidb doctor' tells more",
            AiDbErrorKind.Unauthenticated => "Pass the key with --api-key or AIDB_API_KEY",
            AiDbErrorKind.OutcomeUnknown => "Read the key to see whether it was written",
            AiDbErrorKind.ResourceExhausted => "Try again later, or with less at a time",
            AiDbErrorKind.Aborted => "Run the command again",
            AiDbErrorKind.DeadlineExceeded => "Try again, or allow more time with --timeout",
            AiDbErrorKind.Internal => "This is a fault of AiDb; the node's log says more",
            _ => null,
        };
        return hint is null ? $"{message}." : $"{message}. {hint}.";
    }
}
