using System.Globalization;
using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Engine;
using AiDb.Engine.Collections;

namespace AiDb.Cluster.Model;

/// <summary>The collections of a cluster and their aliases, changed by compare-and-swap so that any gateway may do it; an
/// id is never used twice, for a table neither.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. What a call changed is in the map when it returns.
/// Invariants: no alias has the name of a collection, and every alias names one. All aliases are one record, so that
/// whatever could break this compares it.
/// </remarks>
public sealed class CollectionCatalogue(IMetadataStore store, ClusterMapWatcher map, TimeProvider timeProvider)
{
    /// <summary>Characters of a collection's or alias' name.</summary>
    public const int MaxNameLength = 255;

    /// <summary>Collections of a cluster.</summary>
    public const int MaxCollections = 100_000;

    /// <summary>Aliases of a cluster.</summary>
    public const int MaxAliases = 2_000;

    /// <summary>Bytes of what users note about a collection.</summary>
    public const int MaxMetadataBytes = 64 << 10;

    // A key of the store has 512 characters; letters beyond ASCII take several.
    private const int MaxEscapedLength = 480;
    private const string ForbiddenCharacters = "<>:\"/\\|?*";

    /// <summary>The collections as this node knows them.</summary>
    public CollectionMap Current => map.Current.Collections;

