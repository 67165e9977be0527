using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>What comes with a result, and how a search is done, on the wire.</summary>
public static class WireSelectors
{
    /// <summary>Reads which payload fields come.</summary>
    /// <param name="selector">The message.</param>
    /// <param name="otherwise">What an absent message means.</param>
    public static PayloadSelector FromWire(Wire.WithPayloadSelector? selector, PayloadSelector otherwise) =>
        selector?.SelectorOptionsCase switch
        {
            Wire.WithPayloadSelector.SelectorOptionsOneofCase.Enable =>
                selector.Enable ? PayloadSelector.All : PayloadSelector.None,
            Wire.WithPayloadSelector.SelectorOptionsOneofCase.Include =>
                PayloadSelector.All with { Include = [.. selector.Include.Fields] },
            Wire.WithPayloadSelector.SelectorOptionsOneofCase.Exclude =>
                PayloadSelector.All with { Exclude = [.. selector.Exclude.Fields] },
            _ => otherwise,
        };

    /// <summary>Reads which vectors come.</summary>
    public static VectorSelector FromWire(Wire.WithVectorsSelector? selector) => selector?.SelectorOptionsCase switch
    {
        Wire.WithVectorsSelector.SelectorOptionsOneofCase.Enable =>
            selector.Enable ? VectorSelector.All : VectorSelector.None,
        Wire.WithVectorsSelector.SelectorOptionsOneofCase.Include =>
            VectorSelector.All with { Names = [.. selector.Include.Names] },
        _ => VectorSelector.None,
    };

    /// <summary>Writes which payload fields come, as JSON text.</summary>
    public static Wire.WithPayloadSelector ToWire(PayloadSelector selector)
    {
        var result = new Wire.WithPayloadSelector { AsJson = true };
        if (selector is { Enabled: true, Include: { } include })
        {
            result.Include = new Wire.PayloadIncludeSelector();
            result.Include.Fields.AddRange(include);
        }
        else if (selector is { Enabled: true, Exclude: { } exclude })
        {
            result.Exclude = new Wire.PayloadExcludeSelector();
            result.Exclude.Fields.AddRange(exclude);
        }
        else
        {
            result.Enable = selector.Enabled;
        }

        return result;
    }

    /// <summary>Writes which vectors come.</summary>
    public static Wire.WithVectorsSelector ToWire(VectorSelector selector)
    {
        if (selector is not { Enabled: true, Names: { } names })
            return new Wire.WithVectorsSelector { Enable = selector.Enabled };
        var include = new Wire.VectorsSelector();
        include.Names.AddRange(names);
        return new Wire.WithVectorsSelector { Include = include };
    }

    /// <summary>Reads how a search is done.</summary>
    public static SearchParameters FromWire(Wire.SearchParams? parameters)
    {
        if (parameters is null)
            return SearchParameters.Default;
        if (parameters.Idf is not null)
            throw WireErrors.Invalid("params.idf is not supported: document frequencies are those of the collection");
        Wire.QuantizationSearchParams? quantization = parameters.Quantization;
        return new SearchParameters
        {
            HnswEf = parameters.HasHnswEf ? WireErrors.ToInt(parameters.HnswEf, "params.hnsw_ef") : null,
            Exact = parameters.Exact,
            IndexedOnly = parameters.IndexedOnly,
            IgnoreQuantization = quantization?.Ignore ?? false,
            Rescore = quantization is { HasRescore: true } ? quantization.Rescore : null,
            Oversampling = quantization is { HasOversampling: true } ? (float)quantization.Oversampling : null,
        };
    }

    /// <summary>Writes how a search is done.</summary>
    public static Wire.SearchParams? ToWire(SearchParameters parameters)
    {
        if (parameters == SearchParameters.Default)
            return null;
        var result = new Wire.SearchParams { Exact = parameters.Exact, IndexedOnly = parameters.IndexedOnly };
        if (parameters.HnswEf is { } ef)
            result.HnswEf = (ulong)ef;
        if (!parameters.IgnoreQuantization && parameters.Rescore is null && parameters.Oversampling is null)
            return result;
        result.Quantization = new Wire.QuantizationSearchParams { Ignore = parameters.IgnoreQuantization };
        if (parameters.Rescore is { } rescore)
            result.Quantization.Rescore = rescore;
        if (parameters.Oversampling is { } oversampling)
            result.Quantization.Oversampling = oversampling;
        return result;
    }
}
