namespace AiDb.Cluster.Balancing;

/// <summary>What a balancer knows of one replica: reads under way, how fast it answers, whether it answers at
/// all.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ReplicaLoad(string nodeId, ulong nodeHash, ReadBalancerOptions options, TimeProvider timeProvider)
{
    /// <summary>Weight of a new latency in the average.</summary>
    private const double LatencyWeight = 0.1;

    /// <summary>Below this, latencies count as equal: they tell of noise, and a replica that is read little
    /// could never compete with one whose average is warm.</summary>
    private const double MinLatencyMs = 1;

    /// <summary>A replica that is not read halves its average in this time: what was slow once gets another
    /// chance.</summary>
    private const double ForgettingHalfLifeMs = 1000;

    private readonly Lock _lock = new();
    private int _inFlight;
    private double _latencyMs = MinLatencyMs;
    private int _failures;
    private bool _isDown;
    private bool _probing;
    private long _lastAnswerAt;
    private long _nextProbeAt;
    private TimeSpan _probeInterval;

    public string NodeId => nodeId;

    public int InFlight => Volatile.Read(ref _inFlight);

    public bool IsDown
    {
        get
        {
            lock (_lock)
                return _isDown;
        }
    }

    /// <summary>How far this replica is the one for a key: the replica with the greatest weight is
    /// (rendezvous hashing, Thaler and Ravishankar, 1998), so that a replica that comes or goes moves no key
    /// between the others.</summary>
    public ulong WeightFor(ulong keyHash)
    {
        ulong mixed = (keyHash ^ nodeHash) * 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8_FEB8_6659_FD93;
        return mixed ^ (mixed >> 32);
    }

    /// <summary>Whether reads may go there, or one read to try it; and how busy it is.</summary>
    public ReplicaAvailability Look(long now, out double busyness)
    {
        lock (_lock)
        {
            busyness = (_inFlight + 1) * EstimateLatencyMs(now);
            if (!_isDown && _inFlight > 0
                && timeProvider.GetElapsedTime(_lastAnswerAt, now) > options.SilenceTimeout)
            {
                MarkDown(now);
            }

            if (!_isDown)
                return ReplicaAvailability.Up;
            return !_probing && now >= _nextProbeAt ? ReplicaAvailability.MayProbe : ReplicaAvailability.Down;
        }
    }

    /// <summary>Takes the one read that tries a replica that is down; false: another caller has it.</summary>
    public bool TryBeginProbe(long now)
    {
        lock (_lock)
        {
            if (!_isDown || _probing || now < _nextProbeAt)
                return false;
            _probing = true;
            _inFlight++;
            return true;
        }
    }

    public void Begin(long now)
    {
        lock (_lock)
        {
            // The silence of a replica counts from when it began to owe an answer.
            if (_inFlight++ == 0)
                _lastAnswerAt = now;
        }
    }

    public void End(ReadOutcome outcome, bool wasProbe, long startedAt, long now)
    {
        lock (_lock)
        {
            _inFlight--;
            if (wasProbe)
                _probing = false;
            switch (outcome)
            {
                case ReadOutcome.Answered:
                    _latencyMs += LatencyWeight * (timeProvider.GetElapsedTime(startedAt, now).TotalMilliseconds - _latencyMs);
                    _latencyMs = Math.Max(_latencyMs, MinLatencyMs);
                    _failures = 0;
                    _lastAnswerAt = now;
                    // An answer to a read that began before the replica went down may have been on its way
                    // since.
                    if (wasProbe)
                        _isDown = false;
                    break;
                case ReadOutcome.Failed:
                    _failures++;
                    if (wasProbe || (!_isDown && _failures >= options.FailuresToMarkDown))
                        MarkDown(now);
                    break;
                default:
                    break;
            }
        }
    }

    private double EstimateLatencyMs(long now)
    {
        if (_latencyMs <= MinLatencyMs || _inFlight > 0)
            return _latencyMs;
        double idleMs = timeProvider.GetElapsedTime(_lastAnswerAt, now).TotalMilliseconds;
        return Math.Max(MinLatencyMs, _latencyMs * Math.Pow(2, -idleMs / ForgettingHalfLifeMs));
    }

    private void MarkDown(long now)
    {
        _probeInterval = _isDown
            ? TimeSpan.FromTicks(Math.Min(_probeInterval.Ticks * 2, options.MaxProbeInterval.Ticks))
            : options.ProbeInterval;
        _isDown = true;
        _nextProbeAt = now + (long)(_probeInterval.TotalSeconds * timeProvider.TimestampFrequency);
    }
}

/// <summary>Whether reads may go to a replica.</summary>
internal enum ReplicaAvailability
{
    Up,
    MayProbe,
    Down,
}
