using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Writes the settings of vectors, graphs and quantization.</summary>
internal static class VectorSettingsWriter
{
    public static Wire.VectorsConfig? ToWire(IReadOnlyDictionary<string, VectorOptions> vectors)
    {
        if (vectors.Count == 0)
            return null;
        if (vectors.Count == 1 && vectors.TryGetValue(NamedVectors.Unnamed, out VectorOptions? only))
            return new Wire.VectorsConfig { Params = ToWire(only) };
        Wire.VectorParamsMap map = new();
        foreach ((string name, VectorOptions vector) in vectors)
            map.Map[name] = ToWire(vector);
        return new Wire.VectorsConfig { ParamsMap = map };
    }

    public static Wire.SparseVectorConfig? ToWire(IReadOnlyDictionary<string, SparseVectorOptions> vectors)
    {
        if (vectors.Count == 0)
            return null;
        Wire.SparseVectorConfig config = new();
        foreach ((string name, SparseVectorOptions vector) in vectors)
        {
            Wire.SparseIndexConfig index = new();
            if (vector.FullScanThreshold is { } threshold)
                index.FullScanThreshold = (ulong)threshold;
            if (vector.OnDisk is { } onDisk)
                index.OnDisk = onDisk;
            if (vector.Element != VectorElement.Float32)
                index.Datatype = ToWire(vector.Element);
            Wire.SparseVectorParams parameters = new() { Index = index };
            if (vector.Idf)
                parameters.Modifier = Wire.Modifier.Idf;
            config.Map[name] = parameters;
        }

        return config;
    }

    public static Wire.HnswConfigDiff ToWire(HnswOptions hnsw)
    {
        Wire.HnswConfigDiff config = new();
        if (hnsw.M is { } m)
            config.M = (ulong)m;
        if (hnsw.EfConstruct is { } ef)
            config.EfConstruct = (ulong)ef;
        if (hnsw.FullScanThresholdKb is { } threshold)
            config.FullScanThreshold = (ulong)threshold;
        if (hnsw.MaxIndexingThreads is { } threads)
            config.MaxIndexingThreads = (ulong)threads;
        if (hnsw.OnDisk is { } onDisk)
            config.OnDisk = onDisk;
        if (hnsw.PayloadM is { } payloadM)
            config.PayloadM = (ulong)payloadM;
        return config;
    }

    public static Wire.QuantizationConfig? ToWire(QuantizationOptions? options)
    {
        switch (options?.Kind)
        {
            case QuantizationKind.ScalarInt8:
                Wire.ScalarQuantization scalar = new() { Type = Wire.QuantizationType.Int8 };
                if (options.Quantile is { } quantile)
                    scalar.Quantile = quantile;
                if (options.AlwaysRam is { } scalarRam)
                    scalar.AlwaysRam = scalarRam;
                return new Wire.QuantizationConfig { Scalar = scalar };
            case QuantizationKind.Product:
                Wire.ProductQuantization product = new() { Compression = RatioOf(options.CompressionRatio) };
                if (options.AlwaysRam is { } productRam)
                    product.AlwaysRam = productRam;
                return new Wire.QuantizationConfig { Product = product };
            case QuantizationKind.Binary:
                return new Wire.QuantizationConfig { Binary = ToBinary(options) };
            case QuantizationKind.RotatedBinary:
                Wire.TurboQuantization turbo = new() { Bits = Wire.TurboQuantBitSize.Bits1 };
                if (options.AlwaysRam is { } turboRam)
                    turbo.AlwaysRam = turboRam;
                return new Wire.QuantizationConfig { Turboquant = turbo };
            default:
                return null;
        }
    }

    private static Wire.VectorParams ToWire(VectorOptions vector)
    {
        Wire.VectorParams parameters = new()
        {
            Size = (ulong)vector.Dimensions,
            Distance = (Wire.Distance)vector.Metric,
            HnswConfig = vector.Hnsw is { } hnsw ? ToWire(hnsw) : null,
            QuantizationConfig = ToWire(vector.Quantization),
        };
        if (vector.Element != VectorElement.Float32)
            parameters.Datatype = ToWire(vector.Element);
        if (vector.OnDisk is { } onDisk)
            parameters.OnDisk = onDisk;
        if (vector.MultiVector is { } comparator)
        {
            parameters.MultivectorConfig =
                new Wire.MultiVectorConfig { Comparator = (Wire.MultiVectorComparator)comparator };
        }

        return parameters;
    }

    private static Wire.BinaryQuantization ToBinary(QuantizationOptions options)
    {
        Wire.BinaryQuantization binary = new();
        if (options.AlwaysRam is { } ram)
            binary.AlwaysRam = ram;
        if (options.Encoding is { } encoding)
        {
            binary.Encoding = encoding switch
            {
                "two_bits" => Wire.BinaryQuantizationEncoding.TwoBits,
                "one_and_half_bits" => Wire.BinaryQuantizationEncoding.OneAndHalfBits,
                _ => Wire.BinaryQuantizationEncoding.OneBit,
            };
        }

        if (options.QueryEncoding is { } query)
        {
            binary.QueryEncoding = new Wire.BinaryQuantizationQueryEncoding
            {
                Setting = query switch
                {
                    "binary" => Wire.BinaryQuantizationQueryEncoding.Types.Setting.Binary,
                    "scalar4bits" => Wire.BinaryQuantizationQueryEncoding.Types.Setting.Scalar4Bits,
                    "scalar8bits" => Wire.BinaryQuantizationQueryEncoding.Types.Setting.Scalar8Bits,
                    _ => Wire.BinaryQuantizationQueryEncoding.Types.Setting.Default,
                },
            };
        }

        return binary;
    }

    private static Wire.CompressionRatio RatioOf(int? ratio) => ratio switch
    {
        8 => Wire.CompressionRatio.X8,
        16 => Wire.CompressionRatio.X16,
        32 => Wire.CompressionRatio.X32,
        64 => Wire.CompressionRatio.X64,
        _ => Wire.CompressionRatio.X4,
    };

    private static Wire.Datatype ToWire(VectorElement element) => element switch
    {
        VectorElement.UInt8 => Wire.Datatype.Uint8,
        VectorElement.Float16 => Wire.Datatype.Float16,
        _ => Wire.Datatype.Float32,
    };
}
