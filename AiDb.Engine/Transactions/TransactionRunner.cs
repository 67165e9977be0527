using System.Security.Cryptography;

namespace AiDb.Engine.Transactions;

/// <summary>Runs a body in transactions until one commits without a conflict.</summary>
internal static class TransactionRunner
{
    private const int JitterSteps = 1 << 16;

    public static async ValueTask<T> RunAsync<T>(
        Database database, Func<Transaction, CancellationToken, ValueTask<T>> body, TransactionOptions options,
        CancellationToken cancellationToken)
    {
        options.Validate();
        TimeSpan delay = options.FirstRetryDelay;
        for (int attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                using var transaction = new Transaction(database, options);
                T result = await body(transaction, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return result;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted && attempt < options.MaxAttempts)
            {
                // Begun anew below: whoever won the race has made progress.
            }

            // Without chance in it, those who met once would meet again.
            double share = (1 + RandomNumberGenerator.GetInt32(JitterSteps)) / (double)JitterSteps;
            if (delay > TimeSpan.Zero)
                await Task.Delay(delay * share, database.TimeProvider, cancellationToken).ConfigureAwait(false);
            delay = delay * 2 < options.LongestRetryDelay ? delay * 2 : options.LongestRetryDelay;
        }
    }
}
