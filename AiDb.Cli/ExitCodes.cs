namespace AiDb.Cli;

/// <summary>What the process ends with: 0, or a number for the kind of the error (documented in
/// docs/cli.md).</summary>
internal static class ExitCodes
{
    public const int Success = 0;
    public const int Internal = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Interrupted = 130;

    public static int Of(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument => Usage,
        AiDbErrorKind.NotFound => NotFound,
        AiDbErrorKind.AlreadyExists => 4,
        AiDbErrorKind.PreconditionFailed => 5,
        AiDbErrorKind.Aborted => 6,
        AiDbErrorKind.Unauthenticated or AiDbErrorKind.PermissionDenied => 7,
        AiDbErrorKind.ResourceExhausted => 8,
        AiDbErrorKind.Unavailable => 9,
        AiDbErrorKind.DeadlineExceeded => 10,
        AiDbErrorKind.OutcomeUnknown => 11,
        AiDbErrorKind.Unimplemented => 13,
        AiDbErrorKind.DataLoss => 14,
        AiDbErrorKind.Cancelled => Interrupted,
        _ => Internal,
    };
}
