namespace AiDb.Primary.Hosting;

/// <summary>Repeats steps with a store (of metadata, of an archive) that are safe to repeat, while it cannot be reached.</summary>
internal static class StoreRetry
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    /// <summary>Does a step until the store has answered it.</summary>
    /// <param name="step">The step.</param>
    /// <param name="onUnreachable">Told the reason, once.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<T> RunAsync<T>(
        Func<ValueTask<T>> step, Action<string> onUnreachable, TimeProvider time, CancellationToken cancellationToken)
    {
        bool told = false;
        while (true)
        {
            try
            {
                return await step().ConfigureAwait(false);
            }
            catch (AiDbException exception) when (exception.Kind is
                AiDbErrorKind.Unavailable or AiDbErrorKind.OutcomeUnknown or AiDbErrorKind.DeadlineExceeded)
            {
                if (!told)
                    onUnreachable(exception.Message);
                told = true;
                await Task.Delay(Delay, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
