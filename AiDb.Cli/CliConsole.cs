namespace AiDb.Cli;

/// <summary>Where a command reads and writes. Data goes to <see cref="Out"/>, everything else to
/// <see cref="Error"/>.</summary>
internal sealed record CliConsole(TextWriter Out, TextWriter Error, Func<Stream> OpenInput, Func<Stream> OpenOutput)
{
    /// <summary>Whether <see cref="Error"/> is a terminal, so that a progress bar makes sense.</summary>
    public bool Interactive { get; init; }

    /// <summary>Whether <see cref="Out"/> takes colours.</summary>
    public bool Colours { get; init; }

    /// <summary>The console of this process.</summary>
    public static CliConsole Process() => new(
        Console.Out, Console.Error, Console.OpenStandardInput, Console.OpenStandardOutput)
    {
        Interactive = !Console.IsErrorRedirected,
        Colours = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
    };
}
