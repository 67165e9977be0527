using AiDb.Contracts.Internal.V1;

namespace AiDb.Primary.Migration;

/// <summary>The frames of a copy: as big as the limit of bytes per second lets go out in a part of a second, and never so
/// far apart that the target could take its source for dead.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class MovePace(ulong bytesPerSecond, TimeProvider time, Func<MoveFrame, Task> write)
{
    /// <summary>Bytes of a frame at most, but for a bigger value.</summary>
    public const int LargestFrame = 256 << 10;

    private const int SmallestFrame = 1 << 10;
    private const int FramesPerSecond = 8;

    /// <summary>The longest time without a frame.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private readonly long _began = time.GetTimestamp();
    private long _lastFrame = time.GetTimestamp();
    private double _taken;

    /// <summary>Bytes after which a frame of the copy goes out.</summary>
    public int FrameBytes { get; } = bytesPerSecond == 0
        ? LargestFrame
        : (int)Math.Clamp(bytesPerSecond / FramesPerSecond, SmallestFrame, LargestFrame);

    /// <summary>Sends a frame.</summary>
    public async Task WriteAsync(MoveFrame frame)
    {
        await write(frame).ConfigureAwait(false);
        _lastFrame = time.GetTimestamp();
    }

    /// <summary>Sends an empty frame where none has gone out for a while.</summary>
    public async ValueTask KeepAliveAsync()
    {
        if (time.GetElapsedTime(_lastFrame) >= KeepAlive)
            await WriteAsync(new MoveFrame()).ConfigureAwait(false);
    }

    /// <summary>Waits until more bytes may be sent than these, and says meanwhile that the source is at work.</summary>
    /// <param name="bytes">What was sent.</param>
    /// <param name="follow">What must be done again and again while it waits.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask TakeAsync(
        long bytes, Func<CancellationToken, ValueTask> follow, CancellationToken cancellationToken)
    {
        if (bytesPerSecond == 0)
            return;
        _taken += bytes;
        while (true)
        {
            double due = (_taken / bytesPerSecond) - time.GetElapsedTime(_began).TotalSeconds;
            if (due <= 0.001)
                return;
            await Task.Delay(TimeSpan.FromSeconds(Math.Min(due, LongestWait.TotalSeconds)), time, cancellationToken)
                .ConfigureAwait(false);
            await follow(cancellationToken).ConfigureAwait(false);
            await KeepAliveAsync().ConfigureAwait(false);
        }
    }
}
