using System.Globalization;

namespace AiDb.Tests.TestSupport;

/// <summary>The seed of random tests: <c>AIDB_TEST_SEED</c> when set, else fixed.</summary>
internal static class TestSeed
{
    /// <summary>The base seed of this run; print it where a test fails.</summary>
    public static int Base { get; } =
        int.TryParse(
            Environment.GetEnvironmentVariable("AIDB_TEST_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out int seed)
            ? seed
            : 20260101;
}
