namespace AiDb.Gateway.Errors;

/// <summary>An error that has an HTTP status of its own, apart from its kind's.</summary>
internal sealed class HttpProblemException(int status, AiDbErrorKind kind, string type, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status => status;

    /// <summary>What the caller should do about it.</summary>
    public AiDbErrorKind Kind => kind;

    /// <summary>The last part of the problem's type.</summary>
    public string Type => type;

    /// <summary>A body above the limit.</summary>
    public static HttpProblemException TooLarge(string message) =>
        new(StatusCodes.Status413PayloadTooLarge, AiDbErrorKind.InvalidArgument, "payload-too-large", message);

    /// <summary>A key in the address above the limit.</summary>
    public static HttpProblemException AddressTooLong(string message) =>
        new(StatusCodes.Status414UriTooLong, AiDbErrorKind.InvalidArgument, "address-too-long", message);
}
