using System.Collections.Immutable;
using AiDb.Engine.Collections;

namespace AiDb.Cluster.Model;

/// <summary>A collection of the catalogue.</summary>
public sealed record CollectionDescriptor
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its id in every shard; never used again after the collection was dropped.</summary>
    public required uint Id { get; init; }

    /// <summary>Its settings and payload indexes.</summary>
    public required CollectionOptions Options { get; init; }

    /// <summary>When it was created, Unix milliseconds.</summary>
    public long CreatedAtMs { get; init; }

    /// <summary>The revision of the store that last changed it.</summary>
    public long Revision { get; init; }
}

/// <summary>The collections of a cluster at one revision, and their aliases. Immutable; a changed one shares what did not
/// change, since there may be tens of thousands.</summary>
public sealed class CollectionMap
{
    private static readonly ImmutableSortedDictionary<string, string> NoAliases =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    private readonly ImmutableSortedDictionary<string, CollectionDescriptor> _byName;
    private readonly ImmutableDictionary<uint, CollectionDescriptor> _byId;

    private CollectionMap(
        ImmutableSortedDictionary<string, CollectionDescriptor> byName,
        ImmutableDictionary<uint, CollectionDescriptor> byId,
        IReadOnlyDictionary<string, string> aliases,
        ImmutableHashSet<uint> dropped)
    {
        _byName = byName;
        _byId = byId;
        Aliases = aliases;
        Dropped = dropped;
    }

    /// <summary>None.</summary>
    public static CollectionMap Empty { get; } = new(
        ImmutableSortedDictionary.Create<string, CollectionDescriptor>(StringComparer.Ordinal),
        ImmutableDictionary<uint, CollectionDescriptor>.Empty, NoAliases, []);

    /// <summary>How many there are.</summary>
    public int Count => _byName.Count;

    /// <summary>All, by name.</summary>
    public IEnumerable<CollectionDescriptor> All => _byName.Values;

    /// <summary>The names of collections, by alias.</summary>
    public IReadOnlyDictionary<string, string> Aliases { get; }

    /// <summary>Ids of collections that were dropped: a shard that finds points of them drops those, too.</summary>
    public IReadOnlySet<uint> Dropped { get; }

    /// <summary>A collection by name or alias; null when there is none.</summary>
    public CollectionDescriptor? Find(string name)
    {
        if (_byName.TryGetValue(name, out CollectionDescriptor? found))
            return found;
        return Aliases.TryGetValue(name, out string? target) ? _byName.GetValueOrDefault(target) : null;
    }

    /// <summary>A collection by id; null when there is none.</summary>
    public CollectionDescriptor? Find(uint id) => _byId.GetValueOrDefault(id);

    internal CollectionMap With(CollectionDescriptor collection)
    {
        ImmutableDictionary<uint, CollectionDescriptor> byId = _byId;
        if (_byName.TryGetValue(collection.Name, out CollectionDescriptor? before))
            byId = byId.Remove(before.Id);
        return new CollectionMap(
            _byName.SetItem(collection.Name, collection), byId.SetItem(collection.Id, collection), Aliases,
            (ImmutableHashSet<uint>)Dropped);
    }

    internal CollectionMap Without(string name) => _byName.TryGetValue(name, out CollectionDescriptor? before)
        ? new CollectionMap(_byName.Remove(name), _byId.Remove(before.Id), Aliases, (ImmutableHashSet<uint>)Dropped)
        : this;

    internal CollectionMap WithAliases(IReadOnlyDictionary<string, string>? aliases) =>
        new(_byName, _byId, aliases ?? NoAliases, (ImmutableHashSet<uint>)Dropped);

    internal CollectionMap WithDropped(uint id, bool isDropped)
    {
        var dropped = (ImmutableHashSet<uint>)Dropped;
        return new CollectionMap(_byName, _byId, Aliases, isDropped ? dropped.Add(id) : dropped.Remove(id));
    }
}
