using System.Globalization;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Grpc.Core;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>What all calls of Qdrant's services share: a place among the requests in hand, the time limit that the call
/// and its message give, errors as statuses, and how long it took.</summary>
internal sealed class GrpcCalls(Admission admission, TimeProvider clock)
{
    private const ulong MaxTimeoutSeconds = 24 * 3600;

    /// <summary>Carries a call out.</summary>
    /// <param name="context">The call.</param>
    /// <param name="timeoutSeconds">What its message allows; 0: nothing said.</param>
    /// <param name="work">Makes the answer.</param>
    /// <param name="setTime">Notes in the answer how long it took, in seconds.</param>
    public async Task<T> AnswerAsync<T>(
        ServerCallContext context, ulong timeoutSeconds, Func<CancellationToken, ValueTask<T>> work,
        Action<T, double>? setTime)
    {
        long start = clock.GetTimestamp();
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        try
        {
            if (timeoutSeconds > MaxTimeoutSeconds)
                throw Invalid($"timeout is {timeoutSeconds}; at most {MaxTimeoutSeconds} seconds are allowed");
            if (timeoutSeconds > 0)
                limit.CancelAfter(TimeSpan.FromSeconds(timeoutSeconds));
            admission.Enter();
            try
            {
                T answer = await work(limit.Token);
                setTime?.Invoke(answer, clock.GetElapsedTime(start).TotalSeconds);
                return answer;
            }
            finally
            {
                admission.Exit();
            }
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            bool isCancelled = exception is OperationCanceledException or AiDbException { Kind: AiDbErrorKind.Cancelled };
            throw isCancelled && limit.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested
                ? ToRpc(new AiDbException(
                    AiDbErrorKind.DeadlineExceeded,
                    $"timeout: the {timeoutSeconds} s that the request allows have passed; a write may have taken effect, and "
                    + "repeating it does no harm."))
                : ToRpc(exception);
        }
    }

    /// <summary>Refuses what a call cannot ask for.</summary>
    public static void Check(Wire.ReadConsistency? consistency, Wire.ShardKeySelector? shardKeys = null)
    {
        if (consistency is { ValueCase: Wire.ReadConsistency.ValueOneofCase.Type } && !Enum.IsDefined(consistency.Type))
            throw Invalid($"read_consistency.type is {(int)consistency.Type}; 0 (all), 1 (majority) and 2 (quorum) are known");
        if (consistency is { ValueCase: Wire.ReadConsistency.ValueOneofCase.Factor, Factor: 0 })
            throw Invalid("read_consistency.factor is 0; it must be 1 or more");
        Check(shardKeys);
    }

    /// <summary>Refuses what a call cannot ask for.</summary>
    public static void Check(Wire.WriteOrdering? ordering, Wire.ShardKeySelector? shardKeys = null)
    {
        if (ordering is not null && !Enum.IsDefined(ordering.Type))
            throw Invalid($"ordering.type is {(int)ordering.Type}; 0 (weak), 1 (medium) and 2 (strong) are known");
        Check(shardKeys);
    }

    /// <summary>An error of a message.</summary>
    public static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");

    private static void Check(Wire.ShardKeySelector? shardKeys)
    {
        if (shardKeys is { ShardKeys.Count: > 0 })
            throw Invalid("shard_key_selector cannot be used: points are spread over shards by their ids");
    }

    // Messages begin as Qdrant's do; integrations look at them.
    private static RpcException ToRpc(Exception exception)
    {
        Error error = FailedCondition.ToError(exception).Clone();
        AiDbErrorKind kind = ErrorMapping.KindOf(error);
        error.Message = kind switch
        {
            AiDbErrorKind.InvalidArgument or AiDbErrorKind.AlreadyExists => "Wrong input: ",
            AiDbErrorKind.NotFound => "Not found: ",
            AiDbErrorKind.DeadlineExceeded => "Timeout error: ",
            AiDbErrorKind.PermissionDenied => "Forbidden: ",
            AiDbErrorKind.Internal or AiDbErrorKind.DataLoss => "Service internal error: ",
            AiDbErrorKind.Unavailable => "Service unavailable: ",
            _ => "",
        } + error.Message;
        RpcException rpc = ErrorMapping.ToRpc(error);
        if (kind == AiDbErrorKind.ResourceExhausted && error.RetryAfterMs > 0)
        {
            ulong seconds = (error.RetryAfterMs + 999) / 1000;
            rpc.Trailers.Add("retry-after", seconds.ToString(CultureInfo.InvariantCulture));
        }

        return rpc;
    }
}
