using AiDb.Engine.Collections;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Operation = AiDb.Contracts.QdrantApi.PointsUpdateOperation;
using Types = AiDb.Contracts.QdrantApi.PointsUpdateOperation.Types;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Changes of points on the wire.</summary>
public static class WireOperations
{
    /// <summary>Milliseconds that a point may live: 100 years.</summary>
    public const ulong MaxTimeToLiveMs = 100UL * 366 * 24 * 3600 * 1000;

    /// <summary>Reads a change.</summary>
    /// <param name="operation">The message.</param>
    /// <param name="isTrusted">Whether another node validated it.</param>
    /// <param name="field">The name in errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: incomplete or not
    /// known.</exception>
    public static PointOperation FromWire(Operation operation, bool isTrusted, string field = "operation")
    {
        switch (operation.OperationCase)
        {
            case Operation.OperationOneofCase.Upsert:
                Types.PointStructList list = operation.Upsert;
                return Upsert(list.Points, list.UpdateFilter, list.UpdateMode, isTrusted);
            case Operation.OperationOneofCase.DeletePoints:
                return new DeleteOperation(FromWire(operation.DeletePoints.Points));
            case Operation.OperationOneofCase.DeleteDeprecated:
                return new DeleteOperation(FromWire(operation.DeleteDeprecated));
            case Operation.OperationOneofCase.SetPayload:
                Types.SetPayload set = operation.SetPayload;
                return SetPayload(set.Payload, set.PayloadJson, set.PointsSelector, set.HasKey ? set.Key : null, isTrusted);
            case Operation.OperationOneofCase.OverwritePayload:
                Types.OverwritePayload overwrite = operation.OverwritePayload;
                return OverwritePayload(
                    overwrite.Payload, overwrite.PayloadJson, overwrite.PointsSelector,
                    overwrite.HasKey ? overwrite.Key : null, isTrusted);
            case Operation.OperationOneofCase.DeletePayload:
                return new DeletePayloadOperation(
                    FromWire(operation.DeletePayload.PointsSelector), [.. operation.DeletePayload.Keys]);
            case Operation.OperationOneofCase.ClearPayload:
                return new ClearPayloadOperation(FromWire(operation.ClearPayload.Points));
            case Operation.OperationOneofCase.ClearPayloadDeprecated:
                return new ClearPayloadOperation(FromWire(operation.ClearPayloadDeprecated));
            case Operation.OperationOneofCase.UpdateVectors:
                return UpdateVectors(operation.UpdateVectors.Points, operation.UpdateVectors.UpdateFilter);
            case Operation.OperationOneofCase.DeleteVectors:
                return new DeleteVectorsOperation(
                    FromWire(operation.DeleteVectors.PointsSelector),
                    [.. operation.DeleteVectors.Vectors?.Names ?? throw WireErrors.Missing("vectors")]);
            default:
                throw WireErrors.Invalid($"{field} is empty or not known");
        }
    }

    /// <summary>Reads an upsert.</summary>
    public static UpsertOperation Upsert(
        RepeatedField<Wire.PointStruct> points, Wire.Filter? filter, Wire.UpdateMode mode, bool isTrusted)
    {
        if (!Enum.IsDefined((UpsertMode)mode))
            throw WireErrors.Invalid($"update_mode is {(int)mode}; 0 (upsert), 1 (insert only) and 2 (update only) are known");
        var result = new Point[points.Count];
        for (int i = 0; i < result.Length; i++)
            result[i] = FromWire(points[i], isTrusted, i);
        return new UpsertOperation(result, WireFilters.FromWire(filter), (UpsertMode)mode);
    }

    /// <summary>Reads a change of vectors.</summary>
    public static UpdateVectorsOperation UpdateVectors(RepeatedField<Wire.PointVectors> points, Wire.Filter? filter)
    {
        var result = new PointVectors[points.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = new PointVectors(
                WireIds.FromWire(points[i].Id, $"points[{i}].id"), WireVectors.FromWire(points[i].Vectors));
        }

        return new UpdateVectorsOperation(result, WireFilters.FromWire(filter));
    }

    /// <summary>Reads a change of payload keys.</summary>
    public static SetPayloadOperation SetPayload(
        MapField<string, Wire.Value> payload, ByteString json, Wire.PointsSelector? points, string? path, bool isTrusted) =>
        new(FromWire(points), WirePayloads.FromWire(payload, json, isTrusted) ?? Payload.Empty, path);

    /// <summary>Reads a replacement of payloads.</summary>
    public static OverwritePayloadOperation OverwritePayload(
        MapField<string, Wire.Value> payload, ByteString json, Wire.PointsSelector? points, string? path, bool isTrusted)
    {
        if (path is not null)
            throw WireErrors.Invalid("key cannot be given where whole payloads are overwritten");
        return new(FromWire(points), WirePayloads.FromWire(payload, json, isTrusted) ?? Payload.Empty);
    }

