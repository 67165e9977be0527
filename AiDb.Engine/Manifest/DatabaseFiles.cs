using System.Globalization;

namespace AiDb.Engine.Manifest;

/// <summary>The names of a database's files.</summary>
internal static class DatabaseFiles
{
    /// <summary>The lock that keeps other processes out.</summary>
    public const string Lock = "LOCK";

    /// <summary>Names the manifest in force.</summary>
    public const string Current = "CURRENT";

    /// <summary>What <see cref="Current"/> is written as before it is renamed.</summary>
    public const string CurrentTemporary = "CURRENT.tmp";

    /// <summary>There while the tables of a restored database are still being fetched: those that are missing are not lost. Its
    /// bytes are the matter of whoever fetches them.</summary>
    public const string Restoring = "RESTORING";

    /// <summary>The folder of the log, unless the options say otherwise.</summary>
    public const string LogDirectory = "log";

    private const string ManifestPrefix = "MANIFEST-";
    private const string TableSuffix = ".table";
    private const string ValueFileSuffix = ".values";

    /// <summary>A manifest's name.</summary>
    public static string Manifest(ulong number) => ManifestPrefix + number.ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>Whether a file is a manifest, and its number.</summary>
    public static bool IsManifest(string name, out ulong number)
    {
        number = 0;
        return name.StartsWith(ManifestPrefix, StringComparison.Ordinal)
            && name.Length == ManifestPrefix.Length + 16
            && ulong.TryParse(
                name.AsSpan(ManifestPrefix.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>A table's name.</summary>
    public static string Table(UInt128 id) => id.ToString("x32", CultureInfo.InvariantCulture) + TableSuffix;

    /// <summary>Whether a file is a table, and its id.</summary>
    public static bool IsTable(string name, out UInt128 id) => IsNamedById(name, TableSuffix, out id);

    /// <summary>A value file's name.</summary>
    public static string ValueFile(UInt128 id) => id.ToString("x32", CultureInfo.InvariantCulture) + ValueFileSuffix;

    /// <summary>Whether a file is a value file, and its id.</summary>
    public static bool IsValueFile(string name, out UInt128 id) => IsNamedById(name, ValueFileSuffix, out id);

    /// <summary>Joins a folder and a name.</summary>
    public static string Combine(string directory, string name) => directory.TrimEnd('/') + "/" + name;

    private static bool IsNamedById(string name, string suffix, out UInt128 id)
    {
        id = default;
        return name.EndsWith(suffix, StringComparison.Ordinal)
            && name.Length == 32 + suffix.Length
            && UInt128.TryParse(name.AsSpan(0, 32), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);
    }
}
