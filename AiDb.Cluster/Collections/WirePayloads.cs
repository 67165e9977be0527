using System.Globalization;
using System.Text.Json;
using AiDb.Engine.Collections;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Payloads on the wire: maps of values that tell integers from floats, or JSON text.</summary>
public static class WirePayloads
{
    // Below this a float without a fraction is written with ".0", so that it is read as a float again.
    private const double LargestPlainFloat = 1e15;

    /// <summary>Reads a payload; null where the message has none.</summary>
    /// <param name="values">As values.</param>
    /// <param name="json">As JSON text; at most one of both is set.</param>
    /// <param name="isTrusted">Whether another node validated the text.</param>
    /// <param name="field">The name in errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: not valid or too
    /// big.</exception>
    public static Payload? FromWire(
        MapField<string, Wire.Value> values, ByteString json, bool isTrusted, string field = "payload")
    {
        if (json.Length > 0)
        {
            if (values.Count > 0)
                throw WireErrors.Invalid($"{field} is given twice: as values and as JSON text");
            return isTrusted ? Payload.FromTrusted(json.Memory) : Payload.Parse(json.Span);
        }

        return values.Count == 0 ? null : Payload.Create(writer => Write(writer, values, field));
    }

    /// <summary>Reads one value.</summary>
    public static JsonElement FromWire(Wire.Value value, string field)
    {
        Payload payload = Payload.Create(writer =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName("v"u8);
            Write(writer, value, field);
            writer.WriteEndObject();
        });
        return payload.Root.GetProperty("v"u8);
    }

    /// <summary>Adds a payload's keys to a map.</summary>
    public static void ToWire(Payload? payload, MapField<string, Wire.Value> values)
    {
        if (payload is null || payload.IsEmpty)
            return;
        foreach (JsonProperty property in payload.Root.EnumerateObject())
            values[property.Name] = ToWire(property.Value);
    }

    /// <summary>The JSON text of a payload, without a copy.</summary>
    public static ByteString ToJson(Payload payload) => UnsafeByteOperations.UnsafeWrap(payload.Utf8);

    private static Wire.Value ToWire(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                return new Wire.Value { StringValue = element.GetString() };
            case JsonValueKind.Number:
                return element.TryGetInt64(out long integer)
                    ? new Wire.Value { IntegerValue = integer }
                    : new Wire.Value { DoubleValue = element.GetDouble() };
            case JsonValueKind.True or JsonValueKind.False:
                return new Wire.Value { BoolValue = element.GetBoolean() };
            case JsonValueKind.Array:
                var list = new Wire.ListValue();
                foreach (JsonElement item in element.EnumerateArray())
                    list.Values.Add(ToWire(item));
                return new Wire.Value { ListValue = list };
            case JsonValueKind.Object:
                var nested = new Wire.Struct();
                foreach (JsonProperty property in element.EnumerateObject())
                    nested.Fields[property.Name] = ToWire(property.Value);
                return new Wire.Value { StructValue = nested };
            default:
                return new Wire.Value { NullValue = Wire.NullValue.NullValue };
        }
    }

    private static void Write(Utf8JsonWriter writer, MapField<string, Wire.Value> fields, string field)
    {
        writer.WriteStartObject();
        foreach ((string key, Wire.Value value) in fields)
        {
            writer.WritePropertyName(key);
            Write(writer, value, field);
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, Wire.Value value, string field)
    {
        switch (value.KindCase)
        {
            case Wire.Value.KindOneofCase.StringValue:
                writer.WriteStringValue(value.StringValue);
                break;
            case Wire.Value.KindOneofCase.IntegerValue:
                writer.WriteNumberValue(value.IntegerValue);
                break;
            case Wire.Value.KindOneofCase.DoubleValue:
                Write(writer, value.DoubleValue, field);
                break;
            case Wire.Value.KindOneofCase.BoolValue:
                writer.WriteBooleanValue(value.BoolValue);
                break;
            case Wire.Value.KindOneofCase.StructValue:
                Write(writer, value.StructValue.Fields, field);
                break;
            case Wire.Value.KindOneofCase.ListValue:
                writer.WriteStartArray();
                foreach (Wire.Value item in value.ListValue.Values)
                    Write(writer, item, field);
                writer.WriteEndArray();
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    private static void Write(Utf8JsonWriter writer, double number, string field)
    {
        if (!double.IsFinite(number))
            throw WireErrors.Invalid($"{field} has a number that is not finite, which JSON does not know");
        if (Math.Abs(number) < LargestPlainFloat && Math.Truncate(number) == number)
            writer.WriteRawValue(number.ToString("0.0", CultureInfo.InvariantCulture), skipInputValidation: true);
        else
            writer.WriteNumberValue(number);
    }
}
