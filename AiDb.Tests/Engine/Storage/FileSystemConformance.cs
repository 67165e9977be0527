using AiDb.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Storage;

/// <summary>What every <see cref="IFileSystem"/> must do; run over the simulated disk and the
/// machine's.</summary>
public abstract class FileSystemConformance
{
    protected abstract IFileSystem FileSystem { get; }

    protected abstract string Root { get; }

    [Fact]
    public void Bytes_are_read_where_they_were_written_and_holes_are_zero()
    {
        using IStorageFile file = Create("a");
        file.Write(10, "hello"u8);
        Assert.Equal(15, file.Length);
        byte[] buffer = new byte[32];
        Assert.Equal(15, file.Read(0, buffer));
        Assert.Equal("hello"u8, buffer.AsSpan(10, 5));
        Assert.False(buffer.AsSpan(0, 10).ContainsAnyExcept((byte)0));
        Assert.Equal(2, file.Read(13, buffer));
        Assert.Equal(0, file.Read(15, buffer));
        Assert.Equal(0, file.Read(1000, buffer));
        file.Sync();
    }

    [Fact]
    public void Length_is_cut_extended_and_reserved_with_zeroes()
    {
        using IStorageFile file = Create("a");
        file.Write(0, "0123456789"u8);
        file.SetLength(4);
        file.SetLength(8);
        byte[] buffer = new byte[8];
        Assert.Equal(8, file.Read(0, buffer));
        Assert.Equal("0123\0\0\0\0"u8, buffer);
        file.Preallocate(10_000);
        Assert.Equal(10_000, file.Length);
        file.Preallocate(100);
        Assert.Equal(10_000, file.Length);
    }

    [Fact]
    public void Small_writes_that_were_announced_are_read_like_others()
    {
        const int reserved = 9 << 20;
        var random = new Random(TestSeed.Base);
        byte[] expected = new byte[reserved + 4096];
        int offset = 72;
        using (IStorageFile file = Create("a"))
        {
            file.Preallocate(reserved);
            file.ExpectSmallWrites();
            while (offset < reserved)
                Append(random.Next(1, random.Next(20) == 0 ? 3 << 20 : 20_000));
            file.Sync();
            Assert.Equal(offset, file.Length);
            CheckAll(file);

            // Cut, as a torn tail or a lost epoch is, and go on in front of the old end.
            offset = (5 << 20) + 123;
            file.SetLength(offset);
            expected.AsSpan(offset).Clear();
            Append(1000);
            file.Preallocate(reserved);
            file.ExpectSmallWrites();
            Append(1000);
            Append(70_000);
            file.Sync();

            void Append(int length)
            {
                length = Math.Min(length, expected.Length - offset);
                byte[] bytes = new byte[length];
                random.NextBytes(bytes);
                bytes.CopyTo(expected.AsSpan(offset));
                file.Write(offset, bytes);
                offset += length;
            }
        }

        using (IStorageFile again = FileSystem.Open($"{Root}/a", FileOpenMode.Read))
            CheckAll(again);

        void CheckAll(IStorageFile file)
        {
            byte[] found = new byte[file.Length];
            Assert.Equal(found.Length, file.Read(0, found));
            Assert.True(found.AsSpan().SequenceEqual(expected.AsSpan(0, found.Length)));
        }
    }

    [Fact]
    public void Modes_are_kept()
    {
        Assert.ThrowsAny<IOException>(() => FileSystem.Open($"{Root}/none", FileOpenMode.Read));
        Assert.ThrowsAny<IOException>(() => FileSystem.Open($"{Root}/none", FileOpenMode.ReadWrite));
        Create("a").Dispose();
        Assert.ThrowsAny<IOException>(() => Create("a"));
        Assert.ThrowsAny<IOException>(() => FileSystem.Open($"{Root}/no/folder", FileOpenMode.CreateNew));
        using IStorageFile file = FileSystem.Open($"{Root}/a", FileOpenMode.ReadWrite);
        file.Write(0, "x"u8);
        Assert.Equal($"{Root}/a", file.Path);
    }

