using System.Data.Common;
using System.Globalization;

namespace AiDb.Client;

/// <summary>Connection strings: an address, or <c>Name=value</c> pairs.</summary>
internal static class ConnectionStringParser
{
    public static AiDbClientSettings Apply(AiDbClientSettings settings, string connectionString)
    {
        string text = connectionString.Trim();
        if (text.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        {
            return settings with { Endpoints = SplitAddresses(text) };
        }

        DbConnectionStringBuilder builder = [];
        try
        {
            builder.ConnectionString = text;
        }
        catch (ArgumentException exception)
        {
            throw Invalid("it is neither an address nor a list of Name=value pairs", exception);
        }

        List<string> errors = [];
        foreach (string name in builder.Keys)
        {
            string value = (string)builder[name];
            switch (name.ToUpperInvariant())
            {
                case "ENDPOINT" or "ENDPOINTS":
                    settings = settings with { Endpoints = SplitAddresses(value) };
                    break;
                case "APIKEY" or "API KEY" or "KEY":
                    settings = settings with { ApiKey = value };
                    break;
                case "TIMEOUT" when double.TryParse(value, CultureInfo.InvariantCulture, out double seconds)
                    && seconds is > 0 and <= 86_400:
                    settings = settings with { Timeout = TimeSpan.FromSeconds(seconds) };
                    break;
                case "TIMEOUT":
                    errors.Add("Timeout must be a number of seconds up to 86400");
                    break;
                case "MAXRETRIES" when int.TryParse(value, CultureInfo.InvariantCulture, out int retries):
                    settings = settings with { MaxRetries = retries };
                    break;
                case "MAXRETRIES":
                    errors.Add("MaxRetries must be a number");
                    break;
                default:
                    errors.Add($"'{name}' is not known (Endpoint, ApiKey, Timeout, MaxRetries are)");
                    break;
            }
        }

        if (settings.Endpoints.Count == 0)
            errors.Add("Endpoint is missing");
        return errors.Count == 0 ? settings : throw Invalid(string.Join("; ", errors));
    }

    private static string[] SplitAddresses(string text) =>
        text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static AiDbException Invalid(string why, Exception? cause = null) =>
        new(AiDbErrorKind.InvalidArgument,
            $"Invalid connection string: {why}. Expected 'Endpoint=http://host:6334;ApiKey=...' or 'http://host:6334'.", cause);
}
