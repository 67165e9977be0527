using System.Buffers.Binary;
using AiDb.Engine.Collections;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Merging;

namespace AiDb.Engine.Catalogues;

/// <summary>
/// The names, ids and drops of tables. They are keys of keyspace 0, written through the log like every other
/// key; this is the copy in memory, which the applier keeps up to date.
/// </summary>
/// <remarks>
/// Keys: <c>n</c> + name -> id (4 bytes, little-endian); <c>d</c> + id (4 bytes, big-endian) -> empty, the
/// table is dropped; <c>i</c> -> the next id (4 bytes, little-endian); <c>m</c> + id (4 bytes, big-endian) -> the
/// name of the table's merge operator (ASCII); <c>c</c>, <c>o</c>, <c>a</c>: see <see cref="CollectionCatalogue"/>. Thread safety: the applier changes it, anyone reads. Invariant: a
/// drop mark is never removed, so that an id is never used again; nor is an operator.
/// </remarks>
internal sealed class Catalogue
{
    /// <summary>The keyspace of the engine's own keys.</summary>
    public const uint SystemTableId = 0;

    private const byte NameKey = (byte)'n';
    private const byte DropKey = (byte)'d';
    private const byte NextIdKey = (byte)'i';
    private const byte MergeKey = (byte)'m';
    private const int MaxNameBytes = 255;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (uint Id, ulong Version)> _names = new(StringComparer.Ordinal);
    private volatile Dictionary<uint, ulong> _dropped = [];
    private (uint Id, ulong Version) _nextId = (1, 0);

    /// <summary>Begins without tables.</summary>
    public Catalogue(MergeOperators mergeOperators) => MergeOperators = mergeOperators;

    /// <summary>The merge operators of the tables.</summary>
    public MergeOperators MergeOperators { get; }

    /// <summary>The collections of points.</summary>
    public CollectionCatalogue Collections { get; } = new();

    /// <summary>The key of the next id.</summary>
    public static ReadOnlySpan<byte> NextIdKeyBytes => "i"u8;

    /// <summary>Dropped tables with the version of their drop.</summary>
    public IReadOnlyDictionary<uint, ulong> Dropped => _dropped;

    /// <summary>The next free id and the version of the key that says so; version 0: there is no such key
    /// yet.</summary>
    public (uint Id, ulong Version) NextId
    {
        get
        {
            lock (_gate)
                return _nextId;
        }
    }

    /// <summary>Whether a table is dropped.</summary>
    public bool IsDropped(uint id)
    {
        Dictionary<uint, ulong> dropped = _dropped;
        return dropped.Count > 0 && dropped.ContainsKey(id);
    }

    /// <summary>The id of a name and the version of the key that says so.</summary>
    public bool TryFind(string name, out (uint Id, ulong Version) found)
    {
        lock (_gate)
            return _names.TryGetValue(name, out found);
    }

    /// <summary>The names, sorted.</summary>
    public IReadOnlyList<string> Names()
    {
        lock (_gate)
            return [.. _names.Keys];
    }

    /// <summary>Takes in what was applied to a key of keyspace 0.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is none that the engine
    /// writes.</exception>
    public void Apply(ReadOnlySpan<byte> key, EntryKind kind, ReadOnlySpan<byte> value, ulong version)
    {
        if (key.IsEmpty)
            return;
        CheckEntry(key, kind, value);
        switch (key[0])
        {
            case NameKey:
                lock (_gate)
                {
                    string name = System.Text.Encoding.ASCII.GetString(key[1..]);
                    if (kind == EntryKind.Delete)
                        _names.Remove(name);
                    else
                        _names[name] = (BinaryPrimitives.ReadUInt32LittleEndian(value), version);
                }

                break;
            case DropKey:
                _dropped = new Dictionary<uint, ulong>(_dropped)
                {
                    [BinaryPrimitives.ReadUInt32BigEndian(key[1..])] = version,
                };
                break;
            case MergeKey:
                MergeOperators.Set(
                    BinaryPrimitives.ReadUInt32BigEndian(key[1..]), System.Text.Encoding.ASCII.GetString(value));
                break;
            case NextIdKey:
                lock (_gate)
                    _nextId = (BinaryPrimitives.ReadUInt32LittleEndian(value), version);
                break;
            case var other when CollectionCatalogue.IsKey(other):
                Collections.Apply(key, kind, value, version);
                break;
        }
    }

