using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Collections;

/// <summary>The collections and aliases that a database keeps itself, in memory; see docs/formats/points.md. The
/// applier keeps it up to date.</summary>
/// <remarks>Thread safety: the applier changes it, anyone reads. What it needs of a value is 4 bytes long, so that it is never
/// in a value file; settings are read by those who open a collection.</remarks>
internal sealed class CollectionCatalogue
{
    /// <summary>The first byte of a collection's key.</summary>
    public const byte CollectionKey = (byte)'c';

    /// <summary>The first byte of the key of a collection's settings.</summary>
    public const byte SettingsKey = (byte)'o';

    /// <summary>The first byte of an alias's key.</summary>
    public const byte AliasKey = (byte)'a';

    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (uint Id, ulong Version)> _collections = new(StringComparer.Ordinal);
    private readonly Dictionary<uint, string> _names = [];
    private readonly Dictionary<uint, ulong> _settings = [];
    private readonly SortedDictionary<string, (uint Id, ulong Version)> _aliases = new(StringComparer.Ordinal);

    /// <summary>The key of a collection.</summary>
    public static byte[] KeyOfCollection(string name) => [CollectionKey, .. System.Text.Encoding.UTF8.GetBytes(name)];

    /// <summary>The key of an alias.</summary>
    public static byte[] KeyOfAlias(string alias) => [AliasKey, .. System.Text.Encoding.UTF8.GetBytes(alias)];

    /// <summary>The key of a collection's settings.</summary>
    public static byte[] KeyOfSettings(uint id)
    {
        byte[] key = new byte[1 + sizeof(uint)];
        key[0] = SettingsKey;
        BinaryPrimitives.WriteUInt32BigEndian(key.AsSpan(1), id);
        return key;
    }

    /// <summary>Whether a key is one of these.</summary>
    public static bool IsKey(byte kind) => kind is CollectionKey or SettingsKey or AliasKey;

    /// <summary>Whether an entry can be one of these.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> key, EntryKind kind, ReadOnlySpan<byte> value) =>
        key[0] == SettingsKey ? key.Length == 1 + sizeof(uint) : kind == EntryKind.Delete || value.Length == sizeof(uint);

    /// <summary>Takes in what was applied to a key.</summary>
    public void Apply(ReadOnlySpan<byte> key, EntryKind kind, ReadOnlySpan<byte> value, ulong version)
    {
        lock (_gate)
        {
            if (key[0] == SettingsKey)
            {
                uint id = BinaryPrimitives.ReadUInt32BigEndian(key[1..]);
                if (kind == EntryKind.Delete)
                    _settings.Remove(id);
                else
                    _settings[id] = version;
                return;
            }

            string name = System.Text.Encoding.UTF8.GetString(key[1..]);
            SortedDictionary<string, (uint Id, ulong Version)> names = key[0] == AliasKey ? _aliases : _collections;
            if (key[0] == CollectionKey && names.TryGetValue(name, out (uint Id, ulong Version) old))
                _names.Remove(old.Id);
            if (kind == EntryKind.Delete)
            {
                names.Remove(name);
                return;
            }

            names[name] = (BinaryPrimitives.ReadUInt32LittleEndian(value), version);
            if (key[0] == CollectionKey)
                _names[names[name].Id] = name;
        }
    }

    /// <summary>Finds a collection by its name.</summary>
    public bool TryFind(string name, out (uint Id, ulong Version) found)
    {
        lock (_gate)
            return _collections.TryGetValue(name, out found);
    }

    /// <summary>Finds an alias: the id of its collection, and the version of its key.</summary>
    public bool TryFindAlias(string alias, out (uint Id, ulong Version) found)
    {
        lock (_gate)
            return _aliases.TryGetValue(alias, out found);
    }

    /// <summary>The name of a collection; null: there is none of that id.</summary>
    public string? NameOf(uint id)
    {
        lock (_gate)
            return _names.GetValueOrDefault(id);
    }

    /// <summary>Whether there are settings of a collection.</summary>
    public bool HasSettings(uint id)
    {
        lock (_gate)
            return _settings.ContainsKey(id);
    }

    /// <summary>Finds the collection that a name or alias stands for, with the version of its settings.</summary>
    public bool TryResolve(string nameOrAlias, out (string Name, uint Id, ulong SettingsVersion) found)
    {
        lock (_gate)
        {
            found = default;
            if (!_collections.TryGetValue(nameOrAlias, out (uint Id, ulong Version) entry)
                && !_aliases.TryGetValue(nameOrAlias, out entry))
            {
                return false;
            }

            if (!_names.TryGetValue(entry.Id, out string? name) || !_settings.TryGetValue(entry.Id, out ulong version))
                return false;
            found = (name, entry.Id, version);
            return true;
        }
    }

    /// <summary>Collections that have settings and no name: restores that are under way, or were when the process
    /// ended.</summary>
    public IReadOnlyList<uint> Unnamed()
    {
        lock (_gate)
            return [.. _settings.Keys.Where(id => !_names.ContainsKey(id))];
    }

    /// <summary>The names, sorted.</summary>
    public IReadOnlyList<string> Names()
    {
        lock (_gate)
            return [.. _collections.Keys];
    }

    /// <summary>The aliases, sorted, with the versions of their keys.</summary>
    public IReadOnlyList<(AliasDescription Alias, ulong Version)> Aliases()
    {
        lock (_gate)
        {
            return
            [
                .. _aliases.Where(pair => _names.ContainsKey(pair.Value.Id))
                    .Select(pair => (new AliasDescription(pair.Key, _names[pair.Value.Id]), pair.Value.Version)),
            ];
        }
    }
}
