using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AiDb.Client.Transport;

/// <summary>Traces and metrics of the client, named by OpenTelemetry's conventions for databases.</summary>
internal static class ClientTelemetry
{
    private static readonly ActivitySource Source = new(AiDbClient.TelemetryName);
    private static readonly Meter Meter = new(AiDbClient.TelemetryName);

    private static readonly Histogram<double> Duration = Meter.CreateHistogram(
        "db.client.operation.duration", "s", "Duration of the client's calls, retries included.",
        advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        });

    private static readonly Counter<long> Retries = Meter.CreateCounter<long>(
        "aidb.client.retries", "{retry}", "Attempts after the first one.");

    private static readonly Counter<long> Hedges = Meter.CreateCounter<long>(
        "aidb.client.hedges", "{request}", "Second requests of hedged reads.");

    public static bool MeasuresDuration => Duration.Enabled;

    public static Activity? Start(CallKind kind, string table)
    {
        if (!Source.HasListeners())
            return null;
        Activity? activity = Source.StartActivity($"{kind.Name} {table}".TrimEnd(), ActivityKind.Client);
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("db.system.name", "aidb");
            activity.SetTag("db.operation.name", kind.Name);
            if (table.Length > 0)
                activity.SetTag("db.collection.name", table);
        }

        return activity;
    }

    /// <summary>Ends a call's measurement; <paramref name="error"/> is null where it succeeded.</summary>
    public static void Stop(Activity? activity, CallKind kind, string table, TimeSpan elapsed, Exception? error)
    {
        string? errorType = error switch
        {
            null => null,
            AiDbException known => known.Kind.ToString(),
            OperationCanceledException => nameof(AiDbErrorKind.Cancelled),
            _ => error.GetType().Name,
        };
        if (Duration.Enabled)
        {
            TagList tags = new()
            {
                { "db.system.name", "aidb" },
                { "db.operation.name", kind.Name },
                { "db.collection.name", table },
            };
            if (errorType is not null)
                tags.Add("error.type", errorType);
            Duration.Record(elapsed.TotalSeconds, tags);
        }

        if (errorType is not null && activity is not null)
        {
            activity.SetTag("error.type", errorType);
            activity.SetStatus(ActivityStatusCode.Error, error!.Message);
        }
    }

    public static void CountRetry(Call call, AiDbErrorKind cause) => Retries.Add(
        1,
        new KeyValuePair<string, object?>("db.operation.name", call.Kind.Name),
        new KeyValuePair<string, object?>("error.type", cause.ToString()));

    public static void CountHedge() => Hedges.Add(1);
}