    /// <summary>Takes in what tables hold of keyspace 0.</summary>
    public void Load(InternalIterator entries)
    {
        Span<byte> start = stackalloc byte[InternalKey.OverheadBytes];
        InternalKey.Write(start, SystemTableId, default, ulong.MaxValue);
        byte[] last = [];
        for (entries.Seek(start); entries.Valid; entries.Next())
        {
            ReadOnlySpan<byte> key = entries.Key;
            if (InternalKey.TableId(key) != SystemTableId)
                return;
            if (InternalKey.Prefix(key).SequenceEqual(last))
                continue;
            last = InternalKey.Prefix(key).ToArray();
            EntryKind kind = InternalValue.Kind(entries.Value);
            Apply(InternalKey.UserKey(key), kind, InternalValue.UserValue(entries.Value), InternalKey.Version(key));
        }
    }

    /// <summary>The key of a name.</summary>
    public static byte[] KeyOfName(string name) => [NameKey, .. System.Text.Encoding.ASCII.GetBytes(name)];

    /// <summary>The key of a drop mark.</summary>
    public static byte[] KeyOfDrop(uint id) => KeyOfId(DropKey, id);

    /// <summary>The key of a table's merge operator.</summary>
    public static byte[] KeyOfMergeOperator(uint id) => KeyOfId(MergeKey, id);

    /// <summary>The name whose key a key of the system table is; null: it is another key.</summary>
    public static string? NameOf(ReadOnlySpan<byte> key) =>
        key.Length > 1 && key[0] == NameKey ? System.Text.Encoding.ASCII.GetString(key[1..]) : null;

    /// <summary>The id that a value stands for.</summary>
    public static uint IdOfValue(ReadOnlySpan<byte> value) => BinaryPrimitives.ReadUInt32LittleEndian(value);

    /// <summary>The table whose drop mark a key of the system table is; null: it is another key.</summary>
    public static uint? TableOfDrop(ReadOnlySpan<byte> key) =>
        key.Length == 5 && key[0] == DropKey ? BinaryPrimitives.ReadUInt32BigEndian(key[1..]) : null;

    /// <summary>The value that stands for an id.</summary>
    public static byte[] ValueOfId(uint id)
    {
        byte[] value = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(value, id);
        return value;
    }

    /// <summary>Refuses a name that no table can have.</summary>
    public static void CheckName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!IsName(name))
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"A table's name has 1 to {MaxNameBytes} letters, digits, '_', '-' or '.' (ASCII); '{name}' does not.");
        }
    }

    private static byte[] KeyOfId(byte kind, uint id)
    {
        byte[] key = new byte[5];
        key[0] = kind;
        BinaryPrimitives.WriteUInt32BigEndian(key.AsSpan(1), id);
        return key;
    }

    private static bool IsName(string name)
    {
        bool valid = name.Length is > 0 and <= MaxNameBytes;
        foreach (char letter in name)
            valid &= char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-' or '.';
        return valid;
    }

    private static void CheckEntry(ReadOnlySpan<byte> key, EntryKind kind, ReadOnlySpan<byte> value)
    {
        bool isWhole = kind == EntryKind.Delete || value.Length >= sizeof(uint);
        bool valid = key[0] switch
        {
            NameKey => isWhole && IsName(System.Text.Encoding.ASCII.GetString(key[1..])),
            DropKey => key.Length == 1 + sizeof(uint),
            MergeKey => key.Length == 1 + sizeof(uint) && kind != EntryKind.Delete,
            NextIdKey => isWhole && kind != EntryKind.Delete,
            var other when CollectionCatalogue.IsKey(other) => CollectionCatalogue.IsWellFormed(key, kind, value),
            _ => true,
        };
        if (!valid)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"The catalogue of tables has a malformed entry (key {Convert.ToHexString(key)}, {value.Length} bytes). It " +
                "passed its checksum, so the program that wrote it is at fault; restore from a backup and report it.");
        }
    }
}
