using AiDb.Engine.Inspection;

namespace AiDb.Engine;

/// <summary>Why a database takes no writes, and what its background work last failed with.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class DatabaseHealth
{
    private readonly List<FileDamage> _damage = [];
    private AiDbException? _failure;
    private volatile AiDbException? _diskFull;
    private volatile AiDbException? _flush;
    private volatile AiDbException? _compaction;

    /// <summary>Why writes are refused; null when they are not. A failure stays until the database is opened
    /// anew, a full disk until there is space.</summary>
    public AiDbException? ReadOnlyReason => Volatile.Read(ref _failure) ?? _diskFull;

    /// <summary>The failure that only opening the database anew can end.</summary>
    public AiDbException? Failure => Volatile.Read(ref _failure);

    /// <summary>The disk has less free bytes than it should; null when it has enough.</summary>
    public AiDbException? DiskFull
    {
        get => _diskFull;
        set => _diskFull = value;
    }

    /// <summary>What the last flush failed with; null after one that worked.</summary>
    public AiDbException? FlushError
    {
        get => _flush;
        set => _flush = value;
    }

    /// <summary>What the last compaction failed with; null after one that worked.</summary>
    public AiDbException? CompactionError
    {
        get => _compaction;
        set => _compaction = value;
    }

    /// <summary>What background work fails with; null while it works.</summary>
    public AiDbException? BackgroundError => _flush ?? _compaction;

    /// <summary>Damaged places that scrubs found, each once.</summary>
    public IReadOnlyList<FileDamage> Damage
    {
        get
        {
            lock (_damage)
                return [.. _damage];
        }
    }

    /// <summary>Notes a damaged place; false when it was known.</summary>
    public bool NoteDamage(FileDamage damage)
    {
        lock (_damage)
        {
            if (_damage.Contains(damage))
                return false;
            _damage.Add(damage);
            return true;
        }
    }

    /// <summary>Turns the database read-only for good; the first reason stays. True when this call did
    /// it.</summary>
    public bool Fail(AiDbException reason) => Interlocked.CompareExchange(ref _failure, reason, null) is null;

    /// <summary>A new exception for each caller: one that is thrown twice would mix their stacks.</summary>
    public static AiDbException Repeat(AiDbException reason) =>
        new(reason.Kind, reason.Message, reason.InnerException) { RetryAfter = reason.RetryAfter };
}
