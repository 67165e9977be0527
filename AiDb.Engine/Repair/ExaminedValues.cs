using System.IO.Hashing;
using AiDb.Engine.Inspection;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Repair;

/// <summary>Which value files are whole.</summary>
internal sealed class ExaminedValues
{
    private readonly Dictionary<UInt128, ValueFileMetadata> _whole = [];
    private readonly List<FileDamage> _damage = [];

    /// <summary>The whole ones.</summary>
    public IReadOnlyDictionary<UInt128, ValueFileMetadata> Whole => _whole;

    /// <summary>What is wrong with the others.</summary>
    public IReadOnlyList<FileDamage> Damage => _damage;

    /// <summary>Reads value files from front to back.</summary>
    /// <param name="context">The database.</param>
    /// <param name="listed">What the manifest says of them; null: no manifest can be believed, so that those in the folder
    /// say it themselves.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static ExaminedValues Examine(
        EngineContext context, IReadOnlyDictionary<UInt128, ValueFileMetadata>? listed, CancellationToken cancellationToken)
    {
        var examined = new ExaminedValues();
        List<UInt128> ids = [];
        foreach (string name in context.FileSystem.ListFiles(context.Path))
        {
            if (DatabaseFiles.IsValueFile(name, out UInt128 id))
                ids.Add(id);
        }

        foreach (UInt128 id in listed?.Keys ?? ids)
        {
            string path = DatabaseFiles.Combine(context.Path, DatabaseFiles.ValueFile(id));
            try
            {
                using ValueFileReader reader = ValueFileReader.Open(context.FileSystem, path, context.Cache);
                ValueFileMetadata expected = listed?[id] ?? reader.Metadata;
                if (reader.Metadata.Id != id || reader.Metadata != expected with { Checksum = 0 })
                {
                    examined._damage.Add(new FileDamage(path, 0, "it is not the value file that belongs there"));
                    continue;
                }

                reader.Verify(cancellationToken);
                examined._whole.Add(
                    id, listed is null ? expected with { Checksum = Hash(context.FileSystem, path) } : expected);
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
            {
                examined._damage.Add(new FileDamage(path, 0, error.Message));
            }
        }

        return examined;
    }

    /// <summary>The hash of a whole file, which scrubs compare with.</summary>
    internal static ulong Hash(IFileSystem files, string path)
    {
        using IStorageFile file = files.Open(path, FileOpenMode.Read);
        var hash = new XxHash3();
        byte[] chunk = new byte[256 << 10];
        for (long offset = 0; file.Read(offset, chunk) is var read and > 0; offset += read)
            hash.Append(chunk.AsSpan(0, read));
        return hash.GetCurrentHashAsUInt64();
    }
}
