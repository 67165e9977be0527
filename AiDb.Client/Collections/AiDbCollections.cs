using AiDb.Client.Transport;
using AiDb.Contracts.QdrantApi;

namespace AiDb.Client;

/// <summary>Makes, shows and drops collections, and gives them aliases.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class AiDbCollections
{
    private readonly CallExecutor _calls;

    internal AiDbCollections(CallExecutor calls) => _calls = calls;

    /// <summary>The names, sorted.</summary>
    public async ValueTask<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken = default)
    {
        ListCollectionsResponse response = await _calls.CallAsync(
            CallKind.ReadPoints, "", new ListCollectionsRequest(), null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).ListAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return [.. response.Collections.Select(static item => item.Name)];
    }

    /// <summary>Makes a collection.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: there is a collection or an alias of
    /// that name.</exception>
    public async ValueTask CreateAsync(
        string name, CollectionSettings settings, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(settings);
        await _calls.CallAsync(
            CallKind.ChangeCatalogue, name, CollectionMapping.ToWire(name, settings), null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).CreateAsync(message, options),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Describes a collection.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public async ValueTask<CollectionDetails> GetAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        GetCollectionInfoResponse response = await _calls.CallAsync(
            CallKind.ReadPoints, name, new GetCollectionInfoRequest { CollectionName = name }, null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).GetAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return CollectionMapping.FromWire(name, response.Result);
    }

    /// <summary>Deletes a collection, its points and aliases; false where there is none.</summary>
    public async ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        CollectionOperationResponse response = await _calls.CallAsync(
            CallKind.ChangeCatalogue, name, new DeleteCollection { CollectionName = name }, null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).DeleteAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return response.Result;
    }

    /// <summary>The aliases and the collections that they name, sorted.</summary>
    public async ValueTask<IReadOnlyDictionary<string, string>> ListAliasesAsync(
        CancellationToken cancellationToken = default)
    {
        ListAliasesResponse response = await _calls.CallAsync(
            CallKind.ReadPoints, "", new ListAliasesRequest(), null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).ListAliasesAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        SortedDictionary<string, string> aliases = new(StringComparer.Ordinal);
        foreach (AliasDescription alias in response.Aliases)
            aliases.Add(alias.AliasName, alias.CollectionName);
        return aliases;
    }

    /// <summary>Makes an alias name a collection, whether it named another one before or not.</summary>
    public ValueTask SetAliasAsync(string alias, string collection, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            new AliasOperations { CreateAlias = new CreateAlias { AliasName = alias, CollectionName = collection } },
            cancellationToken);

    /// <summary>Takes an alias away; an absent one is no error.</summary>
    public ValueTask DeleteAliasAsync(string alias, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            new AliasOperations { DeleteAlias = new DeleteAlias { AliasName = alias } }, cancellationToken);

    private async ValueTask ChangeAsync(AliasOperations action, CancellationToken cancellationToken)
    {
        ChangeAliases request = new();
        request.Actions.Add(action);
        await _calls.CallAsync(
            CallKind.ChangeCatalogue, "", request, null,
            static (invoker, message, options) =>
                new Contracts.QdrantApi.Collections.CollectionsClient(invoker).UpdateAliasesAsync(message, options),
            cancellationToken).ConfigureAwait(false);
    }
}
