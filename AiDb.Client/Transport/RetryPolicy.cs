using Polly;
using Polly.Retry;

namespace AiDb.Client.Transport;

/// <summary>Which failed attempts are repeated, and after which pause.</summary>
/// <remarks>A write is repeated where the error says that nothing was done, or where its caller said that
/// repeating it does no harm; a read is repeated besides where its answer was lost.</remarks>
internal sealed class RetryPolicy
{
    private static readonly ResiliencePropertyKey<Call> CallKey = new("aidb.call");
    private readonly ResiliencePipeline _pipeline;
    private readonly TimeProvider _time;

    public RetryPolicy(AiDbClientSettings settings, TimeProvider time)
    {
        _time = time;
        ResiliencePipelineBuilder builder = new() { TimeProvider = time };
        if (settings.MaxRetries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = settings.MaxRetries,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = settings.RetryDelay,
                MaxDelay = settings.MaxRetryDelay,
                ShouldHandle = arguments => ValueTask.FromResult(
                    arguments.Outcome.Exception is AiDbException error
                    && arguments.Context.Properties.TryGetValue(CallKey, out Call? call)
                    && MayRepeat(call, error)),
                DelayGenerator = static arguments => ValueTask.FromResult(
                    // The server's hint is about now; later attempts back off further by themselves.
                    arguments is { AttemptNumber: 0, Outcome.Exception: AiDbException { RetryAfter: { } hint } } ? hint : (TimeSpan?)null),
                OnRetry = static arguments =>
                {
                    if (arguments.Context.Properties.TryGetValue(CallKey, out Call? call))
                        ClientTelemetry.CountRetry(call, ((AiDbException)arguments.Outcome.Exception!).Kind);
                    return ValueTask.CompletedTask;
                },
            });
        }

        _pipeline = builder.Build();
    }

    /// <summary>Runs the attempts of a call until one succeeds or none may follow.</summary>
    public async ValueTask<TResult> ExecuteAsync<TResult>(
        Call call, Func<Call, CancellationToken, ValueTask<TResult>> attempt, CancellationToken cancellationToken)
    {
        ResilienceContext context = ResilienceContextPool.Shared.Get(cancellationToken);
        try
        {
            context.Properties.Set(CallKey, call);
            return await _pipeline.ExecuteAsync(
                static (context, state) => state.attempt(state.call, context.CancellationToken),
                context, (attempt, call)).ConfigureAwait(false);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    /// <summary>Whether a call that failed so may be sent again.</summary>
    public bool MayRepeat(Call call, AiDbException error)
    {
        bool safe = error.Kind switch
        {
            AiDbErrorKind.Unavailable or AiDbErrorKind.ResourceExhausted => true,
            AiDbErrorKind.Aborted => call.RepeatsAborted,
            AiDbErrorKind.OutcomeUnknown => call.Kind.IsRead || call.Idempotent,
            _ => false,
        };
        return safe && _time.GetTimestamp() < call.Deadline;
    }
}
