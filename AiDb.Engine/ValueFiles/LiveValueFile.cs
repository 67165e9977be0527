namespace AiDb.Engine.ValueFiles;

/// <summary>An open value file of the tree. The tables that point into it hold it; the last release closes it
/// and, once it is obsolete, has it deleted.</summary>
internal sealed class LiveValueFile : RefCounted
{
    private readonly Action<LiveValueFile> _onUnreferenced;
    private volatile bool _obsolete;

    public LiveValueFile(ValueFileMetadata metadata, ValueFileReader reader, Action<LiveValueFile> onUnreferenced)
    {
        Metadata = metadata;
        Reader = reader;
        _onUnreferenced = onUnreferenced;
    }

    /// <summary>What the manifest says of it.</summary>
    public ValueFileMetadata Metadata { get; }

    /// <summary>Its reader.</summary>
    public ValueFileReader Reader { get; }

    /// <summary>Whether the manifest no longer lists it, durably.</summary>
    public bool IsObsolete => _obsolete;

    /// <summary>Marks it for deletion. Called after the manifest that does not list it any more is
    /// durable.</summary>
    public void MarkObsolete() => _obsolete = true;

    /// <inheritdoc/>
    protected override void OnUnreferenced()
    {
        Reader.Dispose();
        _onUnreferenced(this);
    }
}
