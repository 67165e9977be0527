namespace AiDb.Cli.Data;

/// <summary>Which lines of an import are acknowledged, to tell where another run may continue.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class AcknowledgedLines(long skipped)
{
    private readonly Lock _gate = new();
    private readonly HashSet<long> _ahead = [];
    private long _complete = skipped;

    /// <summary>All lines up to this one (the first is 1) are acknowledged or skipped.</summary>
    public long Complete
    {
        get
        {
            lock (_gate)
                return _complete;
        }
    }

    public void Add(long line)
    {
        lock (_gate)
        {
            if (line != _complete + 1)
            {
                _ahead.Add(line);
                return;
            }

            _complete = line;
            while (_ahead.Remove(_complete + 1))
                _complete++;
        }
    }
}
