using System.Reflection;
using System.Runtime.InteropServices;

namespace AiDb.Benchmarks.Stores;

/// <summary>Finds librocksdb and says what kind of build it is.</summary>
internal static class RocksDbLibrary
{
    /// <summary>The name under which the functions are imported.</summary>
    public const string Name = "rocksdb";

    private const string Variable = "AIDB_ROCKSDB_LIBRARY";
    private const string BuildCommand = "eng/peers/rocksdb.sh";

    /// <summary>The path of the library: what the environment names, else where the build script puts
    /// it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public static string Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
        {
            return File.Exists(named) ? Path.GetFullPath(named) : throw new AiDbException(
                AiDbErrorKind.NotFound,
                $"{Variable} names {named}, which does not exist. Build the library with {BuildCommand}.");
        }

        string built = Path.Combine("artifacts", "peers", "rocksdb", "build", "librocksdb.so");
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string path = Path.Combine(folder, built);
            if (File.Exists(path))
                return path;
        }

        throw new AiDbException(
            AiDbErrorKind.NotFound,
            $"There is no {built}. Build it with {BuildCommand}, or name a library with {Variable}.");
    }

    /// <summary>Has the imports use a library. Call once.</summary>
    public static void Use(string path) => NativeLibrary.SetDllImportResolver(
        Assembly.GetExecutingAssembly(),
        (name, _, _) => name == Name ? NativeLibrary.Load(path) : 0);

    /// <summary>Whether a library was built with assertions, which cost it up to half its speed: it then
    /// imports the function that a failed one calls.</summary>
    public static bool HasAssertions(string path) =>
        File.ReadAllBytes(path).AsSpan().IndexOf("__assert_fail\0"u8) >= 0;
}
