namespace AiDb.Tests.Engine.Storage;

/// <summary>The bytes of a file: the durable ones, those that a running system sees, and the changes
/// between.</summary>
internal sealed class SimulatedInode
{
    private readonly List<(long Offset, byte[]? Bytes, long Length)> _unsynced = [];
    private byte[] _durable = [];
    private byte[] _current = [];
    private int _length;

    /// <summary>Whether a failed sync dropped changes that a running system still sees: no later sync brings them
    /// to the disk.</summary>
    private bool _hasDropped;

    public long Length => _length;

    public byte[] ToArray() => _current[.._length];

    public int Read(long offset, Span<byte> target)
    {
        if (offset >= _length)
            return 0;
        ReadOnlySpan<byte> bytes = _current.AsSpan((int)offset, (int)Math.Min(target.Length, _length - offset));
        bytes.CopyTo(target);
        return bytes.Length;
    }

    public void Write(long offset, byte[] bytes)
    {
        Put(offset, bytes);
        _unsynced.Add((offset, bytes, 0));
    }

    public void SetLength(long length)
    {
        Resize(length);
        _unsynced.Add((0, null, length));
    }

    public void Sync()
    {
        if (_unsynced.Count == 0)
            return;
        _durable = _hasDropped ? Replay(_durable, _unsynced.Count) : ToArray();
        _unsynced.Clear();
    }

    /// <summary>What a system does with changes that it could not write: some reached the disk, the others stay
    /// visible and count as written, so that the next sync succeeds without them.</summary>
    public void FailSync(Random random)
    {
        if (_unsynced.Count == 0)
            return;
        _durable = Survive(random).ToArray();
        _unsynced.Clear();
        _hasDropped = true;
    }

    public void Overwrite(ReadOnlySpan<byte> bytes)
    {
        _durable = bytes.ToArray();
        _current = bytes.ToArray();
        _length = bytes.Length;
        _hasDropped = false;
        _unsynced.Clear();
    }

    /// <summary>The file after a crash. A disk keeps all, nothing, or the changes up to one; or any of them, whole or
    /// torn into sectors; or, as a cache that writes pages back in an order of its own, each sector as it was after
    /// some change.</summary>
    public SimulatedInode Survive(Random random)
    {
        var survivor = new SimulatedInode();
        if (_unsynced.Count == 0)
        {
            survivor.Overwrite(_durable);
            return survivor;
        }

        switch (random.Next(6))
        {
            case 0:
                survivor.Overwrite(_durable);
                break;
            case 1:
                survivor.Overwrite(Replay(_durable, _unsynced.Count));
                break;
            case 2:
                survivor.Overwrite(Replay(_durable, random.Next(_unsynced.Count + 1)));
                break;
            case 3:
                survivor.Overwrite(Replay(_durable, _unsynced.Count - 1));
                if (_unsynced[^1].Bytes is { } last)
                    survivor.PutTorn(_unsynced[^1].Offset, last, random);
                break;
            case 4:
                survivor.Overwrite(_durable);
                survivor.KeepSome(_unsynced, random);
                break;
            default:
                survivor.Overwrite(_durable);
                survivor.MixSectors(this, random);
                break;
        }

        survivor.Overwrite(survivor.ToArray());
        return survivor;
    }

    /// <summary>The file as a running system sees it, with what is not synced still not synced.</summary>
    public SimulatedInode Copy()
    {
        var copy = new SimulatedInode();
        copy.Overwrite(_current.AsSpan(0, _length));
        if (_unsynced.Count == 0 && !_hasDropped)
            return copy;
        copy._durable = (byte[])_durable.Clone();
        copy._unsynced.AddRange(_unsynced);
        copy._hasDropped = _hasDropped;
        return copy;
    }

    /// <summary>The file as a running system sees it, all of it durable.</summary>
    public SimulatedInode CopyDurable()
    {
        var copy = new SimulatedInode();
        copy.Overwrite(_current.AsSpan(0, _length));
        return copy;
    }

    private byte[] Replay(byte[] from, int changes)
    {
        var file = new SimulatedInode();
        file.Overwrite(from);
        foreach ((long offset, byte[]? bytes, long length) in _unsynced.Take(changes))
        {
            if (bytes is null)
                file.Resize(length);
            else
                file.Put(offset, bytes);
        }

        return file.ToArray();
    }

    private void KeepSome(List<(long Offset, byte[]? Bytes, long Length)> changes, Random random)
    {
        foreach ((long offset, byte[]? bytes, long length) in changes)
        {
            int fate = random.Next(3);
            if (fate == 0)
                continue;
            if (bytes is null)
                Resize(length);
            else if (fate == 1)
                Put(offset, bytes);
            else
                PutTorn(offset, bytes, random);
        }
    }

    private void MixSectors(SimulatedInode source, Random random)
    {
        byte[][] states = [.. Enumerable.Range(0, Math.Min(4, source._unsynced.Count + 1))
            .Select(_ => source.Replay(source._durable, random.Next(source._unsynced.Count + 1)))];
        Resize(states[random.Next(states.Length)].Length);
        for (int at = 0; at < _length; at += SimulatedFileSystem.SectorBytes)
        {
            byte[] state = states[random.Next(states.Length)];
            int end = Math.Min(_length, at + SimulatedFileSystem.SectorBytes);
            Span<byte> sector = _current.AsSpan(at, end - at);
            sector.Clear();
            if (at < state.Length)
                state.AsSpan(at, Math.Min(end, state.Length) - at).CopyTo(sector);
        }
    }

    private void PutTorn(long offset, byte[] bytes, Random random)
    {
        long end = offset + bytes.Length;
        for (long from = offset; from < end;)
        {
            long to = Math.Min(end, ((from / SimulatedFileSystem.SectorBytes) + 1) * SimulatedFileSystem.SectorBytes);
            if (random.Next(2) == 0)
                Put(from, bytes.AsSpan((int)(from - offset), (int)(to - from)));
            from = to;
        }
    }

    private void Put(long offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + bytes.Length > _length)
            Resize(offset + bytes.Length);
        bytes.CopyTo(_current.AsSpan((int)offset));
    }

    private void Resize(long length)
    {
        if (length > _current.Length)
            Array.Resize(ref _current, (int)Math.Max(length, Math.Min(_current.Length * 2L, Array.MaxLength)));
        if (length < _length)
            _current.AsSpan((int)length, _length - (int)length).Clear();
        _length = (int)length;
    }
}
