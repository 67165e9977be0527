
namespace AiDb.Tests.TestSupport;

/// <summary>
/// Programs beyond the .NET SDK that some tests run against. Where one is missing the test skips and says
/// why; with AIDB_REQUIRE_PEERS=1, as on the build server, that is a failure instead.
/// </summary>
internal static class Peers
{
    private static bool Required => Environment.GetEnvironmentVariable("AIDB_REQUIRE_PEERS") == "1";

    /// <summary>The path of a program, or a skip.</summary>
    public static string Require(string program)
    {
        var path = Find(program);
        RequireThat(path is not null, $"'{program}' is not on the PATH.");
        return path!;
    }

    /// <summary>Skips, or fails where peers are required, unless the condition holds.</summary>
    public static void RequireThat(bool condition, string reason)
    {
        if (Required)
        {
            Assert.True(condition, $"{reason} AIDB_REQUIRE_PEERS=1 makes this a failure.");
        }

        Assert.SkipUnless(condition, reason);
    }

    private static string? Find(string program)
    {
        if (Path.IsPathRooted(program))
        {
            return File.Exists(program) ? program : null;
        }

        string[] endings = OperatingSystem.IsWindows() ? [".exe", ".cmd"] : [""];
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return (from folder in folders
                from ending in endings
                let path = Path.Combine(folder, program + ending)
                where File.Exists(path)
                select path).FirstOrDefault();
    }
}
