namespace AiDb.Tests.Engine.Storage;

/// <summary>The names of a <see cref="SimulatedFileSystem"/>: durable ones, those that a running system sees,
/// and the changes
/// between, folder by folder.</summary>
internal sealed class SimulatedNames
{
    private readonly Dictionary<string, SimulatedInode> _current = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SimulatedInode> _durable = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _directories = new(StringComparer.Ordinal);

    /// <summary>Each change: names that come to mean another file, or none.</summary>
    private readonly List<(string Name, SimulatedInode? Inode)[]> _unsynced = [];

    public SimulatedInode? Find(string path) => _current.GetValueOrDefault(Normalize(path));

    public SimulatedInode Get(string path) => Find(path) ?? throw new FileNotFoundException($"No file '{path}'.", path);

    public SimulatedInode GetOrAdd(string path)
    {
        string name = Normalize(path);
        if (_current.TryGetValue(name, out SimulatedInode? inode))
            return inode;
        RequireDirectory(name);
        inode = new SimulatedInode();
        Apply((name, inode));
        return inode;
    }

    public string[] ListFiles(string directory)
    {
        string folder = Normalize(directory);
        return [.. _current.Keys.Where(name => ParentOf(name) == folder).Select(NameOf).Order(StringComparer.Ordinal)];
    }

    public string[] ListDirectories(string directory)
    {
        string folder = Normalize(directory);
        return [.. _directories.Where(name => name.Length > 0 && ParentOf(name) == folder).Select(NameOf)];
    }

    public void CreateDirectory(string path)
    {
        for (string name = Normalize(path); name.Length > 0; name = ParentOf(name))
            _directories.Add(name);
    }

    public void Rename(string from, string to)
    {
        SimulatedInode inode = Get(from);
        string target = Normalize(to);
        RequireDirectory(target);
        if (Normalize(from) != target)
            Apply((Normalize(from), null), (target, inode));
    }

    public void Link(string existing, string link)
    {
        string target = Normalize(link);
        RequireDirectory(target);
        if (_current.ContainsKey(target))
            throw new IOException($"'{link}' exists.");
        Apply((target, Get(existing)));
    }

    public void Delete(string path)
    {
        if (Find(path) is not null)
            Apply((Normalize(path), null));
    }

    public void DeleteDirectory(string path)
    {
        string folder = Normalize(path);
        foreach (string name in _current.Keys.Where(name => IsIn(name, folder)).ToArray())
        {
            _current.Remove(name);
            _durable.Remove(name);
        }

        _unsynced.RemoveAll(change => change.All(part => IsIn(part.Name, folder)));
        _directories.RemoveWhere(name => name == folder || IsIn(name, folder));
    }

    public void Sync(string path)
    {
        string folder = Normalize(path);
        for (int i = 0; i < _unsynced.Count;)
        {
            if (_unsynced[i].All(part => ParentOf(part.Name) != folder))
            {
                i++;
                continue;
            }

            Put(_durable, _unsynced[i]);
            _unsynced.RemoveAt(i);
        }
    }

    /// <summary>The names after a crash: each unsynced change kept or lost, in order. Hard links stay
    /// links.</summary>
    public SimulatedNames Survive(Random random)
    {
        var names = new Dictionary<string, SimulatedInode>(_durable, StringComparer.Ordinal);
        foreach ((string Name, SimulatedInode? Inode)[] change in _unsynced)
        {
            if (random.Next(2) == 0)
                Put(names, change);
        }

        var copies = new Copies(inode => inode.Survive(random));
        return CopyNames(names, names, copies);
    }

    /// <summary>The names as a running system sees them, all of them and their bytes durable.</summary>
    public SimulatedNames CopyDurable()
    {
        var copies = new Copies(static inode => inode.CopyDurable());
        return CopyNames(_current, _current, copies);
    }

    /// <summary>The same names and bytes, with what is not synced still not synced.</summary>
    public SimulatedNames Copy()
    {
        var copies = new Copies(static inode => inode.Copy());
        SimulatedNames result = CopyNames(_current, _durable, copies);
        foreach ((string Name, SimulatedInode? Inode)[] change in _unsynced)
            result._unsynced.Add([.. change.Select(part => (part.Name, copies.Of(part.Inode)))]);
        return result;
    }

    private SimulatedNames CopyNames(
        Dictionary<string, SimulatedInode> current, Dictionary<string, SimulatedInode> durable, Copies copies)
    {
        var result = new SimulatedNames();
        result._directories.UnionWith(_directories);
        foreach ((string name, SimulatedInode inode) in current.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            result._current[name] = copies.Of(inode)!;
        foreach ((string name, SimulatedInode inode) in durable.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            result._durable[name] = copies.Of(inode)!;
        return result;
    }

    private void Apply(params (string Name, SimulatedInode? Inode)[] change)
    {
        Put(_current, change);
        _unsynced.Add(change);
    }

    private static void Put(Dictionary<string, SimulatedInode> names, (string Name, SimulatedInode? Inode)[] change)
    {
        foreach ((string name, SimulatedInode? inode) in change)
        {
            if (inode is null)
                names.Remove(name);
            else
                names[name] = inode;
        }
    }

    private void RequireDirectory(string name)
    {
        string parent = ParentOf(name);
        if (parent.Length > 0 && !_directories.Contains(parent))
            throw new DirectoryNotFoundException($"No folder '{parent}'.");
    }

    private static string Normalize(string path) => path.Replace('\\', '/').Trim('/');

    private static string ParentOf(string name) => name.LastIndexOf('/') is var at && at > 0 ? name[..at] : "";

    private static string NameOf(string name) => name[(name.LastIndexOf('/') + 1)..];

    private static bool IsIn(string name, string folder) => name.StartsWith(folder + "/", StringComparison.Ordinal);

    /// <summary>Copies each file once, so that hard links stay links.</summary>
    private sealed class Copies(Func<SimulatedInode, SimulatedInode> copy)
    {
        private readonly Dictionary<SimulatedInode, SimulatedInode> _made = [];

        public SimulatedInode? Of(SimulatedInode? inode)
        {
            if (inode is null)
                return null;
            if (!_made.TryGetValue(inode, out SimulatedInode? made))
                _made.Add(inode, made = copy(inode));
            return made;
        }
    }
}
