namespace AiDb.Simulation.Actors;

/// <summary>What a seed stands for: the group, the load, and how often what goes wrong.</summary>
internal sealed record Scenario
{
    /// <summary>The seed.</summary>
    public required int Seed { get; init; }

    /// <summary>Voters at the start.</summary>
    public required int Voters { get; init; }

    /// <summary>The write quorum.</summary>
    public required int WriteQuorum { get; init; }

    /// <summary>Nodes that can become voters.</summary>
    public required int Spares { get; init; }

    /// <summary>Clients.</summary>
    public required int Clients { get; init; }

    /// <summary>Keys.</summary>
    public required int Keys { get; init; }

    /// <summary>The longest a client waits between an answer and its next operation.</summary>
    public TimeSpan ThinkTime { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>The share of reads among the operations.</summary>
    public required double Reads { get; init; }

    /// <summary>Operations until the end.</summary>
    public required int Operations { get; init; }

    /// <summary>Bytes of one append: small values make many messages.</summary>
    public required int MaxAppendBytes { get; init; }

    /// <summary>Appends under way to one follower.</summary>
    public required int MaxAppendsInFlight { get; init; }

    /// <summary>The longest a message takes where nothing is wrong.</summary>
    public required TimeSpan LinkDelay { get; init; }

    /// <summary>How late news from the store may be.</summary>
    public required TimeSpan NewsDelay { get; init; }

    /// <summary>Planned switches in a row, a few milliseconds apart.</summary>
    public required int SwitchesInARow { get; init; }

    /// <summary>How many times longer faults last than in a hostile scenario.</summary>
    public required double Length { get; init; }

    /// <summary>The mean time between faults.</summary>
    public required TimeSpan FaultInterval { get; init; }

    /// <summary>How likely each kind of fault is, by its weight: seeds differ in what they prefer.</summary>
    public required IReadOnlyList<(FaultKind Kind, double Weight)> Faults { get; init; }

    /// <summary>Whether the others can go on and hold everything when one disk is lost.</summary>
    public bool SurvivesLostDisk => WriteQuorum >= 2 && Voters - WriteQuorum >= 1;

    /// <summary>The scenario of a seed.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="operations">Operations until the end.</param>
    /// <param name="isHostile">Whether primaries change so fast that entries are often caught half way.</param>
    public static Scenario Of(int seed, int operations, bool isHostile)
    {
        var random = new Random(seed ^ 0x5EED);
        (int voters, int quorum) = random.Next(10) switch
        {
            < 6 => (3, 2),
            < 8 => (5, 3),
            8 => random.Next(2) == 0 ? (3, 3) : (4, 3),
            _ => random.Next(2) == 0 ? (5, 2) : (5, 4),
        };
        var faults = new List<(FaultKind, double)>();
        foreach (FaultKind kind in Enum.GetValues<FaultKind>())
        {
            if (random.Next(3) > 0)
                faults.Add((kind, random.NextDouble() + 0.05));
        }

        if (faults.Count == 0)
            faults.Add((FaultKind.LosePower, 1));
        if (isHostile)
            faults.Add((FaultKind.Switch, 1 + faults.Sum(fault => fault.Item2) * random.NextDouble()));
        return new Scenario
        {
            Seed = seed,
            Voters = voters,
            WriteQuorum = quorum,
            Spares = random.Next(3),
            Clients = random.Next(4, 10),
            Keys = random.Next(2) == 0 ? random.Next(2, 6) : random.Next(6, 40),
            Reads = random.Next(2) == 0 ? 0.4 : 0.9,
            Operations = operations,
            MaxAppendBytes = random.Next(isHostile ? 2 : 3) == 0 ? 1 : random.Next(200, 4000),
            MaxAppendsInFlight = random.Next(3) == 0 ? 1 : random.Next(1, 9),
            LinkDelay = TimeSpan.FromMilliseconds(random.Next(4) switch { 0 => 20, 1 => 5, _ => 1 }),
            NewsDelay = TimeSpan.FromMilliseconds(isHostile && random.Next(2) == 0 ? random.Next(600) : random.Next(50)),
            SwitchesInARow = isHostile ? random.Next(1, 13) : 1,
            Length = isHostile ? 0.1 : 1,
            FaultInterval = TimeSpan.FromSeconds(isHostile ? 0.1 + random.NextDouble() * 0.4 : 0.5 + random.NextDouble() * 4),
            Faults = faults,
        };
    }
}

/// <summary>What goes wrong.</summary>
internal enum FaultKind
{
    /// <summary>A process is killed.</summary>
    Kill,

    /// <summary>A machine loses power, and what was not synced.</summary>
    LosePower,

    /// <summary>Every machine loses power at once.</summary>
    LosePowerEverywhere,

    /// <summary>A process stands still for a while.</summary>
    Pause,

    /// <summary>The network falls into two parts.</summary>
    Partition,

    /// <summary>One direction between two places is cut.</summary>
    OneWayCut,

    /// <summary>Messages get lost, late, or arrive twice.</summary>
    BadLinks,

    /// <summary>A disk is slow.</summary>
    SlowDisk,

    /// <summary>A sync fails: the process ends, and what was not synced may be gone.</summary>
    SyncError,

    /// <summary>A disk is lost for good.</summary>
    WipeDisk,

    /// <summary>The store is away.</summary>
    StoreDown,

    /// <summary>Answers of the store get lost.</summary>
    StoreAnswersLost,

    /// <summary>A clock jumps.</summary>
    ClockJump,

    /// <summary>Another primary is elected without need.</summary>
    Switch,

    /// <summary>A voter is replaced.</summary>
    Replace,
}
