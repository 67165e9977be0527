namespace AiDb.Engine.Log;

/// <summary>Reads the log in order.</summary>
internal sealed class LogReader : IDisposable
{
    /// <summary>The entry that <see cref="TryRead"/> gives next.</summary>
    public ulong NextLsn => throw new NotSupportedException();

    /// <summary>Reads the next entry if it is at most <paramref name="limitLsn"/> and written.</summary>
    public bool TryRead(ulong limitLsn, out LogEntry entry) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotSupportedException();
}
