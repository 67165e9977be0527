namespace AiDb.Gateway.Front;

/// <summary>Bounds what the gateway has in hand: requests, and the bytes of their bodies. What is over it is
/// refused at once with <see cref="AiDbErrorKind.ResourceExhausted"/>, before it costs memory.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class Admission(int maxRequests, long maxBodyBytes)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private int _requests;
    private long _bodyBytes;

    /// <summary>Requests in hand.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Bytes of bodies in hand.</summary>
    public long BodyBytes => Volatile.Read(ref _bodyBytes);

    /// <summary>Takes a place; the caller gives it back by <see cref="Exit"/>.</summary>
    public void Enter()
    {
        if (Interlocked.Increment(ref _requests) <= maxRequests)
            return;
        Interlocked.Decrement(ref _requests);
        throw new AiDbException(
            AiDbErrorKind.ResourceExhausted,
            $"The gateway has {maxRequests} requests in hand (AiDb:Limits:MaxRequestsInFlight); try again in a moment.")
        {
            RetryAfter = RetryAfter,
        };
    }

    /// <summary>Gives a place back.</summary>
    public void Exit() => Interlocked.Decrement(ref _requests);

    /// <summary>Takes room for the bytes of a body; the caller gives it back by <see cref="ReleaseBytes"/>. A
    /// body that is larger than the bound itself is let in alone.</summary>
    public void ReserveBytes(long bytes)
    {
        long now = Interlocked.Add(ref _bodyBytes, bytes);
        if (now <= maxBodyBytes || now == bytes)
            return;
        Interlocked.Add(ref _bodyBytes, -bytes);
        throw new AiDbException(
            AiDbErrorKind.ResourceExhausted,
            $"The bodies of the requests in hand take {maxBodyBytes} bytes (AiDb:Limits:MaxBodyBytesInFlight); "
            + "try again in a moment.")
        {
            RetryAfter = RetryAfter,
        };
    }

    /// <summary>Gives room back.</summary>
    public void ReleaseBytes(long bytes) => Interlocked.Add(ref _bodyBytes, -bytes);
}