    /// <summary>Makes a collection.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: there is a collection or an alias of
    /// that name.</exception>
    public async ValueTask<CollectionDescriptor> CreateAsync(
        string name, CollectionOptions options, CancellationToken cancellationToken = default)
    {
        CheckName(name, "collection_name");
        CheckOptions(options);
        if (Current.Count >= MaxCollections)
            throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"A cluster has {MaxCollections} collections at most.");
        string key = MetadataKeys.Collection(name);
        while (true)
        {
            MetadataKeyValue? counter = await ReadAsync(MetadataKeys.NextTableId, cancellationToken);
            MetadataKeyValue? aliases = await ReadAsync(MetadataKeys.CollectionAliases, cancellationToken);
            if (AliasesOf(aliases).ContainsKey(name))
                throw Exists($"An alias '{name}' exists.");
            CollectionDescriptor collection = new()
            {
                Name = name,
                Id = IdOf(counter),
                Options = options,
                CreatedAtMs = timeProvider.GetUtcNow().ToUnixTimeMilliseconds(),
            };
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [MetadataCompare.IsAbsent(key), Unchanged(counter, MetadataKeys.NextTableId),
                        Unchanged(aliases, MetadataKeys.CollectionAliases)],
                    Then =
                    [
                        MetadataOperation.Put(key, CollectionJson.Write(collection)),
                        MetadataOperation.Put(
                            MetadataKeys.NextTableId,
                            Encoding.ASCII.GetBytes((collection.Id + 1).ToString(CultureInfo.InvariantCulture))),
                    ],
                    Otherwise = [MetadataOperation.Range(key)],
                },
                cancellationToken);
            if (result.Succeeded)
                return await SeeAsync(collection with { Revision = result.Revision }, cancellationToken);
            if (result.Ranges[0].Single is not null)
                throw Exists($"Collection `{name}` already exists!");
        }
    }

    /// <summary>Changes a collection's settings.</summary>
    /// <param name="name">Its name or alias.</param>
    /// <param name="change">Makes new settings of those that it has; may be called several times.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public async ValueTask<CollectionDescriptor> UpdateAsync(
        string name, Func<CollectionOptions, CollectionOptions> change, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            string key = MetadataKeys.Collection((Current.Find(name) ?? throw NotFound(name)).Name);
            MetadataKeyValue item = await ReadAsync(key, cancellationToken) ?? throw NotFound(name);
            CollectionDescriptor before = CollectionJson.Read(item);
            CollectionDescriptor after = before with { Options = change(before.Options) };
            CheckOptions(after.Options);
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [Unchanged(item, key)],
                    Then = [MetadataOperation.Put(key, CollectionJson.Write(after))],
                },
                cancellationToken);
            if (result.Succeeded)
                return await SeeAsync(after with { Revision = result.Revision }, cancellationToken);
        }
    }

    /// <summary>Drops a collection and its aliases and remembers its id as dropped; the shards then drop its
    /// points.</summary>
    /// <returns>What was dropped; null where there is none of that name or alias.</returns>
    public async ValueTask<CollectionDescriptor?> DropAsync(string name, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            string real = Current.Find(name)?.Name ?? name;
            string key = MetadataKeys.Collection(real);
            if (await ReadAsync(key, cancellationToken) is not { } item)
                return null;
            CollectionDescriptor collection = CollectionJson.Read(item);
            MetadataKeyValue? aliases = await ReadAsync(MetadataKeys.CollectionAliases, cancellationToken);
            SortedDictionary<string, string> kept = AliasesOf(aliases);
            foreach (string alias in kept.Where(pair => string.Equals(pair.Value, real, StringComparison.Ordinal))
                .Select(pair => pair.Key).ToList())
            {
                kept.Remove(alias);
            }

            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [Unchanged(item, key), Unchanged(aliases, MetadataKeys.CollectionAliases)],
                    Then =
                    [
                        MetadataOperation.Delete(key),
                        MetadataOperation.Put(
                            MetadataKeys.DroppedCollection(collection.Id), Encoding.UTF8.GetBytes(real)),
                        MetadataOperation.Put(MetadataKeys.CollectionAliases, CollectionJson.Write(kept)),
                    ],
                },
                cancellationToken);
            if (!result.Succeeded)
                continue;
            await map.WaitForAsync(current => current.Collections.Find(collection.Id) is null, cancellationToken);
            return collection;
        }
    }

    /// <summary>Changes aliases, in their order, all or none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: a collection or an alias that is to be renamed
    /// is not there; <see cref="AiDbErrorKind.AlreadyExists"/>: a collection has the alias' name.</exception>
    public async ValueTask ChangeAliasesAsync(
        IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            MetadataKeyValue? item = await ReadAsync(MetadataKeys.CollectionAliases, cancellationToken);
            SortedDictionary<string, string> aliases = AliasesOf(item);
            Dictionary<string, MetadataCompare> compares = new(StringComparer.Ordinal);
            foreach (AliasChange change in changes)
                await ApplyAsync(aliases, change, compares, cancellationToken);
            if (aliases.Count > MaxAliases)
                throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"A cluster has {MaxAliases} aliases at most.");
            if (compares.Count >= MetadataLimits.MaxTransactionSteps)
            {
                throw Invalid(
                    $"actions name {compares.Count} collections and aliases; at most "
                    + $"{MetadataLimits.MaxTransactionSteps - 1} are allowed");
            }

            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [Unchanged(item, MetadataKeys.CollectionAliases), .. compares.Values],
                    Then = [MetadataOperation.Put(MetadataKeys.CollectionAliases, CollectionJson.Write(aliases))],
                },
                cancellationToken);
            if (!result.Succeeded)
                continue;
            await map.WaitForAsync(current => current.Version >= result.Revision, cancellationToken);
            return;
        }
    }

    /// <summary>Checks a collection's or an alias' name.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the
    /// rule.</exception>
    public static void CheckName(string name, string field)
    {
        if (name.Length is 0 or > MaxNameLength)
            throw Invalid($"{field} has {name.Length} characters; a name has 1 to {MaxNameLength}");
        foreach (char character in name)
        {
            if (char.IsControl(character) || ForbiddenCharacters.Contains(character, StringComparison.Ordinal))
                throw Invalid($"{field} cannot contain \"{character}\" char");
        }

        if (Uri.EscapeDataString(name).Length > MaxEscapedLength)
            throw Invalid($"{field} is too long: percent-encoded, a name has at most {MaxEscapedLength} characters");
    }

    /// <summary>What a name without a collection is answered with.</summary>
    public static AiDbException NotFound(string name) =>
        new(AiDbErrorKind.NotFound, $"Collection `{name}` doesn't exist!");

    private async ValueTask ApplyAsync(
        SortedDictionary<string, string> aliases, AliasChange change, Dictionary<string, MetadataCompare> compares,
        CancellationToken cancellationToken)
    {
        if (change.RenameFrom is { } former)
        {
            if (!aliases.Remove(former, out string? target))
                throw new AiDbException(AiDbErrorKind.NotFound, $"Alias `{former}` doesn't exist!");
            await RequireFreeAsync(change.Alias, compares, cancellationToken);
            aliases[change.Alias] = target;
            return;
        }

        if (change.Collection is null)
        {
            aliases.Remove(change.Alias);
            return;
        }

        await RequireFreeAsync(change.Alias, compares, cancellationToken);
        string key = MetadataKeys.Collection(change.Collection);
        MetadataKeyValue item = await ReadAsync(key, cancellationToken) ?? throw NotFound(change.Collection);
        compares[key] = Unchanged(item, key);
        aliases[change.Alias] = change.Collection;
    }

    private async ValueTask RequireFreeAsync(
        string alias, Dictionary<string, MetadataCompare> compares, CancellationToken cancellationToken)
    {
        CheckName(alias, "alias_name");
        string key = MetadataKeys.Collection(alias);
        if (await ReadAsync(key, cancellationToken) is not null)
            throw Exists($"Collection `{alias}` already exists!");
        compares[key] = MetadataCompare.IsAbsent(key);
    }

    private async ValueTask<CollectionDescriptor> SeeAsync(
        CollectionDescriptor collection, CancellationToken cancellationToken)
    {
        await map.WaitForAsync(current => current.Version >= collection.Revision, cancellationToken);
        return collection;
    }

    private async ValueTask<MetadataKeyValue?> ReadAsync(string key, CancellationToken cancellationToken) =>
        (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single;

    private static MetadataCompare Unchanged(MetadataKeyValue? item, string key) =>
        MetadataCompare.UnchangedSince(key, item?.ModRevision ?? 0);

    private static SortedDictionary<string, string> AliasesOf(MetadataKeyValue? item) =>
        item is null ? new(StringComparer.Ordinal) : CollectionJson.ReadAliases(item);

    private static void CheckOptions(CollectionOptions options)
    {
        options.Validate();
        if (options.Metadata?.Utf8.Length > MaxMetadataBytes)
            throw Invalid($"metadata has {options.Metadata.Utf8.Length} bytes; the limit is {MaxMetadataBytes}");
    }

    private static uint IdOf(MetadataKeyValue? counter) => counter is null ? Table.FirstHostId : Catalogue.ReadCounter(counter);

    private static AiDbException Exists(string message) => new(AiDbErrorKind.AlreadyExists, message);

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
