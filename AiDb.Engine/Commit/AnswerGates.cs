using AiDb.Engine.Storage;

namespace AiDb.Engine.Commit;

/// <summary>Where synchronous writers sleep until their group is answered. All who sleep at one gate are woken
/// by one call, so that a group costs one wake-up call and not one for each of its writers.</summary>
/// <remarks>
/// A writer chooses a gate before it queues and notes it in its write; the leader opens the gates of the
/// group that it answered. There are a few gates, handed out by turns of the leader: those that queue for
/// the next group sleep at another gate, and mostly sleep on. Whoever wakes looks at its own write first:
/// waking for nothing is harmless.
/// Thread safety: all members may be called concurrently, but <see cref="NextTurn"/> by the leader only. Uses
/// futexes on 64-bit Linux, monitors elsewhere.
/// </remarks>
internal sealed unsafe class AnswerGates
{
    private const int Gates = 4;

    /// <summary>A cache line lies between two gates' words.</summary>
    private const int WordsApart = 16;

    private readonly object[] _monitors = [new(), new(), new(), new()];

    /// <summary>Pinned, so that the system can be told an address; a sleeper keeps it alive.</summary>
    private readonly int[] _words = GC.AllocateArray<int>(Gates * WordsApart, pinned: true);

    private readonly bool _useFutex;
    private int _turn;

    /// <summary>Makes gates.</summary>
    /// <param name="useFutex">False uses monitors also where there are futexes.</param>
    public AnswerGates(bool useFutex = true) => _useFutex = useFutex && Posix.FutexNumber != 0;

    /// <summary>The gate for a write that is about to be queued.</summary>
    public int Current => Volatile.Read(ref _turn) & (Gates - 1);

    /// <summary>Those that queue from here on sleep at the next gate. The leader's own.</summary>
    public void NextTurn() => Volatile.Write(ref _turn, _turn + 1);

    /// <summary>What <see cref="Sleep"/> needs; to be read before the write is found unanswered.</summary>
    public int Version(int gate) => Volatile.Read(ref _words[gate * WordsApart]);

    /// <summary>Sleeps unless the gate was opened since the version was read.</summary>
    public void Sleep(int gate, int version)
    {
        if (_useFutex)
        {
            // Returns at once when the word has another value; every other reason is a reason to look again.
            _ = Posix.Futex(Posix.FutexNumber, Word(gate), Posix.FutexWaitPrivate, version, 0, 0, 0);
            return;
        }

        object monitor = _monitors[gate];
        lock (monitor)
        {
            while (Version(gate) == version)
                Monitor.Wait(monitor);
        }
    }

    /// <summary>Wakes everyone at the gates of the mask.</summary>
    public void Open(int gateMask)
    {
        for (int gate = 0; gate < Gates; gate++)
        {
            if ((gateMask & (1 << gate)) == 0)
                continue;
            if (_useFutex)
            {
                Interlocked.Increment(ref _words[gate * WordsApart]);
                _ = Posix.Futex(Posix.FutexNumber, Word(gate), Posix.FutexWakePrivate, int.MaxValue, 0, 0, 0);
                continue;
            }

            lock (_monitors[gate])
            {
                Interlocked.Increment(ref _words[gate * WordsApart]);
                Monitor.PulseAll(_monitors[gate]);
            }
        }
    }

    private int* Word(int gate) =>
        (int*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _words[gate * WordsApart]);
}
