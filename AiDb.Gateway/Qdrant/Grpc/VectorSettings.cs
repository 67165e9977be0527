using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Settings of vectors, graphs and quantization on the wire.</summary>
internal static class VectorSettings
{
    public static Dictionary<string, VectorOptions> FromWire(Wire.VectorsConfig? config)
    {
        Dictionary<string, VectorOptions> vectors = new(StringComparer.Ordinal);
        switch (config?.ConfigCase)
        {
            case Wire.VectorsConfig.ConfigOneofCase.Params:
                vectors[NamedVectors.Unnamed] = FromWire(config.Params, "vectors_config.params");
                break;
            case Wire.VectorsConfig.ConfigOneofCase.ParamsMap:
                foreach ((string name, Wire.VectorParams vector) in config.ParamsMap.Map)
                    vectors[name] = FromWire(vector, $"vectors_config.{name}");
                break;
        }

        return vectors;
    }

    public static Dictionary<string, SparseVectorOptions> FromWire(Wire.SparseVectorConfig? config)
    {
        Dictionary<string, SparseVectorOptions> vectors = new(StringComparer.Ordinal);
        foreach ((string name, Wire.SparseVectorParams vector) in config?.Map ?? [])
        {
            Wire.SparseIndexConfig? index = vector.Index;
            vectors[name] = new SparseVectorOptions
            {
                Idf = vector.Modifier == Wire.Modifier.Idf,
                FullScanThreshold = index is { HasFullScanThreshold: true }
                    ? Limits.ToInt(index.FullScanThreshold, "full_scan_threshold")
                    : null,
                OnDisk = index is null ? null : OnDisk(index.HasOnDisk ? index.OnDisk : null, index.Memory),
                Element = index is { HasDatatype: true } ? ElementOf(index.Datatype) : VectorElement.Float32,
            };
        }

        return vectors;
    }

    public static Dictionary<string, VectorUpdate>? FromWire(Wire.VectorsConfigDiff? config) => config?.ConfigCase switch
    {
        Wire.VectorsConfigDiff.ConfigOneofCase.Params => new(StringComparer.Ordinal)
        {
            [NamedVectors.Unnamed] = FromWire(config.Params),
        },
        Wire.VectorsConfigDiff.ConfigOneofCase.ParamsMap => config.ParamsMap.Map.ToDictionary(
            static pair => pair.Key, static pair => FromWire(pair.Value), StringComparer.Ordinal),
        _ => null,
    };

    public static HnswOptions? FromWire(Wire.HnswConfigDiff? config) => config is null
        ? null
        : new HnswOptions
        {
            M = config.HasM ? Limits.ToInt(config.M, "hnsw_config.m") : null,
            EfConstruct = config.HasEfConstruct ? Limits.ToInt(config.EfConstruct, "hnsw_config.ef_construct") : null,
            FullScanThresholdKb = config.HasFullScanThreshold
                ? Limits.ToLong(config.FullScanThreshold, "hnsw_config.full_scan_threshold")
                : null,
            MaxIndexingThreads = config.HasMaxIndexingThreads
                ? Limits.ToInt(config.MaxIndexingThreads, "hnsw_config.max_indexing_threads")
                : null,
            OnDisk = OnDisk(config.HasOnDisk ? config.OnDisk : null, config.Memory),
            PayloadM = config.HasPayloadM ? Limits.ToInt(config.PayloadM, "hnsw_config.payload_m") : null,
        };

    public static QuantizationOptions? FromWire(Wire.QuantizationConfig? config) => config?.QuantizationCase switch
    {
        null or Wire.QuantizationConfig.QuantizationOneofCase.None => null,
        Wire.QuantizationConfig.QuantizationOneofCase.Scalar => FromWire(config.Scalar),
        Wire.QuantizationConfig.QuantizationOneofCase.Product => FromWire(config.Product),
        Wire.QuantizationConfig.QuantizationOneofCase.Binary => FromWire(config.Binary),
        _ => FromWire(config.Turboquant),
    };

    public static QuantizationOptions? FromWire(Wire.QuantizationConfigDiff? config) => config?.QuantizationCase switch
    {
        null or Wire.QuantizationConfigDiff.QuantizationOneofCase.None => null,
        Wire.QuantizationConfigDiff.QuantizationOneofCase.Disabled =>
            new QuantizationOptions { Kind = QuantizationKind.Disabled },
        Wire.QuantizationConfigDiff.QuantizationOneofCase.Scalar => FromWire(config.Scalar),
        Wire.QuantizationConfigDiff.QuantizationOneofCase.Product => FromWire(config.Product),
        Wire.QuantizationConfigDiff.QuantizationOneofCase.Binary => FromWire(config.Binary),
        _ => FromWire(config.Turboquant),
    };

    public static bool? OnDisk(bool? onDisk, Wire.Memory memory) => onDisk ?? memory switch
    {
        Wire.Memory.Cold => true,
        Wire.Memory.Cached or Wire.Memory.Pinned => false,
        _ => null,
    };

