using AiDb.Engine.Catalogues;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections;

/// <summary>Creates, finds, changes and deletes the collections and aliases of one database.</summary>
/// <remarks>Thread safety: all members may be called concurrently. What it changes goes through the log, with conditions, so that
/// the log's order decides; it is durable before anyone sees it.</remarks>
internal sealed class CollectionDirectory(Database database)
{
    /// <summary>Characters of a name or alias at most.</summary>
    public const int MaxNameLength = 255;

    /// <summary>Changes of aliases in one request at most.</summary>
    public const int MaxAliasChanges = 1_000;

    private readonly HashSet<uint> _reserved = [];
    private readonly Table _system = new(database, Catalogue.SystemTableId, null);

    private CollectionCatalogue Names => database.Catalogue.Collections;

    /// <summary>Finds a collection by its name or an alias.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public (string Name, uint Id, ulong SettingsVersion) Find(string nameOrAlias) =>
        Names.TryResolve(nameOrAlias, out (string Name, uint Id, ulong SettingsVersion) found)
            ? found
            : throw new AiDbException(AiDbErrorKind.NotFound, $"There is no collection '{nameOrAlias}'.");

    /// <summary>The settings of a collection; null: they were changed meanwhile.</summary>
    public CollectionOptions? TryReadOptions(string name, uint id, ulong version)
    {
        if (!_system.TryGet(CollectionCatalogue.KeyOfSettings(id), out ValueLease lease))
            return null;
        using (lease)
            return lease.Version == version ? OptionsCodec.Read(name, lease.Span) : null;
    }

    /// <summary>Whether there is a collection of that id.</summary>
    public bool HasSettings(uint id) => Names.HasSettings(id);

    /// <summary>Whether a name or alias is taken.</summary>
    public bool Exists(string name) => Names.TryFind(name, out _) || Names.TryFindAlias(name, out _);

    /// <summary>Makes the settings of a collection that gets its name later (<see cref="NameAsync"/>), or is given up
    /// (<see cref="AbandonAsync"/>).</summary>
    public async ValueTask<uint> ReserveAsync(string name, CollectionOptions options, CancellationToken cancellationToken)
    {
        CheckName(name, "collection_name");
        await AbandonUnfinishedAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var batch = new WriteBatch();
            uint id = AddId(batch);
            batch.Put(_system, CollectionCatalogue.KeyOfSettings(id), OptionsCodec.Write(options));
            lock (_reserved)
                _reserved.Add(id);
            if (await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return id;
        }
    }

