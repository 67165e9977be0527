namespace AiDb.Cluster.Metadata;

/// <summary>Where an <see cref="EmbeddedMetadataStore"/> keeps its changes.</summary>
internal interface IMetadataJournal : IAsyncDisposable
{
    /// <summary>What was kept; called once, before everything else.</summary>
    MetadataImage Load();

    /// <summary>Makes a step durable, whole or not at all. Called one at a time. An error of kind
    /// <see cref="AiDbErrorKind.ResourceExhausted"/> means that nothing was kept; after any other one the
    /// outcome is unknown, and the journal is not called again.</summary>
    ValueTask AppendAsync(MetadataJournalStep step);
}

/// <summary>The content of a journal.</summary>
internal sealed record MetadataImage(
    long Revision, IReadOnlyList<MetadataKeyValue> Items, IReadOnlyList<MetadataLease> Leases);

/// <summary>A lease: its id and how long it lives without being kept alive.</summary>
internal readonly record struct MetadataLease(long Id, TimeSpan TimeToLive);

/// <summary>What one step of a store changes.</summary>
internal sealed record MetadataJournalStep(
    long Revision,
    IReadOnlyList<MetadataEvent> Events,
    IReadOnlyList<MetadataLease> GrantedLeases,
    IReadOnlyList<long> EndedLeases);

/// <summary>Keeps nothing: for simulation and tests of what does not restart.</summary>
internal sealed class EmptyMetadataJournal : IMetadataJournal
{
    public MetadataImage Load() => new(0, [], []);

    public ValueTask AppendAsync(MetadataJournalStep step) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
