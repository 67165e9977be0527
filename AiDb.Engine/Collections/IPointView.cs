using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections;

/// <summary>The points of one collection by their offsets, as filters and queries see them.</summary>
/// <remarks>
/// Offsets are dense: a removed point's offset is given to another one, but not before every search that began earlier has
/// ended, so that an offset means one point throughout a search. Thread safety: all members may be called
/// concurrently, beside writers.
/// </remarks>
internal interface IPointView
{
    /// <summary>The offsets that have a point. It changes beneath a reader: clone it to hold it.</summary>
    OffsetBitmap Live { get; }

    /// <summary>Finds a point's offset; false: there is no such point.</summary>
    bool TryFindOffset(PointId id, out uint offset);

    /// <summary>The id of the point at a live offset.</summary>
    PointId IdAt(uint offset);

    /// <summary>Whether the point at an offset has a vector of a name, dense, sparse or multi; false for names that the
    /// collection does not know.</summary>
    bool HasVector(string name, uint offset);

    /// <summary>Reads the payload of the point at an offset from its key; empty where the point is
    /// gone.</summary>
    Payload ReadPayload(uint offset);
}
