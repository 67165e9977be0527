namespace AiDb.Engine.Storage;

/// <summary>What every file can do, whatever file system it is on.</summary>
internal static class StorageFiles
{
    private const int WindowBytes = 256 << 10;

    /// <summary>Writes bytes that are already there once more, so that the next sync covers them. After a sync
    /// that failed the system may show bytes as written that it has given up; only writing them again brings
    /// them to the disk. Since the bytes stay the same, a crash in between does no harm.</summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="start">The first byte.</param>
    /// <param name="end">Behind the last byte.</param>
    public static void WriteAnew(IStorageFile file, long start, long end)
    {
        if (start >= end)
            return;
        byte[] window = new byte[(int)Math.Min(WindowBytes, end - start)];
        while (start < end)
        {
            int read = file.Read(start, window.AsSpan(0, (int)Math.Min(window.Length, end - start)));
            if (read == 0)
                return;
            file.Write(start, window.AsSpan(0, read));
            start += read;
        }
    }
}
