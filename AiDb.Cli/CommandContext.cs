using System.CommandLine;
using System.Globalization;
using AiDb.Client;

namespace AiDb.Cli;

/// <summary>How results are printed.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>For programs: one JSON value, or one for each line.</summary>
    Json,
}

/// <summary>What all commands share: the console, the global options, and the client that they
/// describe.</summary>
internal sealed class CommandContext(CliConsole console)
{
    public const string DefaultEndpoint = "http://localhost:6334";

    private readonly Option<string> _endpoint = new("--endpoint", "-e")
    {
        Description = "gRPC address of a gateway, or several separated by commas. Environment: AIDB_ENDPOINT.",
        DefaultValueFactory = static _ => Environment.GetEnvironmentVariable("AIDB_ENDPOINT") is { Length: > 0 } endpoint
            ? endpoint
            : DefaultEndpoint,
        Recursive = true,
    };

    private readonly Option<string?> _apiKey = new("--api-key")
    {
        Description = "The key that the gateway asks for. Environment: AIDB_API_KEY.",
        DefaultValueFactory = static _ => Environment.GetEnvironmentVariable("AIDB_API_KEY") is { Length: > 0 } key ? key : null,
        Recursive = true,
    };

    private readonly Option<OutputFormat> _output = new("--output", "-o")
    {
        Description = "How results are printed: text or json.",
        DefaultValueFactory = static _ => OutputFormat.Text,
        Recursive = true,
    };

    private readonly Option<double> _timeout = new("--timeout")
    {
        Description = "Seconds that one call may take.",
        DefaultValueFactory = static _ => 30,
        Recursive = true,
    };

    public CliConsole Console { get; } = console;

    public TimeProvider Time { get; } = TimeProvider.System;

    public void AddOptionsTo(RootCommand root)
    {
        _endpoint.Validators.Add(static result =>
        {
            if (string.IsNullOrWhiteSpace(result.GetValueOrDefault<string>()))
                result.AddError("--endpoint must be an address such as http://localhost:6334.");
        });
        _timeout.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 86_400))
                result.AddError("--timeout must be more than 0 and at most 86400 seconds.");
        });
        root.Add(_endpoint);
        root.Add(_apiKey);
        root.Add(_output);
        root.Add(_timeout);
    }

    public string Endpoint(ParseResult parsed) => parsed.GetValue(_endpoint)!;

    public string? ApiKey(ParseResult parsed) => parsed.GetValue(_apiKey);

    public bool Json(ParseResult parsed) => parsed.GetValue(_output) == OutputFormat.Json;

    public AiDbClientSettings Settings(ParseResult parsed)
    {
        AiDbClientSettings settings = AiDbClientSettings.FromConnectionString(Endpoint(parsed));
        return settings with
        {
            ApiKey = ApiKey(parsed) ?? settings.ApiKey,
            Timeout = TimeSpan.FromSeconds(parsed.GetValue(_timeout)),
        };
    }

    public AiDbClient Connect(ParseResult parsed) => new(Settings(parsed));

    /// <summary>A number for people, independent of the machine's language.</summary>
    public static string Number(double value, string format = "N0") => value.ToString(format, CultureInfo.InvariantCulture);
}
