namespace AiDb.Engine;

/// <summary>A place in a shard's log.</summary>
/// <param name="Epoch">The epoch of the entry there.</param>
/// <param name="Lsn">Its number; the first entry is 1.</param>
/// <param name="Timestamp">Its hybrid-logical timestamp: 48 bits of Unix milliseconds, 16 bits of
/// counter.</param>
public readonly record struct LogPosition(ulong Epoch, ulong Lsn, ulong Timestamp);
