using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AiDb.Contracts;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Hosting;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;

namespace AiDb.Gateway.Security;

/// <summary>Lets in who shows the API key, by the header <c>api-key</c> or as a bearer token; inner services
/// ask for the cluster's secret instead. Endpoints that say AllowAnonymous (health, metrics, documentation)
/// are open.</summary>
internal sealed class AccessMiddleware
{
    public const string ApiKeyHeader = "api-key";

    private const string InnerServices = "/aidb.internal.v1.";
    private const string Bearer = "Bearer ";

    private readonly RequestDelegate _next;
    private readonly byte[]? _keyDigest;
    private readonly ClusterSecret? _secret;

    public AccessMiddleware(RequestDelegate next, GatewayOptions options)
    {
        _next = next;
        _keyDigest = options.ApiKey is { } key ? SHA256.HashData(Encoding.UTF8.GetBytes(key)) : null;
        _secret = options.ClusterSecret.Length > 0 ? new ClusterSecret(options.ClusterSecret) : null;
    }

    public Task InvokeAsync(HttpContext context)
    {
        // Routing does not mind the case of a path; what guards it must not either.
        if (context.Request.Path.Value is { } path
            && path.StartsWith(InnerServices, StringComparison.OrdinalIgnoreCase))
        {
            return _secret is not null && _secret.Matches(context.Request.Headers[ClusterSecret.HeaderName])
                ? _next(context)
                : RefuseAsync(context, "The call does not carry the cluster's secret (AiDb:Cluster:Secret).");
        }

        if (_keyDigest is null || context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null
            || Matches(Presented(context.Request)))
        {
            return _next(context);
        }

        return RefuseAsync(
            context, "Show the API key in the header api-key, or as Authorization: Bearer; what came is missing or wrong.");
    }

    private static string? Presented(HttpRequest request)
    {
        if (request.Headers.TryGetValue(ApiKeyHeader, out var key) && key.Count == 1)
            return key[0];
        string? authorization = request.Headers.Authorization;
        return authorization?.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) == true
            ? authorization[Bearer.Length..].Trim()
            : null;
    }

    // Digests have one length, so that the comparison tells nothing about the key's.
    private bool Matches(string? presented)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented ?? ""), digest);
        return CryptographicOperations.FixedTimeEquals(digest, _keyDigest) && presented is not null;
    }

    private static Task RefuseAsync(HttpContext context, string message)
    {
        AiDbException error = new(AiDbErrorKind.Unauthenticated, message);
        if (!ProblemMiddleware.IsGrpc(context.Request))
            return Problems.WriteAsync(context, Problems.Create(error, context));
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] =
            ((int)StatusCode.Unauthenticated).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = Uri.EscapeDataString(message);
        return Task.CompletedTask;
    }
}
