namespace AiDb.Client;

/// <summary>How much a read must see. See the architecture page for what each costs.</summary>
public enum Consistency
{
    /// <summary>As <see cref="Session"/>.</summary>
    Default = 0,

    /// <summary>Any replica's state; <see cref="AiDbEntry.Age"/> says how stale it may be.</summary>
    Eventual = 1,

    /// <summary>At least what this client has read and written.</summary>
    Session = 2,

    /// <summary>Everything that was acknowledged to anyone before the read began.</summary>
    Linearizable = 3,
}

/// <summary>What has happened to a write when it is acknowledged.</summary>
public enum Durability
{
    /// <summary>As <see cref="Local"/>.</summary>
    Default = 0,

    /// <summary>Handed to the operating system; a loss of power may take it.</summary>
    Memory = 1,

    /// <summary>On the primary's disk.</summary>
    Local = 2,

    /// <summary>On the disks of a majority of the shard's group.</summary>
    Quorum = 3,

    /// <summary>Archived in object storage besides.</summary>
    Archived = 4,
}

/// <summary>What must hold of a key for a write to be applied.</summary>
/// <remarks>A default value asks for nothing.</remarks>
public readonly record struct Condition
{
    internal ConditionKind Kind { get; private init; }

    /// <summary>The version that is compared, for the conditions on versions.</summary>
    public ulong Version { get; private init; }

    /// <summary>Nothing is asked.</summary>
    public static Condition None => default;

    /// <summary>The key must be absent (or expired).</summary>
    public static Condition MustBeAbsent => new() { Kind = ConditionKind.Absent };

    /// <summary>The key must exist.</summary>
    public static Condition MustExist => new() { Kind = ConditionKind.Exists };

    /// <summary>The key must have exactly this version: nobody wrote it since it was read.</summary>
    public static Condition VersionIs(ulong version) =>
        new() { Kind = ConditionKind.VersionEquals, Version = version };

    /// <summary>The key must not have exactly this version (it may be absent).</summary>
    public static Condition VersionIsNot(ulong version) =>
        new() { Kind = ConditionKind.VersionDiffers, Version = version };
}

/// <summary>The kinds of <see cref="Condition"/>, numbered as on the wire.</summary>
internal enum ConditionKind
{
    None = 0,
    Absent = 1,
    Exists = 2,
    VersionEquals = 3,
    VersionDiffers = 4,
}

/// <summary>How to read.</summary>
public sealed record ReadOptions
{
    /// <summary>How much the read must see. Default: <see cref="Consistency.Session"/>.</summary>
    public Consistency Consistency { get; init; }

    /// <summary>A token from an answer to any client: the read sees at least what that answer saw or wrote.
    /// It is joined with the client's own session. Null: the client's own session alone.</summary>
    public string? Session { get; init; }

    /// <summary>Chooses the partition; empty: the table's rule. Must be as it was when the key was
    /// written.</summary>
    public ReadOnlyMemory<byte> Partition { get; init; }

    /// <summary>Sends a second, equal request when the first is not answered within this time, and takes the
    /// answer that comes first. Null: as <see cref="AiDbClientSettings.HedgeReadsAfter"/> says.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>How long the call may take, retries included. Null:
    /// <see cref="AiDbClientSettings.Timeout"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Reports every invalid option at once; calls do so before they send anything.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each option and
    /// its range.</exception>
    public void Validate() => OptionChecks.Report(nameof(ReadOptions), [
        OptionChecks.Defined(Consistency, nameof(Consistency)),
        OptionChecks.Duration(HedgeAfter, nameof(HedgeAfter)),
        OptionChecks.Duration(Timeout, nameof(Timeout)),
    ]);
}

/// <summary>How to write.</summary>
public sealed record WriteOptions
{
    /// <summary>How long the key lives. Null: the table's default.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>What must hold of the key. In a batch each operation has its own.</summary>
    public Condition Condition { get; init; }

    /// <summary>What to wait for. Default: <see cref="Durability.Local"/>.</summary>
    public Durability Durability { get; init; }

    /// <summary>Chooses the partition; empty: the table's rule.</summary>
    public ReadOnlyMemory<byte> Partition { get; init; }

    /// <summary>Repeating this write does no harm: it is sent again when its outcome is unknown. Leave it off
    /// where others write the same key, or the write is conditional: a repeated one may undo theirs, or fail
    /// for its own first attempt's success. Default: false.</summary>
    public bool Idempotent { get; init; }

    /// <summary>How long the call may take, retries included. Null:
    /// <see cref="AiDbClientSettings.Timeout"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Reports every invalid option at once; calls do so before they send anything.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each option and
    /// its range.</exception>
    public void Validate() => OptionChecks.Report(nameof(WriteOptions), [
        OptionChecks.Defined(Durability, nameof(Durability)),
        TimeToLive is { } span && span < TimeSpan.FromMilliseconds(1)
            ? $"{nameof(TimeToLive)} must be a millisecond or more"
            : null,
        OptionChecks.Duration(Timeout, nameof(Timeout)),
    ]);
}

/// <summary>Which keys a scan walks, and how. Bounds are compared byte by byte.</summary>
public sealed record ScanOptions
{
    /// <summary>Only keys that begin with it. Empty: all.</summary>
    public AiDbKey Prefix { get; init; }

    /// <summary>First key, inclusive. Empty: from the first.</summary>
    public AiDbKey Start { get; init; }

    /// <summary>Last key, exclusive. Empty: to the last.</summary>
    public AiDbKey End { get; init; }

    /// <summary>From the last key to the first.</summary>
    public bool Reverse { get; init; }

    /// <summary>Items in all. Null: no limit.</summary>
    public long? Limit { get; init; }

    /// <summary>Leaves the values out.</summary>
    public bool KeysOnly { get; init; }

    /// <summary>How much the scan must see. Default: <see cref="Consistency.Session"/>.</summary>
    public Consistency Consistency { get; init; }

    /// <summary>As <see cref="ReadOptions.Session"/>.</summary>
    public string? Session { get; init; }

    /// <summary>Reports every invalid option at once; a scan does so before it sends anything.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each option and
    /// its range.</exception>
    public void Validate() => OptionChecks.Report(nameof(ScanOptions), [
        OptionChecks.Defined(Consistency, nameof(Consistency)),
        Limit is <= 0 ? $"{nameof(Limit)} must be 1 or more, or null" : null,
    ]);
}

/// <summary>What the options of calls have in common.</summary>
internal static class OptionChecks
{
    public static string? Defined<T>(T value, string name) where T : struct, Enum =>
        Enum.IsDefined(value) ? null : $"{name} must be one of {string.Join(", ", Enum.GetNames<T>())}";

    public static string? Duration(TimeSpan? value, string name) =>
        value is { } span && (span <= TimeSpan.Zero || span > TimeSpan.FromDays(1))
            ? $"{name} must be more than zero, up to a day"
            : null;

    public static void Report(string options, ReadOnlySpan<string?> errors)
    {
        List<string>? found = null;
        foreach (string? error in errors)
        {
            if (error is not null)
                (found ??= []).Add(error);
        }

        if (found is not null)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"Invalid {options}: {string.Join("; ", found)}.");
    }
}
