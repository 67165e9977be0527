using System.Globalization;
using System.IO.Hashing;
using System.Text;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Archiving;

/// <summary>What a database's folder remembers of its archive: the file <c>ARCHIVE</c>, one line of text and its
/// checksum.</summary>
/// <param name="Claimed">The last epochs that this folder claimed, oldest first. Nobody else ever writes under
/// them.</param>
/// <param name="RestoredThrough">A restore that takes the archive over ended with this entry; later ones do not count any
/// more. 0: it ended before the first entry; null: no such restore since the last tree was stated.</param>
internal sealed record ArchiveMarker(IReadOnlyList<ulong> Claimed, ulong? RestoredThrough)
{
    public const string FileName = "ARCHIVE";
    private const string Nothing = "0";
    private const string Beginning = "begin";
    private const int MaxClaims = 32;
    private const int MaxBytes = 2048;

    public static ArchiveMarker None { get; } = new([], null);

    /// <summary>The last epoch that was claimed; 0: none.</summary>
    public ulong LastEpoch => Claimed.Count == 0 ? 0 : Claimed[^1];

    /// <summary>Reads it; one that is missing or damaged says nothing, which only makes the archive more careful.</summary>
    public static ArchiveMarker Read(IFileSystem files, string folder)
    {
        string path = folder.TrimEnd('/') + "/" + FileName;
        try
        {
            if (!files.FileExists(path))
                return None;
            byte[] bytes = new byte[MaxBytes];
            using IStorageFile file = files.Open(path, FileOpenMode.Read);
            string[] parts = Encoding.ASCII.GetString(bytes, 0, file.Read(0, bytes)).Split(' ', '\n');
            if (parts.Length < 3 || parts[2] != Checksum(parts[0] + " " + parts[1])
                || !TryParseThrough(parts[1], out ulong? through))
            {
                return None;
            }

            List<ulong> claimed = [];
            foreach (string part in parts[0].Split(',', StringSplitOptions.RemoveEmptyEntries))
            {
                if (ulong.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out ulong epoch))
                    claimed.Add(epoch);
            }

            return new ArchiveMarker(claimed, through);
        }
        catch (IOException error)
        {
            throw Failed(path, error);
        }
    }

    /// <summary>Adds a claim.</summary>
    public ArchiveMarker With(ulong epoch) => this with { Claimed = [.. Claimed.Append(epoch).TakeLast(MaxClaims)] };

    /// <summary>Writes it durably.</summary>
    public void Write(IFileSystem files, string folder)
    {
        string path = folder.TrimEnd('/') + "/" + FileName;
        string through = RestoredThrough is { } lsn
            ? lsn == 0 ? Beginning : lsn.ToString(CultureInfo.InvariantCulture)
            : Nothing;
        string line = string.Create(CultureInfo.InvariantCulture, $",{string.Join(',', Claimed)} {through}");
        try
        {
            files.DeleteFile(path + ".tmp");
            using (IStorageFile file = files.Open(path + ".tmp", FileOpenMode.CreateNew))
            {
                file.Write(0, Encoding.ASCII.GetBytes($"{line} {Checksum(line)}\n"));
                file.Sync();
            }

            files.Rename(path + ".tmp", path);
            files.SyncDirectory(folder);
        }
        catch (IOException error)
        {
            throw Failed(path, error);
        }
    }

    private static bool TryParseThrough(string text, out ulong? through)
    {
        through = string.Equals(text, Beginning, StringComparison.Ordinal) ? 0 : null;
        if (through is not null || string.Equals(text, Nothing, StringComparison.Ordinal))
            return true;
        bool isNumber = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong lsn);
        through = lsn;
        return isNumber;
    }

    private static AiDbException Failed(string path, IOException error) =>
        new(AiDbErrorKind.Unavailable, $"{path}: {error.Message}", error);

    private static string Checksum(string line) =>
        XxHash3.HashToUInt64(Encoding.ASCII.GetBytes(line)).ToString("x16", CultureInfo.InvariantCulture);
}
