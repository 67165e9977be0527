using System.Globalization;

namespace AiDb.Simulation.World;

/// <summary>What happened: a hash over all of it, and the last lines in words.</summary>
internal sealed class Trace(Scheduler scheduler, bool keepAll)
{
    private const int Kept = 60;
    private readonly Queue<string> _lines = new();
    private ulong _hash = 14695981039346656037;

    /// <summary>The hash; the same for the same seed.</summary>
    public ulong Hash => _hash;

    /// <summary>The last lines.</summary>
    public IEnumerable<string> Lines => _lines;

    /// <summary>Adds numbers to the hash.</summary>
    public void Add(ulong what, ulong more)
    {
        _hash = (_hash ^ what) * 1099511628211;
        _hash = (_hash ^ more) * 1099511628211;
        _hash = (_hash ^ (ulong)scheduler.Now.Ticks) * 1099511628211;
    }

    /// <summary>Adds a line.</summary>
    public void Say(string line)
    {
        foreach (char letter in line)
            _hash = (_hash ^ letter) * 1099511628211;
        string stamped = string.Create(CultureInfo.InvariantCulture, $"{scheduler.Now.TotalSeconds,10:0.0000} {line}");
        if (keepAll)
            Console.WriteLine(stamped);
        _lines.Enqueue(stamped);
        if (_lines.Count > Kept)
            _lines.Dequeue();
    }
}
