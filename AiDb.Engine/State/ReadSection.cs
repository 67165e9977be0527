using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.State;

/// <summary>A stretch of code that looks into a published object without taking a reference: what is
/// <see cref="Retire">retired</see> meanwhile gives its reference back only after the section ends.</summary>
/// <remarks>
/// Epoch-based reclamation (K. Fraser: Practical Lock-Freedom, 2004, section 5.2.3), with the fence on the
/// side of the reclaimer, so that a reader writes one word of its own and issues no interlocked operation. A
/// reader notes the epoch, then loads the object. The reclaimer unpublishes the object, makes every thread pass a
/// memory barrier, and begins a new epoch: a reader whose note is not seen after the barrier loads the object
/// anew. Readers that leave look for what waits, so nothing waits longer than the readers that were
/// under way.
/// Use: enter, load, read, exit in a finally block of the same thread; sections may nest. Keep what must
/// outlive the section by a reference. Thread safety: all members may be called concurrently.
/// </remarks>
internal readonly struct ReadSection
{
    private static readonly Lock Gate = new();
    private static readonly List<ThreadRecord> Records = [];
    private static readonly Stack<ThreadRecord> FreeRecords = new();
    private static readonly List<(ulong Epoch, RefCounted Retired)> Waiting = [];
    private static ulong _epoch = 1;
    private static int _waiting;

    [ThreadStatic]
    private static RecordOwner? _mine;

    private readonly ThreadRecord _record;
    private readonly ulong _outer;

    private ReadSection(ThreadRecord record, ulong outer)
    {
        _record = record;
        _outer = outer;
    }

    /// <summary>Begins a section.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadSection Enter()
    {
        ThreadRecord record = (_mine ?? Register()).Record;
        ulong outer = record.Epoch;
        if (outer == 0)
            Volatile.Write(ref record.Epoch, Volatile.Read(ref _epoch));
        return new ReadSection(record, outer);
    }

    /// <summary>Ends it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit()
    {
        Volatile.Write(ref _record.Epoch, _outer);
        if (Volatile.Read(ref _waiting) != 0)
            Reclaim();
    }

    /// <summary>Gives the caller's reference of an object back as soon as no section can hold it. Called after
    /// the last place that leads to the object leads elsewhere.</summary>
    public static void Retire(RefCounted retired)
    {
        // Before anyone may reclaim it, and not after: a reader that has loaded the object must be seen by whoever
        // looks for readers first, which may be any thread that leaves a section.
        Interlocked.MemoryBarrierProcessWide();
        lock (Gate)
        {
            Waiting.Add((_epoch, retired));
            Volatile.Write(ref _epoch, _epoch + 1);
            Volatile.Write(ref _waiting, Waiting.Count);
        }

        Reclaim();
        if (Volatile.Read(ref _waiting) == 0)
            return;

        // A reader that left just now may have looked for what waits before its leaving could be seen, and would leave
        // it to nobody: past this barrier it is seen here, or it sees what waits.
        Interlocked.MemoryBarrierProcessWide();
        Reclaim();
    }

    private static void Reclaim()
    {
        List<RefCounted>? unseen = null;
        lock (Gate)
        {
            ulong oldest = ulong.MaxValue;
            foreach (ThreadRecord record in Records)
            {
                ulong epoch = Volatile.Read(ref record.Epoch);
                if (epoch != 0)
                    oldest = Math.Min(oldest, epoch);
            }

            for (int index = Waiting.Count - 1; index >= 0; index--)
            {
                if (Waiting[index].Epoch >= oldest)
                    continue;
                (unseen ??= []).Add(Waiting[index].Retired);
                Waiting.RemoveAt(index);
            }

            Volatile.Write(ref _waiting, Waiting.Count);
        }

        if (unseen is null)
            return;
        foreach (RefCounted retired in unseen)
            ReleaseFor(retired);
    }

    /// <summary>Frees what may belong to another database than the one whose thread this is: what goes wrong with that,
    /// closing a file that was only read, is not this thread's affair and must not keep the others from being
    /// freed.</summary>
    private static void ReleaseFor(RefCounted retired)
    {
        try
        {
            retired.Release();
        }
        catch (Exception)
        {
            // Nothing is lost: what is freed here is listed nowhere any more, or stays on the disk as it is.
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static RecordOwner Register()
    {
        lock (Gate)
        {
            if (!FreeRecords.TryPop(out ThreadRecord? record))
            {
                record = new ThreadRecord();
                Records.Add(record);
            }

            return _mine = new RecordOwner(record);
        }
    }

    /// <summary>Where a thread notes its epoch; 0 outside sections. On cache lines of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private sealed class ThreadRecord
    {
        [FieldOffset(64)]
        public ulong Epoch;
    }

    /// <summary>Dies with its thread, and hands the record on to another.</summary>
    private sealed class RecordOwner(ThreadRecord record)
    {
        public ThreadRecord Record { get; } = record;

        ~RecordOwner()
        {
            lock (Gate)
                FreeRecords.Push(Record);
        }
    }
}