    private static VectorOptions FromWire(Wire.VectorParams vector, string field)
    {
        if (vector.Distance == Wire.Distance.UnknownDistance || !Enum.IsDefined(vector.Distance))
        {
            throw GrpcCalls.Invalid(
                $"{field}.distance is {(int)vector.Distance}; 1 (Cosine), 2 (Euclid), 3 (Dot) and 4 (Manhattan) are known");
        }

        return new VectorOptions
        {
            Dimensions = Limits.ToInt(vector.Size, field + ".size"),
            Metric = (VectorMetric)vector.Distance,
            Element = vector.HasDatatype ? ElementOf(vector.Datatype) : VectorElement.Float32,
            Hnsw = FromWire(vector.HnswConfig),
            Quantization = FromWire(vector.QuantizationConfig),
            MultiVector = vector.MultivectorConfig is { } multi ? (MultiVectorComparator)multi.Comparator : null,
            OnDisk = OnDisk(vector.HasOnDisk ? vector.OnDisk : null, vector.Memory),
        };
    }

    private static VectorUpdate FromWire(Wire.VectorParamsDiff vector) => new(
        FromWire(vector.HnswConfig), FromWire(vector.QuantizationConfig),
        OnDisk(vector.HasOnDisk ? vector.OnDisk : null, vector.Memory));

    private static VectorElement ElementOf(Wire.Datatype type) => type switch
    {
        Wire.Datatype.Default or Wire.Datatype.Float32 => VectorElement.Float32,
        Wire.Datatype.Uint8 => VectorElement.UInt8,
        Wire.Datatype.Float16 => VectorElement.Float16,
        _ => throw GrpcCalls.Invalid($"datatype is {(int)type}; 1 (float32), 2 (uint8) and 3 (float16) are offered"),
    };

    private static QuantizationOptions FromWire(Wire.ScalarQuantization scalar)
    {
        if (scalar.Type != Wire.QuantizationType.Int8)
            throw GrpcCalls.Invalid($"quantization_config.scalar.type is {(int)scalar.Type}; 1 (int8) is known");
        return new QuantizationOptions
        {
            Kind = QuantizationKind.ScalarInt8,
            Quantile = scalar.HasQuantile ? scalar.Quantile : null,
            AlwaysRam = AlwaysRam(scalar.HasAlwaysRam ? scalar.AlwaysRam : null, scalar.Memory),
        };
    }

    private static QuantizationOptions FromWire(Wire.ProductQuantization product) => new()
    {
        Kind = QuantizationKind.Product,
        CompressionRatio = product.Compression switch
        {
            Wire.CompressionRatio.X4 => 4,
            Wire.CompressionRatio.X8 => 8,
            Wire.CompressionRatio.X16 => 16,
            Wire.CompressionRatio.X32 => 32,
            Wire.CompressionRatio.X64 => 64,
            _ => (int)product.Compression,
        },
        AlwaysRam = AlwaysRam(product.HasAlwaysRam ? product.AlwaysRam : null, product.Memory),
    };

    private static QuantizationOptions FromWire(Wire.BinaryQuantization binary) => new()
    {
        Kind = QuantizationKind.Binary,
        Encoding = binary.HasEncoding
            ? binary.Encoding switch
            {
                Wire.BinaryQuantizationEncoding.OneBit => "one_bit",
                Wire.BinaryQuantizationEncoding.TwoBits => "two_bits",
                Wire.BinaryQuantizationEncoding.OneAndHalfBits => "one_and_half_bits",
                _ => "" + (int)binary.Encoding,
            }
            : null,
        QueryEncoding = binary.QueryEncoding is { HasSetting: true } query
            ? query.Setting switch
            {
                Wire.BinaryQuantizationQueryEncoding.Types.Setting.Default => "default",
                Wire.BinaryQuantizationQueryEncoding.Types.Setting.Binary => "binary",
                Wire.BinaryQuantizationQueryEncoding.Types.Setting.Scalar4Bits => "scalar4bits",
                Wire.BinaryQuantizationQueryEncoding.Types.Setting.Scalar8Bits => "scalar8bits",
                _ => "" + (int)query.Setting,
            }
            : null,
        AlwaysRam = AlwaysRam(binary.HasAlwaysRam ? binary.AlwaysRam : null, binary.Memory),
    };

    // Codes of one bit of the rotated vector are what AiDb has; more bits would be another method.
    private static QuantizationOptions FromWire(Wire.TurboQuantization turbo)
    {
        if (!turbo.HasBits || turbo.Bits != Wire.TurboQuantBitSize.Bits1)
            throw GrpcCalls.Invalid("quantization_config.turboquant is offered with bits = Bits1 only");
        return new QuantizationOptions
        {
            Kind = QuantizationKind.RotatedBinary,
            AlwaysRam = AlwaysRam(turbo.HasAlwaysRam ? turbo.AlwaysRam : null, turbo.Memory),
        };
    }

    private static bool? AlwaysRam(bool? alwaysRam, Wire.Memory memory) => alwaysRam ?? memory switch
    {
        Wire.Memory.Pinned => true,
        Wire.Memory.Cold or Wire.Memory.Cached => false,
        _ => null,
    };
}
