using AiDb.Cli;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>A run of <c>aidb</c> in this process.</summary>
internal static class CliRun
{
    public static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliConsole console = new(output, error, static () => Stream.Null, static () => Stream.Null);
        int code = await AidbCommand.RunAsync(arguments, console, TestContext.Current.CancellationToken);
        return (code, output + error.ToString());
    }
}
