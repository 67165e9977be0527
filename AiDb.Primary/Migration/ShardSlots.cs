using AiDb.Cluster.Migration;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>The slots that a shard answers for: those of the map, without the frozen ones.</summary>
/// <remarks>
/// <para>A write holds the ownership that it was checked by until the engine has it, so that a freeze can wait for the
/// writes that began before it. A read looks at the ownership again when it is done: what it read then was current
/// before the freeze.</para>
/// <para>Thread safety: all members may be called concurrently.</para>
/// </remarks>
internal sealed class ShardSlots
{
    private static readonly TimeSpan DrainPause = TimeSpan.FromMilliseconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, SlotSet> _frozen = [];
    private readonly List<SlotOwnership> _retired = [];
    private SlotOwnership _byMap;
    private readonly Func<ulong> _epoch;
    private SlotOwnership _current;
    private TaskCompletionSource _newer = NewSignal();

    /// <param name="byMap">What it owns by the first map.</param>
    /// <param name="epoch">The epoch of the shard's data.</param>
    public ShardSlots(SlotOwnership byMap, Func<ulong> epoch)
    {
        _epoch = epoch;
        _byMap = byMap;
        _current = Answering();
    }

    /// <summary>What it answers for now.</summary>
    public SlotOwnership Current => Volatile.Read(ref _current);

    /// <summary>What it owns by the map.</summary>
    public SlotOwnership ByMap
    {
        get => Volatile.Read(ref _byMap);
        set
        {
            TaskCompletionSource newer;
            lock (_gate)
            {
                Volatile.Write(ref _byMap, value);
                Publish();
                newer = _newer;
                _newer = NewSignal();
            }

            newer.TrySetResult();
        }
    }

    /// <summary>Waits until it goes by a map that is at least so new; false: that takes longer.</summary>
    public async ValueTask<bool> WaitForMapAsync(
        ulong version, TimeSpan longest, TimeProvider time, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = new(longest, time);
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            while (true)
            {
                Task newer;
                lock (_gate)
                {
                    if (_byMap.MapVersion >= version)
                        return true;
                    newer = _newer.Task;
                }

                await newer.WaitAsync(ended.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Stops answering for slots.</summary>
    public void Freeze(ulong migration, SlotSet slots)
    {
        lock (_gate)
        {
            _frozen[migration] = slots;
            Publish();
        }
    }

    /// <summary>Ends a freeze.</summary>
    public void Unfreeze(ulong migration)
    {
        lock (_gate)
        {
            if (_frozen.Remove(migration))
                Publish();
        }
    }

    /// <summary>Begins a write; <see cref="ExitWrite"/> ends it.</summary>
    public SlotOwnership EnterWrite()
    {
        while (true)
        {
            SlotOwnership ownership = Current;
            Interlocked.Increment(ref ownership.Writers);
            if (ReferenceEquals(ownership, Current))
                return ownership;
            ExitWrite(ownership);
        }
    }

    /// <summary>Ends a write.</summary>
    public static void ExitWrite(SlotOwnership ownership) => Interlocked.Decrement(ref ownership.Writers);

    /// <summary>Waits until every write that began by an earlier ownership has ended.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: they did not within
    /// <paramref name="patience"/>.</exception>
    public async ValueTask DrainAsync(TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        while (HasOldWriters())
        {
            if (time.GetElapsedTime(began) > patience)
            {
                throw new AiDbException(
                    AiDbErrorKind.Unavailable, $"Writes that began before the freeze did not end within {patience.TotalSeconds:0} s.");
            }

            await Task.Delay(DrainPause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool HasOldWriters()
    {
        lock (_gate)
        {
            _retired.RemoveAll(ownership => Volatile.Read(ref ownership.Writers) == 0);
            return _retired.Count > 0;
        }
    }

    private void Publish()
    {
        _retired.RemoveAll(ownership => Volatile.Read(ref ownership.Writers) == 0);
        _retired.Add(_current);
        Volatile.Write(ref _current, Answering());
    }

    // By a map from before this primary's election, or from before a migration that froze slots here, an earlier primary may
    // have given away what the map does not show: ranges may have been split. Always a new object: writes are counted by it.
    private SlotOwnership Answering() =>
        _byMap.ShardEpoch < _epoch() || _frozen.Keys.Any(migration => migration > _byMap.LastMigration)
            ? _byMap.WithNone()
            : _byMap.Without(_frozen.Values);
}
