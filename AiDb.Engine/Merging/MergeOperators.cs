using System.Collections.Frozen;

namespace AiDb.Engine.Merging;

/// <summary>Which merge operator a table uses, and those that this process knows.</summary>
/// <remarks>Thread safety: the applier sets names, anyone asks. A name, once set, stays.</remarks>
internal sealed class MergeOperators
{
    private const int MaxNameBytes = 255;

    private readonly FrozenDictionary<string, IMergeOperator> _registered;
    private volatile Dictionary<uint, string> _names = [];

    /// <summary>Begins without tables.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: two operators have one name, or one
    /// has a name that none can have.</exception>
    public MergeOperators(IReadOnlyList<IMergeOperator> registered)
    {
        Dictionary<string, IMergeOperator> byName = new(StringComparer.Ordinal);
        foreach (IMergeOperator mergeOperator in registered)
        {
            CheckName(mergeOperator.Name);
            if (!byName.TryAdd(mergeOperator.Name, mergeOperator))
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    $"{nameof(DatabaseComponents)}.{nameof(DatabaseComponents.MergeOperators)} has two operators named " +
                    $"'{mergeOperator.Name}'; a name stands for one.");
            }
        }

        _registered = byName.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>Refuses a name that no operator can have.</summary>
    public static void CheckName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        bool valid = name.Length is > 0 and <= MaxNameBytes;
        foreach (char letter in name)
            valid &= letter is > ' ' and <= '~';
        if (!valid)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"A merge operator's name has 1 to {MaxNameBytes} printable ASCII characters without spaces; '{name}' does " +
                "not.");
        }
    }

    /// <summary>Notes the operator of a table.</summary>
    public void Set(uint tableId, string name) => _names = new Dictionary<uint, string>(_names) { [tableId] = name };

    /// <summary>The name of a table's operator; null when it has none.</summary>
    public string? NameOf(uint tableId) => _names.GetValueOrDefault(tableId);

    /// <summary>The operator of a table; null when it has none or one that is not registered.</summary>
    public IMergeOperator? Find(uint tableId)
    {
        Dictionary<uint, string> names = _names;
        return names.Count > 0 && names.TryGetValue(tableId, out string? name) ? _registered.GetValueOrDefault(name) : null;
    }

    /// <summary>Refuses to write operands to a table without an operator.</summary>
    public void RequireFor(uint tableId)
    {
        if (!_names.ContainsKey(tableId))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Table {tableId} has no merge operator. Name one with {nameof(Database)}.{nameof(Database.SetMergeOperator)} " +
                $"or when the table is made.");
        }
    }

    /// <summary>The operator of a table that holds operands.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: it is not
    /// registered.</exception>
    public IMergeOperator Get(uint tableId) => Find(tableId) ?? throw new AiDbException(
        AiDbErrorKind.PreconditionFailed,
        $"The key holds operands of the merge operator '{NameOf(tableId)}' of table {tableId}, which is not registered. Open " +
        $"the database with it in {nameof(DatabaseComponents)}.{nameof(DatabaseComponents.MergeOperators)}, or set or delete " +
        "the key.");
}
