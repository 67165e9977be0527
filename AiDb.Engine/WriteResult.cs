namespace AiDb.Engine;

/// <summary>What a write answered.</summary>
/// <param name="Applied">False when a condition did not hold; then nothing of the batch was applied.</param>
/// <param name="Version">The version (hybrid-logical timestamp) of the write: the ETag of every key it
/// wrote.</param>
/// <param name="Lsn">The position in the log; a reader that has applied it sees the write.</param>
/// <param name="FailedOperation">Index of the operation whose condition did not hold, or -1.</param>
/// <param name="CurrentVersion">Version of that operation's key, 0 when it is absent.</param>
public readonly record struct WriteResult(bool Applied, ulong Version, ulong Lsn, int FailedOperation = -1, ulong CurrentVersion = 0);
