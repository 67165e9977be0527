using AiDb.Engine.Collections;
using Google.Protobuf;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>How points are written into an answer.</summary>
/// <param name="PayloadAsJson">Payloads as JSON text, not as values.</param>
/// <param name="FlatVectors">Vectors as flat numbers too, for older clients.</param>
public readonly record struct PointForm(bool PayloadAsJson, bool FlatVectors)
{
    /// <summary>Between nodes.</summary>
    public static PointForm Inner { get; } = new(PayloadAsJson: true, FlatVectors: false);

    /// <summary>To a client, as its request asks.</summary>
    public static PointForm ForClient(Wire.WithPayloadSelector? selector) =>
        selector?.AsJson == true ? Inner : new(PayloadAsJson: false, FlatVectors: true);
}

/// <summary>Points in answers on the wire.</summary>
public static class WirePoints
{
    /// <summary>Writes a point that a query found.</summary>
    public static Wire.ScoredPoint ToWire(ScoredPoint point, PointForm form)
    {
        var result = new Wire.ScoredPoint
        {
            Id = WireIds.ToWire(point.Id),
            Score = point.Score,
            Version = point.Version,
            OrderValue = WireOrders.ToWire(point.OrderValue),
        };
        if (point.Vectors is { Count: > 0 } vectors)
            result.Vectors = WireVectors.ToOutput(vectors, form.FlatVectors);
        if (!form.PayloadAsJson)
            WirePayloads.ToWire(point.Payload, result.Payload);
        else if (point.Payload is not null)
            result.PayloadJson = WirePayloads.ToJson(point.Payload);
        return result;
    }

    /// <summary>Writes a point that was read.</summary>
    public static Wire.RetrievedPoint ToWire(PointRecord point, PointForm form)
    {
        var result = new Wire.RetrievedPoint
        {
            Id = WireIds.ToWire(point.Id),
            Version = point.Version,
            OrderValue = WireOrders.ToWire(point.OrderValue),
        };
        if (point.Vectors is { Count: > 0 } vectors)
            result.Vectors = WireVectors.ToOutput(vectors, form.FlatVectors);
        if (!form.PayloadAsJson)
            WirePayloads.ToWire(point.Payload, result.Payload);
        else if (point.Payload is not null)
            result.PayloadJson = WirePayloads.ToJson(point.Payload);
        return result;
    }

    /// <summary>Reads a point of another node's answer.</summary>
    /// <param name="point">The message.</param>
    /// <param name="withVectors">Whether vectors were asked for.</param>
    public static ScoredPoint FromWire(Wire.ScoredPoint point, bool withVectors) => new()
    {
        Id = WireIds.FromWire(point.Id, "id"),
        Score = point.Score,
        Version = point.Version,
        OrderValue = WireOrders.FromWire(point.OrderValue),
        Vectors = withVectors ? WireVectors.FromWire(point.Vectors) ?? [] : null,
        Payload = point.HasPayloadJson ? FromTrusted(point.PayloadJson) : null,
    };

    /// <summary>Reads a point of another node's answer.</summary>
    /// <param name="point">The message.</param>
    /// <param name="withVectors">Whether vectors were asked for.</param>
    public static PointRecord FromWire(Wire.RetrievedPoint point, bool withVectors) => new()
    {
        Id = WireIds.FromWire(point.Id, "id"),
        Version = point.Version,
        OrderValue = WireOrders.FromWire(point.OrderValue),
        Vectors = withVectors ? WireVectors.FromWire(point.Vectors) ?? [] : null,
        Payload = point.HasPayloadJson ? FromTrusted(point.PayloadJson) : null,
    };

    private static Payload FromTrusted(ByteString json) => Payload.FromTrusted(json.Memory);
}
