namespace AiDb.Engine.Storage;

/// <summary>Tells disk errors apart that call for different answers.</summary>
internal static class DiskErrors
{
    private const int NoSpaceUnix = 28;
    private const int QuotaExceededLinux = 122;
    private const int DiskFullWindows = unchecked((int)0x80070070);
    private const int HandleDiskFullWindows = unchecked((int)0x80070027);

    /// <summary>Whether the disk or the quota is full.</summary>
    public static bool IsOutOfSpace(IOException error) => error.HResult is
        NoSpaceUnix or QuotaExceededLinux or DiskFullWindows or HandleDiskFullWindows;
}
