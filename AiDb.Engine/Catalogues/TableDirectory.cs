using AiDb.Engine.Merging;

namespace AiDb.Engine.Catalogues;

/// <summary>Creates, finds and drops the tables of one database.</summary>
/// <remarks>Thread safety: all members may be called concurrently. What it changes goes through the log, with
/// conditions, so that the log's order decides between two creators; it is durable before anyone sees
/// it.</remarks>
internal sealed class TableDirectory
{
    private readonly Database _database;
    private readonly Catalogue _catalogue;
    private readonly Table _system;

    public TableDirectory(Database database, Catalogue catalogue)
    {
        _database = database;
        _catalogue = catalogue;
        _system = new Table(database, Catalogue.SystemTableId, null);
    }

    public Table? Find(string name)
    {
        Catalogue.CheckName(name);
        return _catalogue.TryFind(name, out (uint Id, ulong Version) found) ? new Table(_database, found.Id, name) : null;
    }

    public Table GetOrCreate(string name, string? mergeOperator = null)
    {
        if (mergeOperator is not null)
            MergeOperators.CheckName(mergeOperator);
        while (true)
        {
            if (Find(name) is { } table)
            {
                if (mergeOperator is not null)
                    SetMergeOperator(table, mergeOperator);
                return table;
            }

            (uint id, ulong version) = _catalogue.NextId;
            if (id >= Table.FirstHostId)
            {
                throw new AiDbException(
                    AiDbErrorKind.ResourceExhausted, $"The database has made {id - 1} tables, which is the most it can.");
            }

            var batch = new WriteBatch();
            batch.Put(
                _system, Catalogue.KeyOfName(name), Catalogue.ValueOfId(id), condition: WriteCondition.MustBeAbsent);
            batch.Put(
                _system, Catalogue.NextIdKeyBytes, Catalogue.ValueOfId(id + 1),
                condition: version == 0 ? WriteCondition.MustBeAbsent : WriteCondition.VersionIs(version));
            if (mergeOperator is not null)
                batch.Put(_system, Catalogue.KeyOfMergeOperator(id), System.Text.Encoding.ASCII.GetBytes(mergeOperator));
            _database.TryWrite(batch, WriteDurability.Synced);
        }
    }

    public void SetMergeOperator(Table table, string name)
    {
        MergeOperators.CheckName(name);
        if (_catalogue.MergeOperators.NameOf(table.Id) is null)
        {
            var batch = new WriteBatch();
            batch.Put(
                _system, Catalogue.KeyOfMergeOperator(table.Id), System.Text.Encoding.ASCII.GetBytes(name),
                condition: WriteCondition.MustBeAbsent);
            _database.TryWrite(batch, WriteDurability.Synced);
        }

        if (_catalogue.MergeOperators.NameOf(table.Id) is { } current && current != name)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Table {table.Id} has the merge operator '{current}', which cannot be changed to '{name}': its keys may hold " +
                "operands of it.");
        }
    }

    public bool Drop(string name)
    {
        while (_catalogue.TryFind(name, out (uint Id, ulong Version) found))
        {
            var batch = new WriteBatch();
            batch.Delete(_system, Catalogue.KeyOfName(name), WriteCondition.VersionIs(found.Version));
            batch.Put(_system, Catalogue.KeyOfDrop(found.Id), default);
            if (_database.TryWrite(batch, WriteDurability.Synced).Applied)
                return true;
        }

        Catalogue.CheckName(name);
        return false;
    }

    public Table GetById(uint id)
    {
        CheckHostId(id);
        return new Table(_database, id, null);
    }

    public void DropById(uint id)
    {
        CheckHostId(id);
        if (_catalogue.IsDropped(id))
            return;

        // One mark only: the version of a drop must stay what it was when the table went.
        var batch = new WriteBatch();
        batch.Put(_system, Catalogue.KeyOfDrop(id), default, condition: WriteCondition.MustBeAbsent);
        _database.TryWrite(batch, WriteDurability.Synced);
    }

    private static void CheckHostId(uint id)
    {
        if (id < Table.FirstHostId)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"Table id {id} belongs to the database's own catalogue; ids of hosts begin at {Table.FirstHostId}.");
        }
    }
}
