using AiDb.Contracts;
using AiDb.Engine.Collections;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Ids of points on the wire, and where they live.</summary>
public static class WireIds
{
    private const int MaxTextLength = 36;

    /// <summary>The slot of a point: that of the partition that its id as text (digits, or a UUID in lower case with
    /// hyphens) names.</summary>
    public static int SlotOf(PointId id)
    {
        Span<byte> text = stackalloc byte[MaxTextLength];
        int length;
        if (id.IsUuid)
            id.Uuid.TryFormat(text, out length);
        else
            id.Number.TryFormat(text, out length, provider: System.Globalization.CultureInfo.InvariantCulture);
        return SlotHash.Of(text[..length]);
    }

    /// <summary>Reads an id.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: missing, or not a
    /// UUID.</exception>
    public static PointId FromWire(Wire.PointId? id, string field)
    {
        switch (id?.PointIdOptionsCase)
        {
            case Wire.PointId.PointIdOptionsOneofCase.Num:
                return new PointId(id.Num);
            case Wire.PointId.PointIdOptionsOneofCase.Uuid:
                return PointId.TryParseUuid(id.Uuid, out PointId uuid)
                    ? uuid
                    : throw WireErrors.Invalid($"{field}: Unable to parse UUID: {Shorten(id.Uuid)}");
            default:
                throw WireErrors.Missing(field);
        }
    }

    /// <summary>Reads ids.</summary>
    public static PointId[] FromWire(RepeatedField<Wire.PointId> ids, string field)
    {
        var result = new PointId[ids.Count];
        for (int i = 0; i < result.Length; i++)
            result[i] = FromWire(ids[i], field);
        return result;
    }

    /// <summary>Writes an id.</summary>
    public static Wire.PointId ToWire(PointId id) =>
        id.IsUuid ? new Wire.PointId { Uuid = id.Uuid.ToString() } : new Wire.PointId { Num = id.Number };

    private static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
