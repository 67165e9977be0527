namespace AiDb.Engine.Collections;

/// <summary>A point as it is written.</summary>
public sealed record Point
{
    /// <summary>The id.</summary>
    public required PointId Id { get; init; }

    /// <summary>The vectors, by name.</summary>
    public NamedVectors Vectors { get; init; } = [];

    /// <summary>The payload; null: none.</summary>
    public Payload? Payload { get; init; }

    /// <summary>How long it lives from this write; null: as the collection says.</summary>
    public TimeSpan? TimeToLive { get; init; }
}

/// <summary>A point as it is read.</summary>
public sealed record PointRecord
{
    /// <summary>The id.</summary>
    public required PointId Id { get; init; }

    /// <summary>The version of its last write.</summary>
    public ulong Version { get; init; }

    /// <summary>The payload, as far as it was asked for; null: not asked for.</summary>
    public Payload? Payload { get; init; }

    /// <summary>The vectors that were asked for; null: none were.</summary>
    public NamedVectors? Vectors { get; init; }

    /// <summary>The value by which it was ordered, where it was.</summary>
    public OrderValue? OrderValue { get; init; }
}

/// <summary>A point that a query found.</summary>
public sealed record ScoredPoint
{
    /// <summary>The id.</summary>
    public required PointId Id { get; init; }

    /// <summary>The version of its last write.</summary>
    public ulong Version { get; init; }

    /// <summary>Its score.</summary>
    public float Score { get; init; }

    /// <summary>The payload, as far as it was asked for; null: not asked for.</summary>
    public Payload? Payload { get; init; }

    /// <summary>The vectors that were asked for; null: none were.</summary>
    public NamedVectors? Vectors { get; init; }

    /// <summary>The value by which it was ordered, where it was.</summary>
    public OrderValue? OrderValue { get; init; }
}

/// <summary>The points of a change: those with these ids, or those that meet a filter.</summary>
/// <param name="Ids">The ids; null: the filter says.</param>
/// <param name="Filter">The filter; null: the ids say.</param>
public sealed record PointSelector(IReadOnlyList<PointId>? Ids, Filter? Filter)
{
    /// <summary>By ids.</summary>
    public static PointSelector Of(params PointId[] ids) => new(ids, null);

    /// <summary>By a filter.</summary>
    public static PointSelector Of(Filter filter) => new(null, filter);
}

/// <summary>A change of points.</summary>
public abstract record PointOperation
{
    private protected PointOperation()
    {
    }
}

/// <summary>What an upsert does with points that exist, or do not.</summary>
public enum UpsertMode
{
    /// <summary>Replaces or inserts.</summary>
    Upsert,

    /// <summary>Leaves points that exist as they are.</summary>
    InsertOnly,

    /// <summary>Leaves out points that do not exist.</summary>
    UpdateOnly,
}

/// <summary>Writes whole points; points with these ids are replaced.</summary>
/// <param name="Points">The points; of several with one id the last counts.</param>
/// <param name="UpdateFilter">Set: points that exist are replaced only where they meet it.</param>
/// <param name="Mode">What it does with points that exist, or do not.</param>
public sealed record UpsertOperation(
    IReadOnlyList<Point> Points, Filter? UpdateFilter = null, UpsertMode Mode = UpsertMode.Upsert) : PointOperation;

/// <summary>Deletes points; absent ones are no error.</summary>
/// <param name="Selector">Which.</param>
public sealed record DeleteOperation(PointSelector Selector) : PointOperation;

/// <summary>The vectors of a point that replace its present ones of these names.</summary>
/// <param name="Id">The point, which must exist.</param>
/// <param name="Vectors">The vectors.</param>
public sealed record PointVectors(PointId Id, NamedVectors Vectors);

/// <summary>Replaces vectors; others of the points stay.</summary>
/// <param name="Points">The points and vectors.</param>
/// <param name="UpdateFilter">Set: only where the point meets it.</param>
public sealed record UpdateVectorsOperation(IReadOnlyList<PointVectors> Points, Filter? UpdateFilter = null) : PointOperation;

/// <summary>Takes vectors away from points.</summary>
/// <param name="Selector">Which points.</param>
/// <param name="Names">Which vectors.</param>
public sealed record DeleteVectorsOperation(PointSelector Selector, IReadOnlyList<string> Names) : PointOperation;

/// <summary>Sets payload keys; others stay.</summary>
/// <param name="Selector">Which points.</param>
/// <param name="Payload">The keys and values.</param>
/// <param name="Path">Set: they are set in the object at this path.</param>
public sealed record SetPayloadOperation(PointSelector Selector, Payload Payload, string? Path = null) : PointOperation;

/// <summary>Replaces whole payloads.</summary>
/// <param name="Selector">Which points.</param>
/// <param name="Payload">The payload.</param>
public sealed record OverwritePayloadOperation(PointSelector Selector, Payload Payload) : PointOperation;

/// <summary>Deletes payload fields.</summary>
/// <param name="Selector">Which points.</param>
/// <param name="Paths">The fields.</param>
public sealed record DeletePayloadOperation(PointSelector Selector, IReadOnlyList<string> Paths) : PointOperation;

/// <summary>Empties payloads.</summary>
/// <param name="Selector">Which points.</param>
public sealed record ClearPayloadOperation(PointSelector Selector) : PointOperation;

/// <summary>What a change did.</summary>
/// <param name="Version">The version of what was written; of the collection's last write where nothing was to be
/// written.</param>
/// <param name="Lsn">The log entry.</param>
public readonly record struct PointWriteResult(ulong Version, ulong Lsn);
