using System.Globalization;
using System.Runtime.InteropServices;

namespace AiDb.Benchmarks.Measuring;

/// <summary>The memory of this process that no file backs.</summary>
internal static partial class ProcessMemory
{
    /// <summary>Gives back what the collector and the C library keep for later, so that the next side does
    /// not live on the memory of the one before.</summary>
    public static void Trim()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        Trim(0);
    }

    /// <summary>Bytes of RssAnon.</summary>
    public static long AnonymousBytes()
    {
        const string Name = "RssAnon:";
        foreach (string line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith(Name, StringComparison.Ordinal))
            {
                string kibibytes = line[Name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
                return long.Parse(kibibytes, CultureInfo.InvariantCulture) << 10;
            }
        }

        throw new AiDbException(
            AiDbErrorKind.Internal, "/proc/self/status has no RssAnon; the benchmark needs Linux.");
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
