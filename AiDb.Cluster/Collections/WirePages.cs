using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Pages and facets on the wire.</summary>
public static class WirePages
{
    /// <summary>Reads what a page is asked for.</summary>
    public static ScrollRequest FromWire(Wire.ScrollPoints scroll) => new()
    {
        Offset = scroll.Offset is null ? null : WireIds.FromWire(scroll.Offset, "offset"),
        Limit = scroll.HasLimit ? WireErrors.ToInt(scroll.Limit, "limit") : 10,
        Filter = WireFilters.FromWire(scroll.Filter),
        OrderBy = scroll.OrderBy is null ? null : WireOrders.FromWire(scroll.OrderBy),
        WithPayload = WireSelectors.FromWire(scroll.WithPayload, PayloadSelector.All),
        WithVectors = WireSelectors.FromWire(scroll.WithVectors),
    };

    /// <summary>Writes what a page is asked for.</summary>
    public static Wire.ScrollPoints ToWire(ScrollRequest request) => new()
    {
        Offset = request.Offset is { } offset ? WireIds.ToWire(offset) : null,
        Limit = (uint)Math.Max(0, request.Limit),
        Filter = WireFilters.ToWire(request.Filter),
        OrderBy = request.OrderBy is { } order ? WireOrders.ToWire(order) : null,
        WithPayload = WireSelectors.ToWire(request.WithPayload),
        WithVectors = WireSelectors.ToWire(request.WithVectors),
    };

    /// <summary>Reads a page of another node.</summary>
    public static ScrollPage FromWire(Wire.ScrollResponse page, bool withVectors) => new(
        [.. page.Result.Select(point => WirePoints.FromWire(point, withVectors))],
        page.NextPageOffset is null ? null : WireIds.FromWire(page.NextPageOffset, "next_page_offset"));

    /// <summary>Writes a page.</summary>
    public static Wire.ScrollResponse ToWire(ScrollPage page, PointForm form)
    {
        var result = new Wire.ScrollResponse();
        result.Result.AddRange(page.Points.Select(point => WirePoints.ToWire(point, form)));
        if (page.Next is { } next)
            result.NextPageOffset = WireIds.ToWire(next);
        return result;
    }

    /// <summary>Reads how many points have a value.</summary>
    public static FacetHit FromWire(Wire.FacetHit hit) => new(
        hit.Value?.VariantCase switch
        {
            Wire.FacetValue.VariantOneofCase.StringValue => MatchValue.Of(hit.Value.StringValue),
            Wire.FacetValue.VariantOneofCase.BoolValue => MatchValue.Of(hit.Value.BoolValue),
            _ => MatchValue.Of(hit.Value?.IntegerValue ?? 0),
        },
        (long)hit.Count);

    /// <summary>Writes how many points have a value.</summary>
    public static Wire.FacetHit ToWire(FacetHit hit)
    {
        Wire.FacetValue value = hit.Value switch
        {
            { Text: { } text } => new Wire.FacetValue { StringValue = text },
            { Boolean: { } boolean } => new Wire.FacetValue { BoolValue = boolean },
            _ => new Wire.FacetValue { IntegerValue = hit.Value.Integer },
        };
        return new Wire.FacetHit { Value = value, Count = (ulong)hit.Count };
    }
}
