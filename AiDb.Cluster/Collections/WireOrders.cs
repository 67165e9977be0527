using System.Globalization;
using AiDb.Engine.Collections;
using Google.Protobuf.WellKnownTypes;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Orders by a payload field on the wire; times are microseconds since 1970.</summary>
public static class WireOrders
{
    /// <summary>Reads an order.</summary>
    public static OrderBy FromWire(Wire.OrderBy order, string field = "order_by")
    {
        if (order.Key.Length == 0)
            throw WireErrors.Missing(field + ".key");
        if (order.HasDirection && order.Direction is not (Wire.Direction.Asc or Wire.Direction.Desc))
            throw WireErrors.Invalid($"{field}.direction is {(int)order.Direction}; 0 (asc) and 1 (desc) are known");
        return new OrderBy(
            order.Key, order.Direction == Wire.Direction.Desc, FromWire(order.StartFrom, field + ".start_from"));
    }

    /// <summary>Writes an order.</summary>
    public static Wire.OrderBy ToWire(OrderBy order)
    {
        var result = new Wire.OrderBy
        {
            Key = order.Path,
            Direction = order.Descending ? Wire.Direction.Desc : Wire.Direction.Asc,
        };
        if (order.StartFrom is { } start)
        {
            result.StartFrom = start.Integer is { } integer
                ? new Wire.StartFrom { Integer = integer }
                : new Wire.StartFrom { Float = start.Float };
        }

        return result;
    }

    /// <summary>Reads the value by which a point was ordered.</summary>
    public static OrderValue? FromWire(Wire.OrderValue? value) => value?.VariantCase switch
    {
        Wire.OrderValue.VariantOneofCase.Int => OrderValue.Of(value.Int),
        Wire.OrderValue.VariantOneofCase.Float => OrderValue.Of(value.Float),
        _ => null,
    };

    /// <summary>Writes the value by which a point was ordered.</summary>
    public static Wire.OrderValue? ToWire(OrderValue? value)
    {
        if (value is not { } known)
            return null;
        return known.Integer is { } integer
            ? new Wire.OrderValue { Int = integer }
            : new Wire.OrderValue { Float = known.Float };
    }

    private static OrderValue? FromWire(Wire.StartFrom? start, string field) => start?.ValueCase switch
    {
        Wire.StartFrom.ValueOneofCase.Float => OrderValue.Of(start.Float),
        Wire.StartFrom.ValueOneofCase.Integer => OrderValue.Of(start.Integer),
        Wire.StartFrom.ValueOneofCase.Timestamp => OrderValue.Of(Microseconds(start.Timestamp, field)),
        Wire.StartFrom.ValueOneofCase.Datetime => DateTimeOffset.TryParse(
            start.Datetime, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
                ? OrderValue.Of(Microseconds(time))
                : throw WireErrors.Invalid($"{field}.datetime is not an RFC 3339 time"),
        _ => null,
    };

    private static long Microseconds(Timestamp time, string field)
    {
        try
        {
            return Microseconds(time.ToDateTimeOffset());
        }
        catch (InvalidOperationException)
        {
            throw WireErrors.Invalid($"{field}.timestamp lies beyond the years 1 to 9999");
        }
    }

    private static long Microseconds(DateTimeOffset time) =>
        (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;
}
