using System.Globalization;
using System.Security.Cryptography;
using AiDb.Gateway.Front;
using AiDb.Gateway.Hosting;

namespace AiDb.Gateway.Qdrant.Snapshots;

/// <summary>A snapshot that is there.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="Checksum">SHA-256 of the file, in hexadecimal; null: it is not known.</param>
internal sealed record SnapshotInfo(string Name, DateTimeOffset CreatedAt, long SizeBytes, string? Checksum);

/// <summary>The snapshots on this gateway's disk: <c>snapshots/collections/{collection}/</c> and
/// <c>snapshots/full/</c> of its data folder. A snapshot has its name only once it is whole.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class SnapshotStore(GatewayOptions options, TimeProvider clock)
{
    /// <summary>What the files end with.</summary>
    public const string Ending = ".snapshot";

    private const string PartialEnding = ".partial";
    private const string ChecksumEnding = ".checksum";
    private const int BufferBytes = 128 << 10;
    private const int MaxNameLength = 255;

    private readonly string _root = Path.Combine(options.DataDirectory, "snapshots");

    /// <summary>The folder of a collection's snapshots; null: of full ones.</summary>
    public string FolderOf(string? collection)
    {
        if (collection is null)
            return Path.Combine(_root, "full");
        CheckName(collection, "collection");
        return Path.Combine(_root, "collections", collection);
    }

    /// <summary>The snapshots of a collection, or (null) the full ones, by name.</summary>
    public IReadOnlyList<SnapshotInfo> List(string? collection)
    {
        DirectoryInfo folder = new(FolderOf(collection));
        if (!folder.Exists)
            return [];
        return [.. folder.EnumerateFiles("*" + Ending).OrderBy(static file => file.Name, StringComparer.Ordinal).Select(ToInfo)];
    }

    /// <summary>The path of a snapshot that is there.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: it is not.</exception>
    public string Find(string? collection, string name)
    {
        CheckName(name, "snapshot");
        string path = Path.Combine(FolderOf(collection), name);
        return name.EndsWith(Ending, StringComparison.Ordinal) && File.Exists(path)
            ? path
            : throw new AiDbException(AiDbErrorKind.NotFound, $"Snapshot '{RequestLimits.Shown(name)}' does not exist.");
    }

    /// <summary>The path that a location names: a file within the folder of snapshots, and no other.</summary>
    public string FindLocation(string location)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out Uri? uri) || !uri.IsFile)
        {
            throw RequestLimits.Invalid(
                "location: it is file:///… within the folder of snapshots; send a snapshot from elsewhere by POST …/snapshots/upload.");
        }

        string path = Path.GetFullPath(uri.LocalPath);
        string root = Path.GetFullPath(_root) + Path.DirectorySeparatorChar;
        if (!path.StartsWith(root, StringComparison.Ordinal))
            throw RequestLimits.Invalid($"location: the file must be within the folder of snapshots, {root}");
        return File.Exists(path)
            ? path
            : throw new AiDbException(AiDbErrorKind.NotFound, "There is no snapshot at this location.");
    }

    /// <summary>Compares a file with the checksum that the caller expects; null: it expects none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: they differ.</exception>
    public static async Task CheckAsync(string path, string? checksum, CancellationToken cancellationToken)
    {
        if (checksum is null)
            return;
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, useAsync: true);
        string actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
        if (!string.Equals(actual, checksum, StringComparison.OrdinalIgnoreCase))
            throw RequestLimits.Invalid($"checksum: the file's SHA-256 is {actual}, not '{RequestLimits.Shown(checksum)}'.");
    }

    /// <summary>Deletes a snapshot.</summary>
    public void Delete(string? collection, string name)
    {
        string path = Find(collection, name);
        File.Delete(path + ChecksumEnding);
        File.Delete(path);
    }

    /// <summary>A name for a new snapshot.</summary>
    public string NewName(string? collection) => string.Create(
        CultureInfo.InvariantCulture, $"{collection ?? "full"}-{clock.GetUtcNow():yyyy-MM-dd-HH-mm-ss-fffffff}{Ending}");

    /// <summary>Writes a snapshot; it gets its name when it is whole and on the disk.</summary>
    public async Task<SnapshotInfo> CreateAsync(
        string? collection, string name, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        CheckName(name, "snapshot");
        string folder = FolderOf(collection);
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        string partial = path + PartialEnding;
        try
        {
            string checksum;
            await using (FileStream file = new(partial, FileMode.Create, FileAccess.ReadWrite, FileShare.None, BufferBytes, useAsync: true))
            {
                await write(file, cancellationToken);
                await file.FlushAsync(cancellationToken);
                file.Flush(flushToDisk: true);
                file.Position = 0;
                checksum = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
            }

            await File.WriteAllTextAsync(path + ChecksumEnding, checksum, cancellationToken);
            File.Move(partial, path, overwrite: true);
            return ToInfo(new FileInfo(path));
        }
        catch (IOException error) when (error is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new AiDbException(
                AiDbErrorKind.ResourceExhausted, $"The snapshot could not be written to the disk: {error.Message}", error);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static SnapshotInfo ToInfo(FileInfo file)
    {
        string checksumPath = file.FullName + ChecksumEnding;
        return new SnapshotInfo(
            file.Name, new DateTimeOffset(file.LastWriteTimeUtc), file.Length,
            File.Exists(checksumPath) ? File.ReadAllText(checksumPath) : null);
    }

    private static void CheckName(string name, string field)
    {
        if (name.Length is 0 or > MaxNameLength || name is "." or ".." || name.AsSpan().IndexOfAny("/\\:\0") >= 0)
            throw RequestLimits.Invalid($"{field}: '{RequestLimits.Shown(name)}' is no name of a file.");
    }
}
