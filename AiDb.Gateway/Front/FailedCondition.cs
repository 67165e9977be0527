using AiDb.Contracts;
using AiDb.Contracts.V1;

namespace AiDb.Gateway.Front;

/// <summary>The cause inside an error of kind <see cref="AiDbErrorKind.PreconditionFailed"/>: which
/// operation's condition failed, and what its key's version is. The edges show it.</summary>
internal sealed class FailedCondition : Exception
{
    private FailedCondition(Error error)
        : base(error.Message) => Error = error;

    /// <summary>The whole error.</summary>
    public Error Error { get; }

    /// <summary>The exception of an error, with the failed condition inside where there is one.</summary>
    public static AiDbException ToException(Error error) =>
        ErrorMapping.KindOf(error) == AiDbErrorKind.PreconditionFailed
            ? new AiDbException(AiDbErrorKind.PreconditionFailed, error.Message, new FailedCondition(error))
            : ErrorMapping.ToException(error);

    /// <summary>The wire form of an exception, the failed condition included.</summary>
    public static Error ToError(Exception exception) =>
        exception.InnerException is FailedCondition condition ? condition.Error : ErrorMapping.ToError(exception);
}
