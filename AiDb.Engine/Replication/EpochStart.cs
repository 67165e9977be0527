namespace AiDb.Engine.Replication;

/// <summary>Where an epoch begins in the log.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="StartLsn">Its first entry, as far back as is known.</param>
public readonly record struct EpochStart(ulong Epoch, ulong StartLsn);
