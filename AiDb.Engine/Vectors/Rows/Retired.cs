namespace AiDb.Engine.Vectors.Rows;

/// <summary>Numbers that are free to be used again once every search that could know them has ended.</summary>
/// <remarks>Thread safety: the owner's lock.</remarks>
internal sealed class Retired(SearchContexts contexts)
{
    private readonly Queue<(uint Number, long Epoch)> _waiting = new();
    private readonly Stack<uint> _free = new();

    /// <summary>Numbers that wait or are free.</summary>
    public int Count => _waiting.Count + _free.Count;

    /// <summary>Takes a number to which nothing leads any more.</summary>
    public void Add(uint number) => _waiting.Enqueue((number, contexts.Retire()));

    /// <summary>Gives out a number that nobody can know.</summary>
    public bool TryTake(out uint number)
    {
        if (_free.TryPop(out number))
            return true;
        if (_waiting.Count == 0)
            return false;
        long safe = contexts.OldestActive();
        while (_waiting.TryPeek(out (uint Number, long Epoch) first) && first.Epoch <= safe)
            _free.Push(_waiting.Dequeue().Number);
        return _free.TryPop(out number);
    }

    /// <summary>Forgets all numbers, if nobody can know one of them any more.</summary>
    public bool TryForget()
    {
        long safe = contexts.OldestActive();
        if (_waiting.Count > 0 && _waiting.Max(static entry => entry.Epoch) > safe)
            return false;
        _waiting.Clear();
        _free.Clear();
        _waiting.TrimExcess();
        _free.TrimExcess();
        return true;
    }
}
