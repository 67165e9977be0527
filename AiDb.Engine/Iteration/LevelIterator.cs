using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Iteration;

/// <summary>Walks tables that follow one another by key (those of a sorted level, or a single one), opening
/// each when it is reached. Its owner keeps the tables alive.</summary>
internal sealed class LevelIterator : InternalIterator
{
    private readonly TableIterator _current;
    private LiveTable[] _tables = [];
    private int _first;
    private int _count;
    private int _index = -1;

    /// <summary>Makes one that has no tables yet.</summary>
    /// <param name="fillCache">Whether the blocks that it reads enter the cache.</param>
    /// <param name="readaheadBytes">Bytes to read at once; 0 reads block by block.</param>
    public LevelIterator(bool fillCache, int readaheadBytes) => _current = new TableIterator(fillCache, readaheadBytes);

    /// <summary>Walks the tables of a sorted level.</summary>
    public LevelIterator(LiveTable[] tables, bool fillCache, int readaheadBytes)
        : this(fillCache, readaheadBytes) => Open(tables, 0, tables.Length);

    /// <summary>Takes other tables, and stands nowhere.</summary>
    public void Open(LiveTable[] tables, int first, int count)
    {
        Close();
        _tables = tables;
        _first = first;
        _count = count;
    }

    /// <summary>Lets go of its tables.</summary>
    public void Close()
    {
        StandNowhere();
        _current.Close();
        _tables = [];
        _count = 0;
        _index = -1;
    }

    public override void SeekToFirst()
    {
        if (Enter(0))
            _current.SeekToFirst();
        SkipForward();
    }

    public override void SeekToLast()
    {
        if (Enter(_count - 1))
            _current.SeekToLast();
        SkipBack();
    }

    public override void Seek(ReadOnlySpan<byte> internalKey)
    {
        if (Enter(TreeVersion.FindTable(Tables, InternalKey.Prefix(internalKey))))
            _current.Seek(internalKey);
        SkipForward();
    }

    public override void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        int index = Math.Min(TreeVersion.FindTable(Tables, InternalKey.Prefix(internalKey)), _count - 1);
        if (Enter(index))
            _current.SeekForPrevious(internalKey);
        SkipBack();
    }

    public override void Next()
    {
        _current.Next();
        if (_current.Valid)
            StandAs(_current);
        else
            SkipForward();
    }

    public override void Previous()
    {
        _current.Previous();
        if (_current.Valid)
            StandAs(_current);
        else
            SkipBack();
    }

    public override void Dispose()
    {
        Close();
        _current.Dispose();
    }

    private ReadOnlySpan<LiveTable> Tables => _tables.AsSpan(_first, _count);

    private void SkipForward()
    {
        while (!_current.Valid && Enter(_index + 1))
            _current.SeekToFirst();
        StandAs(_current);
    }

    private void SkipBack()
    {
        while (!_current.Valid && Enter(_index - 1))
            _current.SeekToLast();
        StandAs(_current);
    }

    /// <summary>Goes to the table of that number; false when there is none, after which no table is
    /// open.</summary>
    private bool Enter(int index)
    {
        if (index == _index && _current.IsOpen)
            return true;
        StandNowhere();
        _current.Close();
        _index = Math.Clamp(index, -1, _count);
        if ((uint)index >= (uint)_count)
            return false;
        _tables[_first + index].Reader.Open(_current);
        return true;
    }
}
