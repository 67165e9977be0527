using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Engine;

/// <summary>Databases as the engine's tests need them: on a disk in memory, with background work where it was
/// queued.</summary>
internal static class TestDatabase
{
    public const string Folder = "/data/db";

    /// <summary>Options with which a few hundred writes reach every level.</summary>
    public static DatabaseOptions Tiny => new()
    {
        MemtableBytes = 64 << 10,
        LogSegmentBytes = 64 << 10,
        LogRetentionBytes = 0,
        BlockBytes = 512,
        BlockCacheBytes = 64 << 10,
        TableBytes = 16 << 10,
        Level1Bytes = 32 << 10,
        Level0CompactionTrigger = 2,
        MinFreeDiskBytes = 0,
        DefaultDurability = WriteDurability.Memory,
    };

    public static Database Open(
        IFileSystem files, DatabaseOptions? options = null, TimeProvider? time = null, IBackgroundExecutor? executor = null,
        ILoggerFactory? log = null, string path = Folder, int idSalt = 0,
        ICompactionFilter? filter = null) =>
        Database.Open(path, options ?? Tiny, new DatabaseComponents
        {
            FileSystem = files,
            TimeProvider = time ?? TimeProvider.System,
            BackgroundExecutor = executor ?? new SynchronousExecutor(),
            LoggerFactory = log ?? NullLoggerFactory.Instance,
            CompactionFilter = filter,

            // Every opening makes ids of its own, and the same ones in every run.
            Random = new Random(TestSeed.Base + idSalt + IdSaltOf(files, path)),
        });

    /// <summary>A number that follows from what was done on a disk and from the names of the database's files: a
    /// disk that crashed may have done as many operations as when its tables were made, whose ids must not come
    /// again.</summary>
    private static int IdSaltOf(IFileSystem files, string path)
    {
        if (files is not SimulatedFileSystem disk)
            return 0;
        int sum = (int)disk.OperationCount;
        foreach (string name in disk.ListFiles(path))
        {
            foreach (char letter in name)
                sum = unchecked((sum * 31) + letter);
        }

        return sum & 0xff_ffff;
    }

    public static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    public static string? Text(byte[]? bytes) => bytes is null ? null : System.Text.Encoding.UTF8.GetString(bytes);

    /// <summary>The keys and values of a table, in the order of the walk.</summary>
    public static List<(string Key, string Value)> Walk(Table table, ScanRange range = default, Snapshot? snapshot = null)
    {
        List<(string, string)> found = [];
        using ScanCursor cursor = table.Scan(range, snapshot);
        while (cursor.MoveNext())
            found.Add((System.Text.Encoding.UTF8.GetString(cursor.Key), System.Text.Encoding.UTF8.GetString(cursor.Value)));
        return found;
    }

    /// <summary>A new disk in memory.</summary>
    public static SimulatedFileSystem NewDisk(int salt = 0) => new(TestSeed.Base + salt);
}
