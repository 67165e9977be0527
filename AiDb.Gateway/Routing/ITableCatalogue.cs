using AiDb.Cluster.Model;

namespace AiDb.Gateway.Routing;

/// <summary>The tables by name.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal interface ITableCatalogue
{
    /// <summary>All tables, by name.</summary>
    IReadOnlyList<TableDescriptor> List();

    /// <summary>Finds a table. One that this process does not know yet is looked up in the metadata store.</summary>
    ValueTask<TableDescriptor?> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>Finds a table or creates it with defaults.</summary>
    ValueTask<TableDescriptor> GetOrCreateAsync(string name, CancellationToken cancellationToken);

    /// <summary>Creates a table.</summary>
    /// <returns>The table, and whether this call made it.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: there is one with other settings, or
    /// one at all where <paramref name="ifNotExists"/> is false.</exception>
    ValueTask<(TableDescriptor Table, bool Created)> CreateAsync(
        string name, TableSettings settings, bool ifNotExists, CancellationToken cancellationToken);

    /// <summary>Drops a table and its keys.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    ValueTask DropAsync(string name, CancellationToken cancellationToken);
}
