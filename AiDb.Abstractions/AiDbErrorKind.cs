namespace AiDb;

/// <summary>
/// Why an operation did not do what was asked, chosen by what the caller should do next. One enum for the
/// embedded engine, the client and the wire; each edge maps it once (HTTP status, gRPC status).
/// </summary>
public enum AiDbErrorKind
{
    /// <summary>A fault of AiDb itself. Report it.</summary>
    Internal = 0,

    /// <summary>The request can never succeed as it stands; the message names the field and the
    /// limit.</summary>
    InvalidArgument = 1,

    /// <summary>What the request names does not exist.</summary>
    NotFound = 2,

    /// <summary>What the request would create exists.</summary>
    AlreadyExists = 3,

    /// <summary>A condition of the request (a version, an existence) does not hold. Read again, then
    /// decide.</summary>
    PreconditionFailed = 4,

    /// <summary>The operation lost a race or its snapshot is gone. Start it anew.</summary>
    Aborted = 5,

    /// <summary>No credentials, or wrong ones.</summary>
    Unauthenticated = 6,

    /// <summary>The credentials do not allow this.</summary>
    PermissionDenied = 7,

    /// <summary>A limit or a quota is reached; try again later or with less.</summary>
    ResourceExhausted = 8,

    /// <summary>The node cannot serve now and nothing was done. Try again.</summary>
    Unavailable = 9,

    /// <summary>The time allowed ran out before the operation began to take effect.</summary>
    DeadlineExceeded = 10,

    /// <summary>The operation may or may not have taken effect. Read before writing again.</summary>
    OutcomeUnknown = 11,

    /// <summary>The caller cancelled.</summary>
    Cancelled = 12,

    /// <summary>This build or this node does not offer it.</summary>
    Unimplemented = 13,

    /// <summary>Stored bytes are damaged; the message names the file, the offset and the way out.</summary>
    DataLoss = 14,
}
