namespace AiDb.Simulation.World;

/// <summary>Links between named places: delay, loss, repetition, reordering, and cuts in one direction or both.</summary>
internal sealed class SimulatedNetwork(Scheduler scheduler, Random random)
{
    private readonly HashSet<(string From, string To)> _cut = [];

    /// <summary>The longest a message takes where nothing is wrong.</summary>
    public TimeSpan LinkDelay { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The share of messages that get lost.</summary>
    public double Loss { get; set; }

    /// <summary>The share of messages that arrive twice.</summary>
    public double Repetition { get; set; }

    /// <summary>The share of messages that are late by up to a second.</summary>
    public double Lateness { get; set; }

    /// <summary>Messages sent.</summary>
    public long Sent { get; private set; }

    /// <summary>Whether a message could go from one place to another.</summary>
    public bool IsOpen(string from, string to) => !_cut.Contains((from, to));

    /// <summary>Cuts a direction.</summary>
    public void Cut(string from, string to) => _cut.Add((from, to));

    /// <summary>Mends everything.</summary>
    public void Heal()
    {
        _cut.Clear();
        Loss = Repetition = Lateness = 0;
    }

    /// <summary>Sends a message; it is handed over some time later, or never.</summary>
    public void Send(string from, string to, Action deliver)
    {
        Sent++;
        if (!IsOpen(from, to) || random.NextDouble() < Loss)
            return;
        scheduler.After(Delay(), () => Arrive(from, to, deliver));
        if (random.NextDouble() < Repetition)
            scheduler.After(Delay(), () => Arrive(from, to, deliver));
    }

    private void Arrive(string from, string to, Action deliver)
    {
        // A cut also stops what is under way.
        if (IsOpen(from, to))
            deliver();
    }

    private TimeSpan Delay()
    {
        double milliseconds = (0.1 + random.NextDouble() * 0.9) * LinkDelay.TotalMilliseconds;
        if (random.NextDouble() < Lateness)
            milliseconds += random.NextDouble() * 1000;
        return TimeSpan.FromMilliseconds(milliseconds);
    }
}
