using System.Net.Sockets;

namespace AiDb.Backup.Blobs;

/// <summary>Errors of stores, in one form: what failed, where, and what to do.</summary>
internal static class BlobErrors
{
    private const int NoSpaceUnix = 28;
    private const int QuotaExceededLinux = 122;
    private const int DiskFullWindows = unchecked((int)0x80070070);

    public static AiDbException NotFound(IBlobStore store, string name, Exception? inner = null) =>
        new(AiDbErrorKind.NotFound, $"{store.Location} has no object '{name}'.", inner);

    public static AiDbException Damaged(IBlobStore store, string name, string what) =>
        new(AiDbErrorKind.DataLoss, $"Object '{name}' of {store.Location} is damaged: {what}.");

    public static AiDbException Missing(IBlobStore store, string what, Exception inner) => new(
        AiDbErrorKind.PreconditionFailed,
        $"{store.Location}: the {what} does not exist. Create it, or correct the location; AiDb creates none by itself.",
        inner);

    public static AiDbException Credentials(IBlobStore store, string code, Exception inner) => new(
        AiDbErrorKind.Unauthenticated,
        $"{store.Location} refuses the credentials ({code}). Check the access key, the secret and the region in the settings.",
        inner);

    public static AiDbException Permission(IBlobStore store, string code, Exception inner) => new(
        AiDbErrorKind.PermissionDenied,
        $"{store.Location} does not allow this ({code}): the credentials need to list, read, write and delete there.", inner);

    public static AiDbException Clock(IBlobStore store, Exception inner) => new(
        AiDbErrorKind.Unavailable,
        $"{store.Location} refuses the request's time: the clock of this machine or of the store is wrong. Set both by NTP.",
        inner);

    public static AiDbException Unavailable(IBlobStore store, string doing, Exception inner) => new(
        AiDbErrorKind.Unavailable, $"Could not {doing} at {store.Location}: {Reason(inner)}", inner);

    public static AiDbException Full(IBlobStore store, string doing, Exception inner) => new(
        AiDbErrorKind.ResourceExhausted, $"Could not {doing} at {store.Location}: no space is left.", inner);

    /// <summary>Whether the disk or the quota is full.</summary>
    public static bool IsOutOfSpace(IOException error) => error.HResult is NoSpaceUnix or QuotaExceededLinux or DiskFullWindows;

    /// <summary>Whether an exception is one of a network or a disk, and not a fault of the program.</summary>
    public static bool IsTransport(Exception error) =>
        error is IOException or HttpRequestException or SocketException or TimeoutException
        || (error is OperationCanceledException && error.InnerException is TimeoutException)
        || (error.InnerException is { } inner && IsTransport(inner));

    /// <summary>Reads from a store's stream; a connection that breaks is Unavailable.</summary>
    public static async ValueTask<int> ReadAsync(
        Stream content, Memory<byte> buffer, IBlobStore store, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not AiDbException && !cancellationToken.IsCancellationRequested)
        {
            throw Unavailable(store, $"read '{name}'", error);
        }
    }

    private static string Reason(Exception error)
    {
        Exception deepest = error;
        while (deepest.InnerException is { } inner)
            deepest = inner;
        return deepest.Message.TrimEnd('.') + ".";
    }
}