    /// <summary>Reads which points are changed.</summary>
    public static PointSelector FromWire(Wire.PointsSelector? selector) => selector?.PointsSelectorOneOfCase switch
    {
        Wire.PointsSelector.PointsSelectorOneOfOneofCase.Points =>
            new PointSelector(WireIds.FromWire(selector.Points.Ids, "points"), null),
        Wire.PointsSelector.PointsSelectorOneOfOneofCase.Filter =>
            new PointSelector(null, WireFilters.FromWire(selector.Filter)),
        _ => throw WireErrors.Missing("points_selector: ids or a filter"),
    };

    /// <summary>Writes a change.</summary>
    public static Operation ToWire(PointOperation operation)
    {
        switch (operation)
        {
            case UpsertOperation upsert:
                Types.PointStructList list = new()
                {
                    UpdateFilter = WireFilters.ToWire(upsert.UpdateFilter),
                    UpdateMode = (Wire.UpdateMode)upsert.Mode,
                };
                list.Points.AddRange(upsert.Points.Select(ToWire));
                return new Operation { Upsert = list };
            case DeleteOperation delete:
                return new Operation { DeletePoints = new Types.DeletePoints { Points = ToWire(delete.Selector) } };
            case SetPayloadOperation set:
                Types.SetPayload keys = new()
                {
                    PayloadJson = WirePayloads.ToJson(set.Payload),
                    PointsSelector = ToWire(set.Selector),
                };
                if (set.Path is not null)
                    keys.Key = set.Path;
                return new Operation { SetPayload = keys };
            case OverwritePayloadOperation overwrite:
                return new Operation
                {
                    OverwritePayload = new Types.OverwritePayload
                    {
                        PayloadJson = WirePayloads.ToJson(overwrite.Payload),
                        PointsSelector = ToWire(overwrite.Selector),
                    },
                };
            case DeletePayloadOperation remove:
                Types.DeletePayload paths = new() { PointsSelector = ToWire(remove.Selector) };
                paths.Keys.AddRange(remove.Paths);
                return new Operation { DeletePayload = paths };
            case ClearPayloadOperation clear:
                return new Operation { ClearPayload = new Types.ClearPayload { Points = ToWire(clear.Selector) } };
            case UpdateVectorsOperation update:
                Types.UpdateVectors vectors = new() { UpdateFilter = WireFilters.ToWire(update.UpdateFilter) };
                vectors.Points.AddRange(update.Points.Select(point => new Wire.PointVectors
                {
                    Id = WireIds.ToWire(point.Id),
                    Vectors = WireVectors.ToWire(point.Vectors),
                }));
                return new Operation { UpdateVectors = vectors };
            default:
                var without = (DeleteVectorsOperation)operation;
                Types.DeleteVectors names = new()
                {
                    PointsSelector = ToWire(without.Selector),
                    Vectors = new Wire.VectorsSelector(),
                };
                names.Vectors.Names.AddRange(without.Names);
                return new Operation { DeleteVectors = names };
        }
    }

    private static Point FromWire(Wire.PointStruct point, bool isTrusted, int index)
    {
        if (point.TtlMs > MaxTimeToLiveMs)
        {
            throw WireErrors.Invalid(
                $"points[{index}].ttl_ms is {point.TtlMs}; at most {MaxTimeToLiveMs} (100 years) is allowed");
        }

        return new Point
        {
            Id = WireIds.FromWire(point.Id, $"points[{index}].id"),
            Vectors = WireVectors.FromWire(point.Vectors),
            Payload = WirePayloads.FromWire(point.Payload, point.PayloadJson, isTrusted),
            TimeToLive = point.HasTtlMs ? TimeSpan.FromMilliseconds(point.TtlMs) : null,
        };
    }

    private static Wire.PointStruct ToWire(Point point)
    {
        var result = new Wire.PointStruct { Id = WireIds.ToWire(point.Id) };
        if (point.Vectors.Count > 0)
            result.Vectors = WireVectors.ToWire(point.Vectors);
        if (point.Payload is not null)
            result.PayloadJson = WirePayloads.ToJson(point.Payload);
        if (point.TimeToLive is { } time)
            result.TtlMs = (ulong)Math.Max(1, time.TotalMilliseconds);
        return result;
    }

    private static Wire.PointsSelector ToWire(PointSelector selector)
    {
        if (selector.Ids is null)
            return new Wire.PointsSelector { Filter = WireFilters.ToWire(selector.Filter) ?? new Wire.Filter() };
        var ids = new Wire.PointsIdsList();
        ids.Ids.AddRange(selector.Ids.Select(WireIds.ToWire));
        return new Wire.PointsSelector { Points = ids };
    }
}
