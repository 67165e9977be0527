namespace AiDb.Engine.Collections.Offsets;

/// <summary>Tells when everyone has left who was there when something was put aside: what was put aside in a generation
/// may go once <see cref="Current"/> is two greater.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Entering and leaving never wait.
/// Invariant: <see cref="Current"/> becomes g + 1 only when nobody is left who entered in g - 1.</remarks>
internal sealed class Generations
{
    private long _current = 2;
    private int _even;
    private int _odd;

    /// <summary>The generation of those who enter now.</summary>
    public long Current => Volatile.Read(ref _current);

    /// <summary>Enters; what is returned is given to <see cref="Leave"/>.</summary>
    public long Enter()
    {
        while (true)
        {
            long generation = Current;
            ref int count = ref Count(generation);
            Interlocked.Increment(ref count);
            if (Current == generation)
                return generation;
            Interlocked.Decrement(ref count);
        }
    }

    /// <summary>Leaves.</summary>
    public void Leave(long generation) => Interlocked.Decrement(ref Count(generation));

    /// <summary>Goes to the next generation where nobody of the one before is left, and returns the present
    /// one.</summary>
    public long TryAdvance()
    {
        long generation = Current;
        if (Volatile.Read(ref Count(generation + 1)) == 0)
            Interlocked.CompareExchange(ref _current, generation + 1, generation);
        return Current;
    }

    private ref int Count(long generation) => ref (generation & 1) == 0 ? ref _even : ref _odd;
}
