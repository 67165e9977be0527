namespace AiDb.Cluster.Metadata;

/// <summary>A key as a <see cref="IMetadataStore"/> holds it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">Its value; never changed after it was stored.</param>
/// <param name="CreateRevision">The revision that created it.</param>
/// <param name="ModRevision">The revision that last changed it.</param>
/// <param name="Version">Writes since its creation, that included.</param>
/// <param name="LeaseId">The lease it goes with; 0: none.</param>
public sealed record MetadataKeyValue(
    string Key, ReadOnlyMemory<byte> Value, long CreateRevision, long ModRevision, long Version, long LeaseId);

/// <summary>What a range read saw.</summary>
/// <param name="Revision">Of the store at that moment.</param>
/// <param name="Items">In key order.</param>
public sealed record MetadataRange(long Revision, IReadOnlyList<MetadataKeyValue> Items)
{
    /// <summary>The only key, or null where there is none.</summary>
    public MetadataKeyValue? Single => Items.Count > 0 ? Items[0] : null;
}

/// <summary>All changes of one revision that a watch asked for.</summary>
/// <param name="Revision">The revision.</param>
/// <param name="Events">In the order of the transaction.</param>
public sealed record MetadataChange(long Revision, IReadOnlyList<MetadataEvent> Events);

/// <summary>A key that was put or deleted.</summary>
/// <param name="Key">The key.</param>
/// <param name="Current">What it is now; null: deleted.</param>
public readonly record struct MetadataEvent(string Key, MetadataKeyValue? Current);

/// <summary>What a <see cref="MetadataCompare"/> looks at.</summary>
public enum MetadataCompareTarget
{
    /// <summary>The revision that created the key; 0 when it is absent.</summary>
    CreateRevision = 1,

    /// <summary>The revision that last changed the key; 0 when it is absent.</summary>
    ModRevision = 2,

    /// <summary>The value; an absent key differs from every value.</summary>
    Value = 3,
}

/// <summary>A condition of a transaction.</summary>
public sealed record MetadataCompare
{
    internal MetadataCompare(MetadataCompareTarget target, string key, long revision, ReadOnlyMemory<byte> value)
    {
        MetadataLimits.CheckKey(key);
        (Target, Key, Revision, Value) = (target, key, revision, value);
    }

    /// <summary>What is compared.</summary>
    public MetadataCompareTarget Target { get; }

    /// <summary>The key.</summary>
    public string Key { get; }

    /// <summary>What a revision must equal.</summary>
    public long Revision { get; }

    /// <summary>What the value must equal.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>The key must not exist.</summary>
    public static MetadataCompare IsAbsent(string key) => new(MetadataCompareTarget.CreateRevision, key, 0, default);

    /// <summary>The key must have been created by this revision.</summary>
    public static MetadataCompare CreatedAt(string key, long revision) =>
        new(MetadataCompareTarget.CreateRevision, key, revision, default);

    /// <summary>The key must be unchanged since this revision; 0: it must not exist.</summary>
    public static MetadataCompare UnchangedSince(string key, long revision) =>
        new(MetadataCompareTarget.ModRevision, key, revision, default);

    /// <summary>The key must have this value.</summary>
    public static MetadataCompare HasValue(string key, ReadOnlyMemory<byte> value) =>
        new(MetadataCompareTarget.Value, key, 0, value);
}

/// <summary>What a <see cref="MetadataOperation"/> does.</summary>
public enum MetadataOperationKind
{
    /// <summary>Sets a key.</summary>
    Put = 1,

    /// <summary>Deletes a key or the keys of a prefix.</summary>
    Delete = 2,

    /// <summary>Reads a key or the keys of a prefix, as of after the transaction's changes.</summary>
    Range = 3,
}

/// <summary>One step of a transaction.</summary>
public sealed record MetadataOperation
{
    internal MetadataOperation(MetadataOperationKind kind, string key, ReadOnlyMemory<byte> value, long leaseId, bool isPrefix)
    {
        MetadataLimits.CheckKey(key, isPrefix);
        MetadataLimits.CheckValue(key, value);
        (Kind, Key, Value, LeaseId, IsPrefix) = (kind, key, value, leaseId, isPrefix);
    }

    /// <summary>What it does.</summary>
    public MetadataOperationKind Kind { get; }

    /// <summary>The key or prefix.</summary>
    public string Key { get; }

    /// <summary>What a put sets.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>The lease that a put binds the key to; 0: none.</summary>
    public long LeaseId { get; }

    /// <summary>Whether <see cref="Key"/> is a prefix.</summary>
    public bool IsPrefix { get; }

    /// <summary>Sets a key.</summary>
    public static MetadataOperation Put(string key, ReadOnlyMemory<byte> value, long leaseId = 0) =>
        new(MetadataOperationKind.Put, key, value, leaseId, isPrefix: false);

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    public static MetadataOperation Delete(string key) => new(MetadataOperationKind.Delete, key, default, 0, isPrefix: false);

    /// <summary>Deletes the keys of a prefix.</summary>
    public static MetadataOperation DeletePrefix(string prefix) =>
        new(MetadataOperationKind.Delete, prefix, default, 0, isPrefix: true);

    /// <summary>Reads a key or the keys of a prefix.</summary>
    public static MetadataOperation Range(string key, bool prefix = false) =>
        new(MetadataOperationKind.Range, key, default, 0, prefix);
}

/// <summary>Conditions and what to do when all of them hold, or when one does not.</summary>
public sealed record MetadataTransaction
{
    /// <summary>All must hold for <see cref="Then"/>.</summary>
    public IReadOnlyList<MetadataCompare> Compares { get; init; } = [];

    /// <summary>Carried out when they hold.</summary>
    public IReadOnlyList<MetadataOperation> Then { get; init; } = [];

    /// <summary>Carried out when one does not.</summary>
    public IReadOnlyList<MetadataOperation> Otherwise { get; init; } = [];
}

/// <summary>What a transaction did.</summary>
/// <param name="Succeeded">Whether the conditions held.</param>
/// <param name="Revision">Of the store after it.</param>
/// <param name="Ranges">What its range operations read, in their order.</param>
public sealed record MetadataTransactionResult(bool Succeeded, long Revision, IReadOnlyList<MetadataRange> Ranges);