    [Fact]
    public void A_rename_replaces_and_a_link_shares()
    {
        using (IStorageFile file = Create("a"))
            file.Write(0, "first"u8);
        using (IStorageFile file = Create("b"))
            file.Write(0, "second"u8);
        FileSystem.Rename($"{Root}/b", $"{Root}/a");
        Assert.Equal(["a"], FileSystem.ListFiles(Root));
        FileSystem.Link($"{Root}/a", $"{Root}/c");
        FileSystem.DeleteFile($"{Root}/a");
        using (IStorageFile file = FileSystem.Open($"{Root}/c", FileOpenMode.Read))
            Assert.Equal(6, file.Length);
        FileSystem.SyncDirectory(Root);
        Assert.ThrowsAny<IOException>(() => FileSystem.Rename($"{Root}/none", $"{Root}/d"));
        Assert.ThrowsAny<IOException>(() => FileSystem.Link($"{Root}/none", $"{Root}/d"));
        Create("d").Dispose();
        Assert.ThrowsAny<IOException>(() => FileSystem.Link($"{Root}/c", $"{Root}/d"));
    }

    [Fact]
    public void Names_are_listed_and_deleted()
    {
        FileSystem.CreateDirectory($"{Root}/x/y");
        Create("x/f").Dispose();
        Create("g").Dispose();
        Assert.Equal(["g"], FileSystem.ListFiles(Root));
        Assert.Equal(["x"], FileSystem.ListDirectories(Root));
        Assert.Equal(["f"], FileSystem.ListFiles($"{Root}/x"));
        Assert.Empty(FileSystem.ListFiles($"{Root}/none"));
        Assert.Empty(FileSystem.ListDirectories($"{Root}/none"));
        Assert.True(FileSystem.FileExists($"{Root}/g"));
        Assert.False(FileSystem.FileExists($"{Root}/h"));
        FileSystem.DeleteFile($"{Root}/h");
        FileSystem.DeleteFile($"{Root}/none/h");
        FileSystem.DeleteDirectory($"{Root}/x");
        FileSystem.DeleteDirectory($"{Root}/x");
        Assert.Empty(FileSystem.ListDirectories(Root));
    }

    [Fact]
    public void An_open_file_outlives_its_name()
    {
        using IStorageFile file = Create("a");
        file.Write(0, "still"u8);
        FileSystem.DeleteFile($"{Root}/a");
        byte[] buffer = new byte[5];
        Assert.Equal(5, file.Read(0, buffer));
        Assert.Equal("still"u8, buffer);
    }

    [Fact]
    public void A_lock_is_exclusive_until_it_is_given_up()
    {
        using (FileSystem.Lock($"{Root}/LOCK"))
        {
            AiDbException error = Assert.Throws<AiDbException>(() => FileSystem.Lock($"{Root}/LOCK"));
            Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
            Assert.Contains(Root, error.Message, StringComparison.Ordinal);
            Assert.Contains("another process", error.Message, StringComparison.Ordinal);
        }

        FileSystem.Lock($"{Root}/LOCK").Dispose();
    }

    [Fact]
    public void Free_space_is_known() => Assert.True(FileSystem.GetFreeBytes(Root) > 0);

    protected IStorageFile Create(string name) => FileSystem.Open($"{Root}/{name}", FileOpenMode.CreateNew);
}

public sealed class PhysicalFileSystemTests : FileSystemConformance, IDisposable
{
    public PhysicalFileSystemTests() => FileSystem.CreateDirectory(Root);

    protected override IFileSystem FileSystem => PhysicalFileSystem.Instance;

    protected override string Root { get; } = Path.Combine(Path.GetTempPath(), "aidb-files-" + Guid.NewGuid().ToString("N"));

