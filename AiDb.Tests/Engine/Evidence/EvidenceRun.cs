using System.Globalization;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>How much of the evidence is gathered: bounded as a part of every test run, or long, when
/// <c>AIDB_EVIDENCE=long</c> (eng/evidence.sh). What was done goes to the test's output and, when
/// <c>AIDB_EVIDENCE_REPORT</c> names a file, there.</summary>
internal static class EvidenceRun
{
    /// <summary>The trait of these tests.</summary>
    public const string Category = "Evidence";

    private static readonly Lock Gate = new();

    /// <summary>Whether the long form runs.</summary>
    public static bool IsLong { get; } =
        string.Equals(Environment.GetEnvironmentVariable("AIDB_EVIDENCE"), "long", StringComparison.Ordinal);

    /// <summary>A figure of the bounded form, or of the long one; <c>AIDB_EVIDENCE_SCALE</c> multiplies the
    /// latter.</summary>
    public static int Scale(int bounded, int longForm) => IsLong ? (int)Math.Min(int.MaxValue, longForm * Factor) : bounded;

    private static double Factor { get; } =
        double.TryParse(
            Environment.GetEnvironmentVariable("AIDB_EVIDENCE_SCALE"), NumberStyles.Float, CultureInfo.InvariantCulture,
            out double factor)
            ? factor
            : 1;

    /// <summary>States what was done.</summary>
    public static void Report(string line)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(line);
        if (Environment.GetEnvironmentVariable("AIDB_EVIDENCE_REPORT") is not { Length: > 0 } path)
            return;
        lock (Gate)
            File.AppendAllText(path, line + "\n");
    }
}
