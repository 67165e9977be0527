namespace AiDb.Engine;

/// <summary>The state of a database at one moment. Old versions are kept on disk as long as it
/// lives.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last. Whether an
/// entry has expired is judged by the moment of the read, not by that of the snapshot; tables that were
/// dropped are gone from it too.</remarks>
public sealed class Snapshot : IDisposable
{
    internal Snapshot(Database database, LogPosition position)
    {
        Database = database;
        Position = position;
    }

    /// <summary>Writes up to this version are visible.</summary>
    public ulong Version => Position.Timestamp;

    /// <summary>The position in the log that it stands at.</summary>
    public LogPosition Position { get; }

    internal Database Database { get; }

    internal LinkedListNode<Snapshot>? Node { get; set; }

    /// <summary>Releases it.</summary>
    public void Dispose() => Database.ReleaseSnapshot(this);
}