    [Fact]
    public void Errors_of_the_system_keep_their_number()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The numbers are Linux's.");
        IOException error = Assert.Throws<IOException>(() => FileSystem.SyncDirectory($"{Root}/none"));
        Assert.Equal(2, error.HResult);
    }

    public void Dispose() => FileSystem.DeleteDirectory(Root);
}

public sealed class SimulatedFileSystemTests : FileSystemConformance
{
    private readonly SimulatedFileSystem _disk = new(TestSeed.Base);

    public SimulatedFileSystemTests() => _disk.CreateDirectory(Root);

    protected override IFileSystem FileSystem => _disk;

    protected override string Root => "/data";

    [Fact]
    public void Synced_bytes_and_names_survive_a_crash_and_others_sometimes_do_not()
    {
        int lostBytes = 0, lostNames = 0, torn = 0;
        const int Rounds = 200;
        for (int round = 0; round < Rounds; round++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + round);
            disk.CreateDirectory("/d");
            using IStorageFile file = disk.Open("/d/kept", FileOpenMode.CreateNew);
            file.Write(0, "kept"u8);
            file.Sync();
            disk.SyncDirectory("/d");
            file.Write(1000, Enumerable.Repeat((byte)9, 5000).ToArray());
            disk.Open("/d/perhaps", FileOpenMode.CreateNew).Dispose();

            SimulatedFileSystem after = disk.Crash();
            byte[] bytes = after.ReadRaw("/d/kept");
            Assert.Equal("kept"u8, bytes.AsSpan(0, 4));
            lostBytes += bytes.Length == 4 ? 1 : 0;
            torn += bytes.Length > 1000 && bytes.AsSpan(1000).Contains((byte)0) ? 1 : 0;
            lostNames += after.FileExists("/d/perhaps") ? 0 : 1;
            Assert.Throws<SimulatedCrashException>(() => file.Sync());
        }

        Assert.InRange(lostBytes, 1, Rounds - 1);
        Assert.InRange(lostNames, 1, Rounds - 1);
        Assert.InRange(torn, 1, Rounds - 1);
    }

    [Fact]
    public void A_rename_is_kept_or_lost_as_a_whole()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int round = 0; round < 50; round++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + round);
            disk.CreateDirectory("/d");
            disk.WriteRaw("/d/a", "a"u8);
            disk.WriteRaw("/d/b", "b"u8);
            disk.SyncDirectory("/d");
            disk.Rename("/d/a", "/d/b");
            SimulatedFileSystem after = disk.Crash();
            seen.Add(string.Join(',', after.ListFiles("/d")) + (char)after.ReadRaw("/d/b")[0]);
        }

        Assert.Equal(["a,bb", "ba"], seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Faults_strike_where_they_were_set_and_a_failed_write_is_a_part_of_one_at_most()
    {
        using IStorageFile file = Create("a");
        file.Write(0, "one"u8);
        _disk.FailAt(_disk.OperationCount, SimulatedFault.NoSpace, 3);
        IOException full = Assert.Throws<IOException>(() => file.Write(0, "two"u8));
        Assert.Equal(28, full.HResult);
        Assert.Contains(System.Text.Encoding.ASCII.GetString(_disk.ReadRaw($"{Root}/a")), new[] { "one", "tne", "twe", "two" });
        file.Sync();
        Assert.Throws<IOException>(() => file.Preallocate(100));
        _disk.StopFailing();
        file.Write(0, "one"u8);
        file.Write(3, "!"u8);
        _disk.FailFrom(_disk.OperationCount, SimulatedFault.IoError);
        Assert.Equal(5, Assert.Throws<IOException>(file.Sync).HResult);
        Assert.Throws<IOException>(() => _disk.Rename($"{Root}/a", $"{Root}/b"));
        Assert.Equal("one!"u8, _disk.ReadRaw($"{Root}/a"));
        _disk.StopFailing();
        file.Sync();
    }
}
