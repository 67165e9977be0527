using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.Iteration;

/// <summary>Walks the tables of a sorted level one after the other, opening each when it is reached. Its
/// owner keeps the tables alive.</summary>
internal sealed class LevelIterator : IInternalIterator
{
    private readonly LiveTable[] _tables;
    private readonly bool _fillCache;
    private readonly int _readaheadBytes;
    private IInternalIterator? _current;
    private int _index = -1;

    public LevelIterator(LiveTable[] tables, bool fillCache, int readaheadBytes)
    {
        _tables = tables;
        _fillCache = fillCache;
        _readaheadBytes = readaheadBytes;
    }

    public bool Valid => _current is { Valid: true };

    public ReadOnlySpan<byte> Key => _current!.Key;

    public ReadOnlySpan<byte> Value => _current!.Value;

    public void SeekToFirst()
    {
        if (Enter(0))
            _current!.SeekToFirst();
        SkipForward();
    }

    public void SeekToLast()
    {
        if (Enter(_tables.Length - 1))
            _current!.SeekToLast();
        SkipBack();
    }

    public void Seek(ReadOnlySpan<byte> internalKey)
    {
        if (Enter(TreeVersion.FindTable(_tables, InternalKey.Prefix(internalKey))))
            _current!.Seek(internalKey);
        SkipForward();
    }

    public void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        int index = Math.Min(TreeVersion.FindTable(_tables, InternalKey.Prefix(internalKey)), _tables.Length - 1);
        if (Enter(index))
            _current!.SeekForPrevious(internalKey);
        SkipBack();
    }

    public void Next()
    {
        _current!.Next();
        SkipForward();
    }

    public void Previous()
    {
        _current!.Previous();
        SkipBack();
    }

    public void Dispose()
    {
        _current?.Dispose();
        _current = null;
    }

    private void SkipForward()
    {
        while (_current is { Valid: false })
        {
            if (Enter(_index + 1))
                _current!.SeekToFirst();
        }
    }

    private void SkipBack()
    {
        while (_current is { Valid: false })
        {
            if (Enter(_index - 1))
                _current!.SeekToLast();
        }
    }

    private bool Enter(int index)
    {
        if (index == _index && _current is not null)
            return true;
        _current?.Dispose();
        _current = null;
        _index = index;
        if ((uint)index >= (uint)_tables.Length)
            return false;
        _current = _tables[index].Reader.CreateIterator(_fillCache, _readaheadBytes);
        return true;
    }
}