    /// <summary>Drops what restores of earlier processes left, which ended before they were through.</summary>
    public async ValueTask AbandonUnfinishedAsync(CancellationToken cancellationToken)
    {
        foreach (uint id in Names.Unnamed())
        {
            bool isUnderWay;
            lock (_reserved)
                isUnderWay = _reserved.Contains(id);
            if (!isUnderWay)
                await AbandonAsync(id, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives a collection its name, at the moment at which one that had it is dropped.</summary>
    /// <returns>The id of that one; null: there was none.</returns>
    public async ValueTask<uint?> NameAsync(string name, uint id, bool replace, CancellationToken cancellationToken)
    {
        while (true)
        {
            bool exists = Names.TryFind(name, out (uint Id, ulong Version) old);
            if ((exists && !replace) || Names.TryFindAlias(name, out _))
                throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The collection '{name}' already exists.");
            var batch = new WriteBatch();
            batch.Put(
                _system, CollectionCatalogue.KeyOfCollection(name), Catalogue.ValueOfId(id),
                condition: exists ? WriteCondition.VersionIs(old.Version) : WriteCondition.MustBeAbsent);
            batch.Require(_system, CollectionCatalogue.KeyOfAlias(name), WriteCondition.MustBeAbsent);
            if (exists)
                AddDrop(batch, old.Id, id);
            if (await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return exists ? old.Id : null;
        }
    }

    /// <summary>Drops a collection that has no name.</summary>
    public async ValueTask AbandonAsync(uint id, CancellationToken cancellationToken)
    {
        var batch = new WriteBatch();
        AddDrop(batch, id, null);
        await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes a collection.</summary>
    public async ValueTask CreateAsync(string name, CollectionOptions options, CancellationToken cancellationToken)
    {
        CheckName(name, "collection_name");
        byte[] settings = OptionsCodec.Write(options);
        while (true)
        {
            if (Names.TryFind(name, out _) || Names.TryFindAlias(name, out _))
                throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The collection '{name}' already exists.");
            var batch = new WriteBatch();
            uint id = AddId(batch);
            batch.Put(
                _system, CollectionCatalogue.KeyOfCollection(name), Catalogue.ValueOfId(id),
                condition: WriteCondition.MustBeAbsent);
            batch.Put(_system, CollectionCatalogue.KeyOfSettings(id), settings);
            batch.Require(_system, CollectionCatalogue.KeyOfAlias(name), WriteCondition.MustBeAbsent);
            if (await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return;
        }
    }

    /// <summary>Changes a collection's settings.</summary>
    public async ValueTask<CollectionOptions> ChangeAsync(
        string nameOrAlias, Func<CollectionOptions, CollectionOptions> change, CancellationToken cancellationToken)
    {
        while (true)
        {
            (string name, uint id, ulong version) = Find(nameOrAlias);
            if (TryReadOptions(name, id, version) is not { } options)
                continue;
            CollectionOptions changed = change(options);
            changed.Validate();
            var batch = new WriteBatch();
            batch.Put(
                _system, CollectionCatalogue.KeyOfSettings(id), OptionsCodec.Write(changed),
                condition: WriteCondition.VersionIs(version));
            if (await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return changed;
        }
    }

    /// <summary>Deletes a collection, its points and aliases; null: there is none.</summary>
    public async ValueTask<uint?> DeleteAsync(string nameOrAlias, CancellationToken cancellationToken)
    {
        while (Names.TryResolve(nameOrAlias, out (string Name, uint Id, ulong SettingsVersion) resolved))
        {
            if (!Names.TryFind(resolved.Name, out (uint Id, ulong Version) found))
                continue;
            var batch = new WriteBatch();
            batch.Delete(_system, CollectionCatalogue.KeyOfCollection(resolved.Name), WriteCondition.VersionIs(found.Version));
            AddDrop(batch, found.Id, null);

            if (await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return found.Id;
        }

        return null;
    }

    /// <summary>Changes aliases, all or none.</summary>
    public async ValueTask ChangeAliasesAsync(IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken)
    {
        if (changes.Count > MaxAliasChanges)
            throw PointErrors.Invalid($"actions has {changes.Count} entries; the limit is {MaxAliasChanges}.");
        while (true)
        {
            Dictionary<string, uint?> planned = new(StringComparer.Ordinal);
            foreach (AliasChange change in changes)
                Plan(change, planned);
            var batch = new WriteBatch();
            foreach ((string alias, uint? target) in planned)
                AddTo(batch, alias, target);
            foreach (uint target in planned.Values.OfType<uint>().Distinct())
                AddTouch(batch, target);
            if (batch.Count == 0 || await TryWriteAsync(batch, cancellationToken).ConfigureAwait(false))
                return;
        }
    }

    /// <summary>Takes the next id.</summary>
    private uint AddId(WriteBatch batch)
    {
        (uint id, ulong version) = database.Catalogue.NextId;
        if (id >= Table.FirstHostId)
        {
            throw new AiDbException(
                AiDbErrorKind.ResourceExhausted, $"The database has made {id - 1} tables and collections, the most it can.");
        }

        batch.Put(
            _system, Catalogue.NextIdKeyBytes, Catalogue.ValueOfId(id + 1),
            condition: version == 0 ? WriteCondition.MustBeAbsent : WriteCondition.VersionIs(version));
        return id;
    }

    /// <summary>Drops a collection's settings and keys; its aliases go, or to another collection.</summary>
    private void AddDrop(WriteBatch batch, uint id, uint? successor)
    {
        batch.Delete(_system, CollectionCatalogue.KeyOfSettings(id));
        batch.Put(_system, Catalogue.KeyOfDrop(id), default);
        foreach ((AliasDescription alias, ulong version) in Names.Aliases())
        {
            if (!Names.TryFindAlias(alias.Alias, out (uint Id, ulong Version) found) || found.Id != id)
                continue;
            byte[] key = CollectionCatalogue.KeyOfAlias(alias.Alias);
            if (successor is { } next)
                batch.Put(_system, key, Catalogue.ValueOfId(next), condition: WriteCondition.VersionIs(version));
            else
                batch.Delete(_system, key, WriteCondition.VersionIs(version));
        }
    }

    private void Plan(AliasChange change, Dictionary<string, uint?> planned)
    {
        CheckName(change.Alias, "alias_name");
        if (change.RenameFrom is { } old)
        {
            uint target = Current(old) ?? throw new AiDbException(AiDbErrorKind.NotFound, $"There is no alias '{old}'.");
            planned[old] = null;
            planned[change.Alias] = target;
        }
        else if (change.Collection is { } collection)
        {
            planned[change.Alias] = Find(collection).Id;
        }
        else
        {
            if (Current(change.Alias) is null)
                throw new AiDbException(AiDbErrorKind.NotFound, $"There is no alias '{change.Alias}'.");
            planned[change.Alias] = null;
        }

        if (planned[change.Alias] is not null && Names.TryFind(change.Alias, out _))
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"There is a collection of the name '{change.Alias}'.");

        uint? Current(string alias) => planned.TryGetValue(alias, out uint? target)
            ? target
            : Names.TryFindAlias(alias, out (uint Id, ulong Version) found) ? found.Id : null;
    }

    private void AddTo(WriteBatch batch, string alias, uint? target)
    {
        byte[] key = CollectionCatalogue.KeyOfAlias(alias);
        bool exists = Names.TryFindAlias(alias, out (uint Id, ulong Version) found);
        WriteCondition condition = exists ? WriteCondition.VersionIs(found.Version) : WriteCondition.MustBeAbsent;
        if (target is not { } id)
        {
            if (exists)
                batch.Delete(_system, key, condition);
            return;
        }

        batch.Put(_system, key, Catalogue.ValueOfId(id), condition: condition);
        batch.Require(_system, CollectionCatalogue.KeyOfSettings(id), WriteCondition.MustExist);
        batch.Require(_system, CollectionCatalogue.KeyOfCollection(alias), WriteCondition.MustBeAbsent);
    }

    /// <summary>Writes a collection's name again: whoever drops the collection at the same time, and has not seen the
    /// new alias, has to look again.</summary>
    private void AddTouch(WriteBatch batch, uint id)
    {
        if (Names.NameOf(id) is { } name && Names.TryFind(name, out (uint Id, ulong Version) found) && found.Id == id)
        {
            batch.Put(
                _system, CollectionCatalogue.KeyOfCollection(name), Catalogue.ValueOfId(id),
                condition: WriteCondition.VersionIs(found.Version));
        }
    }

    private async ValueTask<bool> TryWriteAsync(WriteBatch batch, CancellationToken cancellationToken)
    {
        WriteResult result = await database.TryWriteAsync(batch, WriteDurability.Synced, cancellationToken)
            .ConfigureAwait(false);
        return result.Applied;
    }

    private static void CheckName(string name, string field)
    {
        bool valid = name is { Length: > 0 and <= MaxNameLength } && name is not ("." or "..");
        foreach (char letter in name ?? "")
            valid &= !char.IsControl(letter) && letter is not ('/' or '\\' or '<' or '>' or ':' or '"' or '|' or '?' or '*');
        if (!valid)
        {
            throw PointErrors.Invalid(
                $"{field} must have 1 to {MaxNameLength} characters without control characters and without " +
                $"/ \\ < > : \" | ? *, not '{name}'.");
        }
    }
}
