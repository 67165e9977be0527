using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads the settings of vectors: graph, quantization, elements.</summary>
internal static class VectorOptionsReader
{
    /// <summary>Reads a dense vector's settings.</summary>
    public static VectorOptions Read(JsonField field) => new()
    {
        Dimensions = field.Require("size").AsInteger(1, VectorOptions.MaxDimensions),
        Metric = field.Require("distance").AsChoice(
            ("Cosine", VectorMetric.Cosine), ("Euclid", VectorMetric.Euclid), ("Dot", VectorMetric.Dot),
            ("Manhattan", VectorMetric.Manhattan)),
        Element = ReadElement(field),
        Hnsw = ReadHnsw(field.Get("hnsw_config")),
        Quantization = ReadQuantization(field.Get("quantization_config")),
        MultiVector = field.Get("multivector_config") is { } multi
            ? multi.Require("comparator").AsChoice(("max_sim", MultiVectorComparator.MaxSim))
            : null,
        OnDisk = ReadOnDisk(field),
    };

    /// <summary>Reads a sparse vector's settings.</summary>
    public static SparseVectorOptions ReadSparse(JsonField field)
    {
        JsonField? index = field.Get("index");
        return new SparseVectorOptions
        {
            Idf = field.Get("modifier")?.AsChoice(("none", false), ("idf", true)) ?? false,
            FullScanThreshold = index?.Get("full_scan_threshold")?.AsInteger(0),
            OnDisk = index is null ? null : ReadOnDisk(index),
            Element = index is null ? VectorElement.Float32 : ReadElement(index),
        };
    }

    /// <summary>Reads the settings of a graph; null: there are none.</summary>
    public static HnswOptions? ReadHnsw(JsonField? field) => field is null ? null : new HnswOptions
    {
        M = field.Get("m")?.AsInteger(0),
        EfConstruct = field.Get("ef_construct")?.AsInteger(0),
        FullScanThresholdKb = field.Get("full_scan_threshold")?.AsLong(0),
        MaxIndexingThreads = field.Get("max_indexing_threads")?.AsInteger(0),
        OnDisk = ReadOnDisk(field),
        PayloadM = field.Get("payload_m")?.AsInteger(0),
    };

    /// <summary>Reads quantization; null: there is none.</summary>
    public static QuantizationOptions? ReadQuantization(JsonField? field)
    {
        if (field is null)
            return null;
        if (field.Get("scalar") is { } scalar)
        {
            _ = scalar.Require("type").AsChoice(("int8", true));
            return new QuantizationOptions
            {
                Kind = QuantizationKind.ScalarInt8,
                Quantile = scalar.Get("quantile")?.AsFloat(),
                AlwaysRam = ReadAlwaysRam(scalar),
            };
        }

        if (field.Get("product") is { } product)
        {
            return new QuantizationOptions
            {
                Kind = QuantizationKind.Product,
                CompressionRatio =
                    product.Require("compression").AsChoice(("x4", 4), ("x8", 8), ("x16", 16), ("x32", 32), ("x64", 64)),
                AlwaysRam = ReadAlwaysRam(product),
            };
        }

        if (field.Get("binary") is { } binary)
        {
            return new QuantizationOptions
            {
                Kind = QuantizationKind.Binary,
                Encoding = binary.Get("encoding")?.AsString(),
                QueryEncoding = binary.Get("query_encoding")?.AsString(),
                AlwaysRam = ReadAlwaysRam(binary),
            };
        }

        return field.Get("turbo") is { } turbo
            ? ReadTurbo(turbo)
            : throw field.Invalid("give one of scalar, product, binary, turbo");
    }

    /// <summary>Reads whether something is kept on disk: <c>on_disk</c>, or <c>memory</c>, which newer clients
    /// send.</summary>
    public static bool? ReadOnDisk(JsonField field) =>
        field.Get("on_disk")?.AsBoolean() ?? field.Get("memory")?.AsChoice(("cold", true), ("cached", false), ("pinned", false));

    // Codes of one bit of the rotated vector are what AiDb has; more bits would be another method.
    private static QuantizationOptions ReadTurbo(JsonField turbo)
    {
        if (turbo.Get("bits") is not { } bits || !bits.Value.ValueEquals("bits1"))
            throw turbo.NotOffered("turbo codes of other sizes than {\"bits\": \"bits1\"}");
        return new QuantizationOptions { Kind = QuantizationKind.RotatedBinary, AlwaysRam = ReadAlwaysRam(turbo) };
    }

    private static bool? ReadAlwaysRam(JsonField field) =>
        field.Get("always_ram")?.AsBoolean() ?? field.Get("memory")?.AsChoice(("cold", false), ("cached", false), ("pinned", true));

    private static VectorElement ReadElement(JsonField field) => field.Get("datatype")?.AsChoice(
        ("float32", VectorElement.Float32), ("float16", VectorElement.Float16), ("uint8", VectorElement.UInt8))
        ?? VectorElement.Float32;
}
