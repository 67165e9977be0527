using System.Globalization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Rest;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>A request of Qdrant's API: when it began, and the parameters that its routes share. Its presence
/// among the features of a request says that the answer, an error too, comes in Qdrant's envelope.</summary>
internal sealed class QdrantRequest
{
    private const int MaxTimeoutSeconds = 24 * 3600;
    private const string EscapedSlash = "%2F";

    private static readonly string[] Roots =
        ["/collections", "/aliases", "/snapshots", "/cluster", "/telemetry", "/issues", "/quotas"];

    private readonly TimeProvider _clock;
    private readonly long _start;

    private QdrantRequest(TimeProvider clock)
    {
        _clock = clock;
        _start = clock.GetTimestamp();
    }

    /// <summary>How long the request has taken.</summary>
    public TimeSpan Elapsed => _clock.GetElapsedTime(_start);

    /// <summary>Marks the requests of Qdrant's API. Comes first, before what may refuse them.</summary>
    public static Task MarkAsync(HttpContext context, RequestDelegate next)
    {
        if (Array.Exists(Roots, root => context.Request.Path.StartsWithSegments(root, StringComparison.Ordinal)))
            context.Features.Set(new QdrantRequest(context.RequestServices.GetRequiredService<TimeProvider>()));
        return next(context);
    }

    /// <summary>The request of a route of Qdrant's API; null: it is of another.</summary>
    public static QdrantRequest? Of(HttpContext context) => context.Features.Get<QdrantRequest>();

    /// <summary>Carries out what a request asks for, within the time that its <c>timeout</c> allows.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DeadlineExceeded"/>: the time ran out.</exception>
    public static async Task<T> RunAsync<T>(HttpContext context, Func<CancellationToken, ValueTask<T>> action)
    {
        CheckParameters(context.Request.Query);
        if (context.GetRouteValue("collection") is string name && name.Contains(EscapedSlash, StringComparison.OrdinalIgnoreCase))
            throw RequestLimits.Invalid("collection: a name has no slash in it.");
        Admission admission = context.RequestServices.GetRequiredService<Admission>();
        int? seconds = Integer(context.Request.Query, "timeout", 1, MaxTimeoutSeconds);
        admission.Enter();
        try
        {
            if (seconds is null)
                return await action(context.RequestAborted);
            return await RunAsync(context, TimeSpan.FromSeconds(seconds.Value), action);
        }
        finally
        {
            admission.Exit();
        }
    }

    /// <summary>A switch of the address: true or false.</summary>
    public static bool Flag(HttpContext context, string name, bool byDefault) => context.Request.Query[name].ToString() switch
    {
        "" => byDefault,
        "true" => true,
        "false" => false,
        { } other => throw RequestLimits.Invalid($"{name}: it is true or false, not '{RequestLimits.Shown(other)}'."),
    };

    /// <summary>A part of an address with its slashes, which routing leaves escaped.</summary>
    public static string WithSlashes(string part) => part.Replace(EscapedSlash, "/", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the writer waits for its write; AiDb's writes are always there when they are
    /// acknowledged.</summary>
    public static bool Waits(HttpContext context) => Flag(context, "wait", byDefault: false);

    /// <summary>What a write is to reach: parameter or header, beyond Qdrant's API.</summary>
    public static Durability Durability(HttpContext context) => RestQuery.ParseDurability(
        context.Request.Query[QueryNames.Durability].ToString() is { Length: > 0 } parameter
            ? parameter
            : context.Request.Headers[RestHeaders.Durability].ToString());

    private static async Task<T> RunAsync<T>(HttpContext context, TimeSpan timeout, Func<CancellationToken, ValueTask<T>> action)
    {
        using CancellationTokenSource expiry = new(timeout, context.RequestServices.GetRequiredService<TimeProvider>());
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, context.RequestAborted);
        try
        {
            return await action(either.Token);
        }
        catch (Exception error) when (IsCancellation(error) && expiry.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            string advice = HttpMethods.IsGet(context.Request.Method) ? "" : " A write may have taken effect; repeating it does no harm.";
            throw new AiDbException(
                AiDbErrorKind.DeadlineExceeded, $"timeout: the {timeout.TotalSeconds} s that the request allows have passed.{advice}", error);
        }
    }

    private static bool IsCancellation(Exception error) =>
        error is OperationCanceledException or AiDbException { Kind: AiDbErrorKind.Cancelled };

    private static void CheckParameters(IQueryCollection query)
    {
        string ordering = query["ordering"].ToString();
        if (ordering is not ("" or "weak" or "medium" or "strong"))
            throw RequestLimits.Invalid($"ordering: it is weak, medium or strong, not '{RequestLimits.Shown(ordering)}'.");
        string consistency = query["consistency"].ToString();
        if (consistency is not ("" or "majority" or "quorum" or "all"))
            _ = Integer(query, "consistency", 1, int.MaxValue, "majority, quorum, all or ");
    }

    private static int? Integer(IQueryCollection query, string name, int min, int max, string alternatives = "")
    {
        string text = query[name].ToString();
        if (text.Length == 0)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max
            ? value
            : throw RequestLimits.Invalid(
                $"{name}: it is {alternatives}a whole number from {min} to {max}, not '{RequestLimits.Shown(text)}'.");
    }
}
