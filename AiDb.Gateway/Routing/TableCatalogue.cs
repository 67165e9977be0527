using AiDb.Cluster.Model;

namespace AiDb.Gateway.Routing;

/// <summary>The tables by name. What this gateway made or dropped it sees at once, though the map follows the
/// store with a delay.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class TableCatalogue(Catalogue catalogue, ClusterMapWatcher map)
{
    /// <summary>All tables, by name.</summary>
    public IReadOnlyList<TableDescriptor> List() => map.Current.Tables;

    /// <summary>A table by name; null when there is none.</summary>
    public TableDescriptor? Find(string name) => catalogue.Find(name);

    /// <summary>A table by name, made with defaults where there is none.</summary>
    public ValueTask<TableDescriptor> GetOrCreateAsync(string name, CancellationToken cancellationToken) =>
        catalogue.Find(name) is { } known
            ? ValueTask.FromResult(known)
            : SeeAsync(catalogue.GetOrCreateAsync(name, cancellationToken), cancellationToken);

    /// <summary>Creates a table.</summary>
    /// <returns>The table, and whether this call made it.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: there is one with other
    /// settings, or one at all where <paramref name="ifNotExists"/> is false.</exception>
    public async ValueTask<(TableDescriptor Table, bool IsNew)> CreateAsync(
        string name, TableSettings settings, bool ifNotExists, CancellationToken cancellationToken)
    {
        try
        {
            return (await SeeAsync(catalogue.CreateAsync(name, settings, ifNotExists: false, cancellationToken),
                cancellationToken), true);
        }
        catch (AiDbException exception) when (ifNotExists && exception.Kind == AiDbErrorKind.AlreadyExists)
        {
            return (await catalogue.CreateAsync(name, settings, ifNotExists: true, cancellationToken), false);
        }
    }

    /// <summary>Drops a table; the shards then drop its keys.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public async ValueTask DropAsync(string name, CancellationToken cancellationToken)
    {
        TableDescriptor dropped = await catalogue.DropAsync(name, cancellationToken);
        await map.WaitForAsync(current => current.FindTable(dropped.Id) is null, cancellationToken);
    }

    /// <summary>Splits a range of a table; see <see cref="Catalogue.SplitAsync"/>.</summary>
    public async ValueTask<TableDescriptor> SplitAsync(
        string name, ReadOnlyMemory<byte> at, CancellationToken cancellationToken)
    {
        (TableDescriptor table, _) = await catalogue.SplitAsync(name, at, cancellationToken);
        await map.WaitForAsync(
            current => current.FindTable(table.Id) is not { Ranges: { } ranges }
                || ranges.SplitPoints.Any(point => point.Span.SequenceEqual(at.Span)),
            cancellationToken);
        return table;
    }

    private async ValueTask<TableDescriptor> SeeAsync(
        ValueTask<TableDescriptor> making, CancellationToken cancellationToken)
    {
        TableDescriptor table = await making;
        await map.WaitForAsync(
            current => current.FindTable(table.Id) is not null || current.DroppedTables.Contains(table.Id),
            cancellationToken);
        return table;
    }
}
