using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using Google.Protobuf;
using Microsoft.AspNetCore.Http.Features;

namespace AiDb.Gateway.Rest;

/// <summary>The table and the key of a request under <c>/v1/kv/</c>, decoded once from the raw request
/// target: the server's own path has dot segments removed and cannot tell <c>a/b</c> from <c>a%2Fb</c> in a
/// URL that a proxy rewrote.</summary>
internal sealed class KeyValueTarget
{
    /// <summary>What these requests begin with.</summary>
    public const string Prefix = "/v1/kv/";

    /// <summary>Bytes of a key in an address; longer ones travel in a body.</summary>
    public const int MaxKeyBytesInAddress = 4 << 10;

    private KeyValueTarget(string table, string? rawKey)
    {
        Table = table;
        RawKey = rawKey;
    }

    /// <summary>The table.</summary>
    public string Table { get; }

    /// <summary>What stands after the table, as it was sent; null: nothing, not even a slash.</summary>
    public string? RawKey { get; }

    /// <summary>The target of a request that <see cref="RewriteAsync"/> took.</summary>
    public static KeyValueTarget Of(HttpContext context) =>
        context.Features.Get<KeyValueTarget>()
        ?? throw new HttpProblemException(
            StatusCodes.Status404NotFound, AiDbErrorKind.NotFound, "route-not-found",
            $"Write the address as {Prefix}TABLE/KEY, in lower case and without dot segments before the table.");

    /// <summary>The key.</summary>
    /// <param name="isBase64Url">Whether the address holds it as base64url.</param>
    public ByteString DecodeKey(bool isBase64Url)
    {
        string raw = RawKey ?? "";
        if (raw.Length == 0)
            throw RequestLimits.Invalid($"key: it is empty; to list the table ask {Prefix}{Table} without the last slash.");
        byte[] key = PercentEncoding.Decode(raw, plusIsSpace: false);
        if (isBase64Url)
            key = KeyEncoding.FromBase64Url(key, "key");
        if (key.Length > MaxKeyBytesInAddress)
        {
            throw HttpProblemException.AddressTooLong(
                $"key: an address holds keys up to {MaxKeyBytesInAddress} bytes, this one has {key.Length}; read longer ones by "
                + $"POST {Prefix}{Table}/multiget and write them by POST {Prefix}{Table}/batch.");
        }

        return UnsafeByteOperations.UnsafeWrap(key);
    }

    /// <summary>Takes the target of a request under the prefix apart and gives it a path that routing cannot
    /// mistake. Comes before routing.</summary>
    public static Task RewriteAsync(HttpContext context, RequestDelegate next)
    {
        string target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        if (TryParse(target, out KeyValueTarget? parsed))
        {
            context.Features.Set(parsed);
            context.Request.Path = parsed.RoutedPath(context.Request.Method);
        }

        return next(context);
    }

    /// <summary>Reads a raw target, in origin form or absolute form.</summary>
    internal static bool TryParse(string target, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out KeyValueTarget? parsed)
    {
        parsed = null;
        ReadOnlySpan<char> path = target;
        if (!path.StartsWith('/'))
        {
            int scheme = path.IndexOf("://");
            int slash = scheme < 0 ? -1 : path[(scheme + 3)..].IndexOf('/');
            if (slash < 0)
                return false;
            path = path[(scheme + 3 + slash)..];
        }

        int query = path.IndexOf('?');
        if (query >= 0)
            path = path[..query];
        if (!path.StartsWith(Prefix, StringComparison.Ordinal))
            return false;
        path = path[Prefix.Length..];
        int end = path.IndexOf('/');
        string table = Uri.UnescapeDataString((end < 0 ? path : path[..end]).ToString());
        parsed = new KeyValueTarget(table, end < 0 ? null : path[(end + 1)..].ToString());
        return true;
    }

    // Under POST the names of operations stand where keys stand under the other methods.
    private string RoutedPath(string method)
    {
        if (RawKey is null)
            return Prefix + "t";
        if (HttpMethods.IsPost(method) && RawKey is "batch" or "multiget")
            return Prefix + "t/" + RawKey;
        return Prefix + "t/k";
    }
}
