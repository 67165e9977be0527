namespace AiDb.Engine.Replication;

/// <summary>What a voter keeps beside its log.</summary>
/// <param name="Promised">The epoch below which it follows nobody any more.</param>
/// <param name="Generation">The highest generation of the shard's configuration that it saw.</param>
/// <param name="Epochs">Where the epochs begin, oldest first, also those whose entries the log gave up.</param>
public sealed record VoterState(ulong Promised, ulong Generation, IReadOnlyList<EpochStart> Epochs)
{
    /// <summary>Before anything was promised.</summary>
    public static VoterState Empty { get; } = new(0, 0, []);
}
