using System.Globalization;

namespace AiDb.Tests.TestSupport;

/// <summary>The base seed of random tests: <c>AIDB_TEST_SEED</c> where it is set, else a fixed one. Tests print it.</summary>
internal static class TestSeed
{
    private const int Fixed = 20_260_101;

    public static int Value { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("AIDB_TEST_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out int seed)
            ? seed
            : Fixed;
}
