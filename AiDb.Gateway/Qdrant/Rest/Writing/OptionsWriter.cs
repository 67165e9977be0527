using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest.Writing;

/// <summary>Writes settings of vectors and of payload indexes; what was not chosen is left out.</summary>
internal static class OptionsWriter
{
    /// <summary>Writes a dense vector's settings.</summary>
    public static void WriteVector(Utf8JsonWriter json, VectorOptions vector)
    {
        json.WriteStartObject();
        json.WriteNumber("size"u8, vector.Dimensions);
        json.WriteString("distance"u8, vector.Metric.ToString());
        if (vector.Hnsw is { } hnsw)
        {
            json.WritePropertyName("hnsw_config"u8);
            WriteHnsw(json, hnsw);
        }

        if (vector.Quantization is { } quantization)
        {
            json.WritePropertyName("quantization_config"u8);
            WriteQuantization(json, quantization);
        }

        WriteChosen(json, "on_disk"u8, vector.OnDisk);
        WriteElement(json, vector.Element);
        if (vector.MultiVector is not null)
        {
            json.WriteStartObject("multivector_config"u8);
            json.WriteString("comparator"u8, "max_sim"u8);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a sparse vector's settings.</summary>
    public static void WriteSparse(Utf8JsonWriter json, SparseVectorOptions vector)
    {
        json.WriteStartObject();
        if (vector.FullScanThreshold is not null || vector.OnDisk is not null || vector.Element != VectorElement.Float32)
        {
            json.WriteStartObject("index"u8);
            WriteChosen(json, "full_scan_threshold"u8, vector.FullScanThreshold);
            WriteChosen(json, "on_disk"u8, vector.OnDisk);
            WriteElement(json, vector.Element);
            json.WriteEndObject();
        }

        if (vector.Idf)
            json.WriteString("modifier"u8, "idf"u8);
        json.WriteEndObject();
    }

    /// <summary>Writes the settings of a graph.</summary>
    public static void WriteHnsw(Utf8JsonWriter json, HnswOptions hnsw)
    {
        json.WriteStartObject();
        WriteChosen(json, "m"u8, hnsw.M);
        WriteChosen(json, "ef_construct"u8, hnsw.EfConstruct);
        WriteChosen(json, "full_scan_threshold"u8, hnsw.FullScanThresholdKb);
        WriteChosen(json, "max_indexing_threads"u8, hnsw.MaxIndexingThreads);
        WriteChosen(json, "on_disk"u8, hnsw.OnDisk);
        WriteChosen(json, "payload_m"u8, hnsw.PayloadM);
        json.WriteEndObject();
    }

    /// <summary>Writes quantization; null where there is none.</summary>
    public static void WriteQuantization(Utf8JsonWriter json, QuantizationOptions? quantization)
    {
        if (quantization is null or { Kind: QuantizationKind.Disabled })
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteStartObject(quantization.Kind switch
        {
            QuantizationKind.ScalarInt8 => "scalar",
            QuantizationKind.Product => "product",
            QuantizationKind.Binary => "binary",
            _ => "turbo",
        });
        if (quantization.Kind == QuantizationKind.ScalarInt8)
            json.WriteString("type"u8, "int8"u8);
        if (quantization.Quantile is { } quantile)
            json.WriteNumber("quantile"u8, quantile);
        if (quantization.CompressionRatio is { } ratio)
            json.WriteString("compression"u8, FormattableString.Invariant($"x{ratio}"));
        if (quantization.Encoding is { } encoding)
            json.WriteString("encoding"u8, encoding);
        if (quantization.QueryEncoding is { } queryEncoding)
            json.WriteString("query_encoding"u8, queryEncoding);
        if (quantization.Kind == QuantizationKind.RotatedBinary)
            json.WriteString("bits"u8, "bits1"u8);
        WriteChosen(json, "always_ram"u8, quantization.AlwaysRam);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Writes an index over a payload field.</summary>
    public static void WriteIndex(Utf8JsonWriter json, PayloadIndexInfo index)
    {
        json.WriteStartObject();
        json.WriteString("data_type"u8, index.Options.Kind.ToString().ToLowerInvariant());
        json.WritePropertyName("params"u8);
        WriteIndexParameters(json, index.Options);
        json.WriteNumber("points"u8, index.Points);
        json.WriteEndObject();
    }

    /// <summary>Writes the kind of an index and its parameters.</summary>
    public static void WriteIndexParameters(Utf8JsonWriter json, PayloadIndexOptions options)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, options.Kind.ToString().ToLowerInvariant());
        if (options.Kind == PayloadIndexKind.Integer)
        {
            json.WriteBoolean("lookup"u8, options.Lookup);
            json.WriteBoolean("range"u8, options.Range);
        }

        WriteChosen(json, "is_tenant"u8, options.IsTenant);
        WriteChosen(json, "is_principal"u8, options.IsPrincipal);
        WriteChosen(json, "on_disk"u8, options.OnDisk);
        if (options.Text is { } text)
            WriteText(json, text);
        json.WriteEndObject();
    }

    /// <summary>Writes a number or null.</summary>
    public static void WriteNumber(Utf8JsonWriter json, ReadOnlySpan<byte> name, long? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    /// <summary>Writes a number, where it was chosen.</summary>
    public static void WriteChosen(Utf8JsonWriter json, ReadOnlySpan<byte> name, long? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
    }

    /// <summary>Writes a truth value, where it was chosen.</summary>
    public static void WriteChosen(Utf8JsonWriter json, ReadOnlySpan<byte> name, bool? value)
    {
        if (value is { } boolean)
            json.WriteBoolean(name, boolean);
    }

    private static void WriteElement(Utf8JsonWriter json, VectorElement element)
    {
        if (element != VectorElement.Float32)
            json.WriteString("datatype"u8, element == VectorElement.UInt8 ? "uint8"u8 : "float16"u8);
    }

    private static void WriteText(Utf8JsonWriter json, TextIndexOptions text)
    {
        json.WriteString("tokenizer"u8, text.Tokenizer.ToString().ToLowerInvariant());
        WriteChosen(json, "min_token_len"u8, text.MinTokenLength);
        WriteChosen(json, "max_token_len"u8, text.MaxTokenLength);
        json.WriteBoolean("lowercase"u8, text.Lowercase);
        if (text.AsciiFolding)
            json.WriteBoolean("ascii_folding"u8, value: true);
        if (text.PhraseMatching)
            json.WriteBoolean("phrase_matching"u8, value: true);
        if (text.StopwordLanguages.Count > 0 || text.Stopwords.Count > 0)
        {
            json.WriteStartObject("stopwords"u8);
            WriteStrings(json, "languages"u8, text.StopwordLanguages);
            WriteStrings(json, "custom"u8, text.Stopwords);
            json.WriteEndObject();
        }

        if (text.StemmerLanguage is not { } language)
            return;
        json.WriteStartObject("stemmer"u8);
        json.WriteString("type"u8, "snowball"u8);
        json.WriteString("language"u8, language);
        json.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter json, ReadOnlySpan<byte> name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
