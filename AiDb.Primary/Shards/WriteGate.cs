namespace AiDb.Primary.Shards;

/// <summary>Lets writes in, and holds them off while their shard is handed over.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class WriteGate
{
    private readonly Lock _gate = new();
    private int _inside;
    private bool _isClosed;
    private TaskCompletionSource? _empty;

    /// <summary>Lets a write in, which must <see cref="Exit"/>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: it is closed; nothing was done.</exception>
    public void Enter()
    {
        lock (_gate)
        {
            if (!_isClosed)
            {
                _inside++;
                return;
            }
        }

        throw new AiDbException(AiDbErrorKind.Unavailable, "The shard is being handed over to another primary; nothing was written.")
        {
            RetryAfter = TimeSpan.FromMilliseconds(20),
        };
    }

    /// <summary>A write has ended.</summary>
    public void Exit()
    {
        lock (_gate)
        {
            if (--_inside == 0)
                _empty?.TrySetResult();
        }
    }

    /// <summary>Lets no write in any more, and waits for those inside.</summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        Task empty;
        lock (_gate)
        {
            _isClosed = true;
            if (_inside == 0)
                return;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            empty = _empty.Task;
        }

        await empty.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets writes in again.</summary>
    public void Open()
    {
        lock (_gate)
        {
            _isClosed = false;
            _empty = null;
        }
    }
}
