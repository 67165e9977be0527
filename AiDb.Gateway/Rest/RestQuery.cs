using System.Globalization;
using System.Text;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Rest;

/// <summary>The query of an address, decoded once into bytes. A parameter that the endpoint does not have, or
/// that comes twice, is an error: a misspelt one must not be ignored.</summary>
internal sealed class RestQuery
{
    private readonly Dictionary<string, byte[]> _values = new(StringComparer.Ordinal);
    private readonly bool _isBase64Url;

    private RestQuery(ReadOnlySpan<char> query, ReadOnlySpan<string> allowed)
    {
        if (query.StartsWith('?'))
            query = query[1..];
        foreach (Range range in query.Split('&'))
        {
            ReadOnlySpan<char> pair = query[range];
            if (pair.IsEmpty)
                continue;
            int equals = pair.IndexOf('=');
            string name = Encoding.UTF8.GetString(
                PercentEncoding.Decode(equals < 0 ? pair : pair[..equals], plusIsSpace: true));
            if (!allowed.Contains(name))
            {
                throw RequestLimits.Invalid(
                    $"There is no parameter '{RequestLimits.Shown(name)}' here; there is {string.Join(", ", allowed.ToArray())}.");
            }

            byte[] value = equals < 0 ? [] : PercentEncoding.Decode(pair[(equals + 1)..], plusIsSpace: true);
            if (!_values.TryAdd(name, value))
                throw RequestLimits.Invalid($"{name}: it is given twice.");
        }

        _isBase64Url = KeyEncoding.IsBase64Url(Text(QueryNames.KeyEncoding), QueryNames.KeyEncoding);
    }

    /// <summary>Whether keys, partitions and bounds are base64url.</summary>
    public bool KeysAreBase64Url => _isBase64Url;

    /// <summary>Reads the query of a request.</summary>
    public static RestQuery Of(HttpContext context, params ReadOnlySpan<string> allowed) =>
        new(context.Request.QueryString.Value, allowed);

    /// <summary>A parameter as text; null: it was not given.</summary>
    public string? Text(string name) => _values.TryGetValue(name, out byte[]? value) ? Encoding.UTF8.GetString(value) : null;

    /// <summary>A key or a part of one; empty: it was not given.</summary>
    public ByteString Bytes(string name)
    {
        if (!_values.TryGetValue(name, out byte[]? value))
            return ByteString.Empty;
        return UnsafeByteOperations.UnsafeWrap(_isBase64Url ? KeyEncoding.FromBase64Url(value, name) : value);
    }

    /// <summary>A switch; without a value it is on.</summary>
    public bool Flag(string name) => Text(name) switch
    {
        null or "false" => false,
        "" or "true" => true,
        { } other => throw RequestLimits.Invalid($"{name}: it is true or false, not '{RequestLimits.Shown(other)}'."),
    };

    /// <summary>A whole number within bounds.</summary>
    public int? Integer(string name, int min, int max)
    {
        if (Text(name) is not { } text)
            return null;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value < min || value > max)
            throw RequestLimits.Invalid($"{name}: it is a whole number from {min} to {max}, not '{RequestLimits.Shown(text)}'.");
        return value;
    }

    /// <summary>Seconds, with decimals, as milliseconds; 0: not given.</summary>
    public ulong Milliseconds(string name)
    {
        if (Text(name) is not { } text)
            return 0;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds))
            throw RequestLimits.Invalid($"{name}: it is a number of seconds, not '{RequestLimits.Shown(text)}'.");
        return ToMilliseconds(seconds, name);
    }

    /// <summary>Seconds as milliseconds: at least one millisecond.</summary>
    public static ulong ToMilliseconds(decimal seconds, string field)
    {
        const decimal maxSeconds = RequestLimits.MaxTimeToLiveMs / 1000m;
        if (seconds < 0.001m || seconds > maxSeconds)
            throw RequestLimits.Invalid($"{field}: it is 0.001 to {maxSeconds} seconds, not {seconds}.");
        return (ulong)(seconds * 1000m);
    }

    /// <summary>How long the caller waits; null: the gateway's default.</summary>
    public TimeSpan? Timeout() =>
        Milliseconds(QueryNames.Timeout) is > 0 and var ms ? TimeSpan.FromMilliseconds(Math.Min(ms, int.MaxValue)) : null;

    /// <summary>How a read is to be answered: parameter or header.</summary>
    public ReadOptions ReadOptions(HttpContext context) => new()
    {
        Consistency = ParseConsistency(Choice(context, QueryNames.Consistency, RestHeaders.Consistency)),
        Session = context.Request.Headers[RestHeaders.Session].ToString(),
    };

    /// <summary>What a write is to reach: parameter or header.</summary>
    public Durability Durability(HttpContext context) =>
        ParseDurability(Choice(context, QueryNames.Durability, RestHeaders.Durability));

    /// <summary>Reads the name of a consistency.</summary>
    public static Consistency ParseConsistency(string? name) => name switch
    {
        null or "" => Consistency.Unspecified,
        "eventual" => Consistency.Eventual,
        "session" => Consistency.Session,
        "linearizable" or "quorum" => Consistency.Linearizable,
        _ => throw RequestLimits.Invalid(
            $"consistency: it is eventual, session or linearizable, not '{RequestLimits.Shown(name)}'."),
    };

    /// <summary>Reads the name of a durability.</summary>
    public static Durability ParseDurability(string? name) => name switch
    {
        null or "" => Contracts.V1.Durability.Unspecified,
        "memory" => Contracts.V1.Durability.Memory,
        "local" => Contracts.V1.Durability.Local,
        "quorum" => Contracts.V1.Durability.Quorum,
        "archived" => Contracts.V1.Durability.Archived,
        _ => throw RequestLimits.Invalid(
            $"durability: it is memory, local, quorum or archived, not '{RequestLimits.Shown(name)}'."),
    };

    /// <summary>The name of a durability.</summary>
    public static string NameOf(Durability durability) => durability.ToString().ToLowerInvariant();

    private string? Choice(HttpContext context, string parameter, string header)
    {
        string? fromQuery = Text(parameter);
        string? fromHeader = context.Request.Headers[header].ToString() is { Length: > 0 } value ? value : null;
        if (fromQuery is not null && fromHeader is not null && !string.Equals(fromQuery, fromHeader, StringComparison.Ordinal))
            throw RequestLimits.Invalid($"{parameter}: the parameter and the header {header} differ.");
        return fromQuery ?? fromHeader;
    }
}
