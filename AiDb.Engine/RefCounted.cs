namespace AiDb.Engine;

/// <summary>Something that native memory or a file hangs on and that its last user gives back.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. It begins with one reference, its maker's.
/// <see cref="TryAddReference"/> is safe on an object that may be dying, so a reader can pick up a published
/// object without a lock: load, try, and load again when it failed. A count that reached zero is pushed far
/// below zero by exactly one thread, which then frees; a reader that came in between sees the negative count
/// and lets go.
/// </remarks>
internal abstract class RefCounted : LeaseOwner
{
    private const int Dead = int.MinValue / 2;

    private int _references = 1;

    /// <summary>Takes a reference unless the object is dead.</summary>
    public bool TryAddReference()
    {
        if (Interlocked.Increment(ref _references) > 0)
            return true;
        Interlocked.Decrement(ref _references);
        return false;
    }

    /// <summary>Takes a reference of an object that the caller knows to be alive.</summary>
    public void AddReference()
    {
        if (!TryAddReference())
            throw new ObjectDisposedException(GetType().Name);
    }

    /// <summary>Gives a reference back; the last one frees.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0
            && Interlocked.CompareExchange(ref _references, Dead, 0) == 0)
        {
            OnUnreferenced();
        }
    }

    /// <inheritdoc/>
    public sealed override void Release(nint hold) => Release();

    /// <summary>Frees; called once.</summary>
    protected abstract void OnUnreferenced();
}
