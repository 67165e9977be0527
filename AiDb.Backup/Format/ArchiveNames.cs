using System.Globalization;
using AiDb.Engine.Images;

namespace AiDb.Backup.Format;

/// <summary>The number of a manifest: epochs come first, then the order within one.</summary>
/// <param name="Epoch">The epoch of the primary that wrote it.</param>
/// <param name="Number">0 is the claim of the epoch, trees begin with 1.</param>
public readonly record struct ManifestId(ulong Epoch, ulong Number) : IComparable<ManifestId>
{
    /// <inheritdoc/>
    public int CompareTo(ManifestId other) =>
        Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Number.CompareTo(other.Number);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}/{Number}");

    /// <summary>Reads what <see cref="ToString"/> gives.</summary>
    public static bool TryParse(string text, out ManifestId id)
    {
        id = default;
        string[] parts = (text ?? "").Split('/');
        if (parts.Length != 2
            || !ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong epoch)
            || !ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
        {
            return false;
        }

        id = new ManifestId(epoch, number);
        return true;
    }

    /// <summary>Whether the one comes after the other.</summary>
    public static bool operator >(ManifestId left, ManifestId right) => left.CompareTo(right) > 0;

    /// <summary>Whether the one comes before the other.</summary>
    public static bool operator <(ManifestId left, ManifestId right) => left.CompareTo(right) < 0;
}

/// <summary>A log object, as its name tells.</summary>
/// <param name="Epoch">The epoch of the primary that wrote it.</param>
/// <param name="FirstLsn">Its first entry.</param>
/// <param name="LastLsn">Its last entry.</param>
public readonly record struct LogObjectId(ulong Epoch, ulong FirstLsn, ulong LastLsn);

/// <summary>A file of a tree in the archive.</summary>
/// <param name="Epoch">The epoch of the primary that sent it.</param>
/// <param name="File">The file.</param>
public readonly record struct ArchivedFile(ulong Epoch, ImageFile File);

/// <summary>The names of an archive's objects; see docs/formats/archive.md.</summary>
public static class ArchiveNames
{
    private const int ShardDigits = 5;

    /// <summary>Where a shard's manifests are.</summary>
    public static string Manifests(uint shard) => $"manifest/{Shard(shard)}/";

    /// <summary>Where the manifests of one epoch are.</summary>
    public static string Manifests(uint shard, ulong epoch) => $"{Manifests(shard)}{Hex(epoch)}/";

    /// <summary>A manifest.</summary>
    public static string Manifest(uint shard, ManifestId id) => Manifests(shard, id.Epoch) + Hex(id.Number);

    /// <summary>Where a shard's log is.</summary>
    public static string Logs(uint shard) => $"wal/{Shard(shard)}/";

    /// <summary>Where the log of one epoch is.</summary>
    public static string Logs(uint shard, ulong epoch) => $"{Logs(shard)}{Hex(epoch)}/";

    /// <summary>A log object.</summary>
    public static string Log(uint shard, LogObjectId id) => $"{Logs(shard, id.Epoch)}{Hex(id.FirstLsn)}-{Hex(id.LastLsn)}";

    /// <summary>Where a shard's tables and value files are.</summary>
    public static string Files(uint shard) => $"data/{Shard(shard)}/";

    /// <summary>A table or value file.</summary>
    public static string File(uint shard, ArchivedFile file) => $"{Files(shard)}{Hex(file.Epoch)}/{file.File.Name}";

    /// <summary>Where a shard's pins are.</summary>
    public static string Pins(uint shard) => $"pin/{Shard(shard)}/";

    /// <summary>A pin: a random identity, and how often it was renewed.</summary>
    public static string Pin(uint shard, UInt128 id, ulong number) =>
        $"{Pins(shard)}{id.ToString("x32", CultureInfo.InvariantCulture)}-{Hex(number)}";

    /// <summary>Reads a pin's name.</summary>
    public static bool TryParsePin(string name, uint shard, out UInt128 id, out ulong number)
    {
        id = default;
        number = 0;
        string start = Pins(shard);
        return name.StartsWith(start, StringComparison.Ordinal) && name.Length == start.Length + 49
            && name[start.Length + 32] == '-'
            && UInt128.TryParse(
                name.AsSpan(start.Length, 32), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id)
            && TryHex(name[(start.Length + 33)..], out number);
    }

    /// <summary>Reads a manifest's name.</summary>
    public static bool TryParseManifest(string name, uint shard, out ManifestId id)
    {
        id = default;
        if (!TrySplit(name, Manifests(shard), out ulong epoch, out string rest) || !TryHex(rest, out ulong number))
            return false;
        id = new ManifestId(epoch, number);
        return true;
    }

    /// <summary>Reads a log object's name.</summary>
    public static bool TryParseLog(string name, uint shard, out LogObjectId id)
    {
        id = default;
        if (!TrySplit(name, Logs(shard), out ulong epoch, out string rest) || rest.Length != 33 || rest[16] != '-'
            || !TryHex(rest[..16], out ulong first) || !TryHex(rest[17..], out ulong last) || first == 0 || last < first)
        {
            return false;
        }

        id = new LogObjectId(epoch, first, last);
        return true;
    }

    /// <summary>Reads the epoch that a file of a tree was sent in.</summary>
    public static bool TryParseFile(string name, uint shard, out ulong epoch) =>
        TrySplit(name, Files(shard), out epoch, out _);

    /// <summary>The shard of a manifest's name.</summary>
    public static bool TryParseShard(string name, out uint shard)
    {
        string[] parts = name.Split('/');
        shard = 0;
        return parts.Length == 4 && parts[0] == "manifest" && parts[1].Length == ShardDigits
            && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out shard);
    }

    private static bool TrySplit(string name, string start, out ulong epoch, out string rest)
    {
        epoch = 0;
        rest = "";
        if (!name.StartsWith(start, StringComparison.Ordinal) || name.Length < start.Length + 18
            || name[start.Length + 16] != '/' || !TryHex(name.Substring(start.Length, 16), out epoch))
        {
            return false;
        }

        rest = name[(start.Length + 17)..];
        return true;
    }

    private static string Shard(uint shard) => shard.ToString("D5", CultureInfo.InvariantCulture);

    private static string Hex(ulong number) => number.ToString("x16", CultureInfo.InvariantCulture);

    private static bool TryHex(string text, out ulong number)
    {
        number = 0;
        return text.Length == 16
            && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
    }
}
