using AiDb.Cluster.Model;

namespace AiDb.Simulation.World;

/// <summary>A node: a disk, and - while it runs - a process that hosts a voter, leads when it is elected, applies what is
/// committed and answers clients.</summary>
internal sealed class SimulatedNode
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(50);
    private readonly SimulatedCluster _cluster;
    private readonly Queue<Action> _whilePaused = new();
    private NodeProcess? _process;
    private int _incarnations;
    private int _disks;

    public SimulatedNode(SimulatedCluster cluster, string id)
    {
        _cluster = cluster;
        Id = id;
        Log = NewDisk();
        cluster.Store.Watch(id, conf => OnArrival(() => _process?.Learn(conf)));
    }

    /// <summary>Its name.</summary>
    public string Id { get; }

    /// <summary>Its disk.</summary>
    public SimulatedLog Log { get; private set; }

    /// <summary>The node and the disk.</summary>
    public ShardVoter Voter => new(Id, $"{Id}-disk{_disks}");

    /// <summary>Whether its process runs.</summary>
    public bool IsRunning => _process is not null;

    /// <summary>Whether its process stands still.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>How long a sync takes.</summary>
    public TimeSpan SyncTime { get; set; } = TimeSpan.FromMilliseconds(0.3);

    /// <summary>How far its clock is ahead.</summary>
    public TimeSpan ClockSkew { get; set; }

    /// <summary>The process; null: it does not run.</summary>
    public NodeProcess? Process => _process;

    /// <summary>Starts the process.</summary>
    /// <param name="incarnation">The name of the run; null: one of its own.</param>
    public void Start(string? incarnation = null)
    {
        if (_process is not null)
            return;
        _cluster.Trace.Say($"{Id} starts");
        var process = new NodeProcess(_cluster, this, incarnation ?? $"{Id}-run{++_incarnations}");
        _process = process;
        _cluster.Scheduler.Every(TickInterval, () =>
        {
            if (_process == process && !IsPaused)
                process.Tick();
            return _process == process;
        });
        process.Tick();
    }

    /// <summary>Ends the process without warning.</summary>
    /// <param name="losesPower">Whether what was not synced may be gone as well.</param>
    public void Kill(bool losesPower)
    {
        if (_process is null)
            return;
        _cluster.Trace.Say($"{Id} {(losesPower ? "loses power" : "is killed")}");
        _process = null;
        IsPaused = false;
        _whilePaused.Clear();
        if (losesPower)
            Log.LosePower(_cluster.Random);
        else
            Log.Restart();
        _cluster.Invariants.Restarted(this);
    }

    /// <summary>Kills the process and replaces the disk with an empty one.</summary>
    public void WipeDisk()
    {
        Kill(losesPower: true);
        _cluster.Trace.Say($"{Id} gets an empty disk");
        Log = NewDisk();
        _cluster.Invariants.Restarted(this);
    }

    /// <summary>Stops the process for a while; what arrives waits.</summary>
    public void Pause(TimeSpan time)
    {
        if (_process is null || IsPaused)
            return;
        _cluster.Trace.Say($"{Id} stands still for {time.TotalSeconds:0.0} s");
        IsPaused = true;
        NodeProcess process = _process;
        _cluster.Scheduler.After(time, () =>
        {
            if (_process != process)
                return;
            IsPaused = false;
            while (_whilePaused.TryDequeue(out Action? arrived) && _process == process)
                arrived();
        });
    }

    /// <summary>Carries out what arrives from outside, later while the process stands still, never when it does not
    /// run.</summary>
    public void OnArrival(Action action)
    {
        if (_process is null)
            return;
        if (IsPaused)
            _whilePaused.Enqueue(action);
        else
            action();
    }

    private SimulatedLog NewDisk()
    {
        _disks++;
        var log = new SimulatedLog();
        log.Appending = entry => _cluster.Invariants.Appended(this, log, entry);
        return log;
    }
}
