using System.Text;
using AiDb.Contracts.QdrantApi;
using Google.Protobuf;

namespace AiDb.Client;

/// <summary>Between the client's records of points and the wire.</summary>
internal static class CollectionMapping
{
    public static PointId ToWire(AiDbPointId id) =>
        id.Uuid is { } uuid ? new PointId { Uuid = uuid.ToString() } : new PointId { Num = id.Number };

    public static AiDbPointId FromWire(PointId id) =>
        id.PointIdOptionsCase == PointId.PointIdOptionsOneofCase.Uuid ? Guid.Parse(id.Uuid) : id.Num;

    public static PointsSelector ToWire(IEnumerable<AiDbPointId> ids)
    {
        PointsIdsList list = new();
        list.Ids.AddRange(ids.Select(ToWire));
        return new PointsSelector { Points = list };
    }

    public static PointStruct ToWire(AiDbPoint point)
    {
        PointStruct message = new() { Id = ToWire(point.Id) };
        if (point.Vector is { } only)
        {
            if (point.Vectors is not null)
                throw Invalid($"Point {point.Id} has both Vector and Vectors; give one of the two.");
            message.Vectors = new Vectors { Vector = ToWire(only) };
        }
        else if (point.Vectors is { Count: > 0 } named)
        {
            NamedVectors vectors = new();
            foreach ((string name, AiDbVector vector) in named)
                vectors.Vectors.Add(name, ToWire(vector));
            message.Vectors = new Vectors { Vectors_ = vectors };
        }

        if (point.PayloadJson is { Length: > 0 } json)
            message.PayloadJson = ByteString.CopyFromUtf8(json);
        if (point.TimeToLive is { } time)
            message.TtlMs = WireMapping.TimeToLive(time);
        return message;
    }

    public static Vector ToWire(AiDbVector vector)
    {
        if (vector.Vectors is { } several)
            return new Vector { MultiDense = Several(several) };
        return vector.Indices is { } indices
            ? new Vector { Sparse = Sparse(indices, vector.Values) }
            : new Vector { Dense = Dense(vector.Values) };
    }

    public static VectorInput ToInput(AiDbVector vector)
    {
        if (vector.Vectors is { } several)
            return new VectorInput { MultiDense = Several(several) };
        return vector.Indices is { } indices
            ? new VectorInput { Sparse = Sparse(indices, vector.Values) }
            : new VectorInput { Dense = Dense(vector.Values) };
    }

    public static AiDbFoundPoint FromWire(ScoredPoint point) => new()
    {
        Id = FromWire(point.Id),
        Version = point.Version,
        Score = point.Score,
        PayloadJson = point.HasPayloadJson ? Encoding.UTF8.GetString(point.PayloadJson.Span) : null,
        Vectors = FromWire(point.Vectors),
    };

    public static AiDbFoundPoint FromWire(RetrievedPoint point) => new()
    {
        Id = FromWire(point.Id),
        Version = point.Version,
        PayloadJson = point.HasPayloadJson ? Encoding.UTF8.GetString(point.PayloadJson.Span) : null,
        Vectors = FromWire(point.Vectors),
    };

    public static WithPayloadSelector WithPayload(bool wanted) => new() { Enable = wanted, AsJson = true };

    public static WithVectorsSelector WithVectors(bool wanted) => new() { Enable = wanted };

    public static CreateCollection ToWire(string name, CollectionSettings settings)
    {
        CreateCollection message = new() { CollectionName = name };
        if (settings.Vector is { } only)
        {
            if (settings.Vectors.Count > 0)
                throw Invalid("CollectionSettings has both Vector and Vectors; give one of the two.");
            message.VectorsConfig = new VectorsConfig { Params = ToWire(only) };
        }
        else if (settings.Vectors.Count > 0)
        {
            VectorParamsMap map = new();
            foreach ((string vector, VectorSettings options) in settings.Vectors)
                map.Map.Add(vector, ToWire(options));
            message.VectorsConfig = new VectorsConfig { ParamsMap = map };
        }

        if (settings.SparseVectors.Count > 0)
            message.SparseVectorsConfig = new SparseVectorConfig();
        foreach ((string vector, bool idf) in settings.SparseVectors)
        {
            message.SparseVectorsConfig!.Map.Add(
                vector, idf ? new SparseVectorParams { Modifier = Modifier.Idf } : new SparseVectorParams());
        }

        if (settings.TimeToLive is { } time)
            message.TtlMs = WireMapping.TimeToLive(time);
        return message;
    }

    public static CollectionDetails FromWire(string name, CollectionInfo info) => new()
    {
        Name = name,
        Status = info.Status.ToString(),
        Problem = info.OptimizerStatus is { Ok: false, Error: { Length: > 0 } error } ? error : null,
        Settings = FromWire(info.Config),
        Points = (long)info.PointsCount,
        IndexedVectors = (long)info.IndexedVectorsCount,
        MemoryBytes = (long)info.MemoryBytes,
        Indexes = info.PayloadSchema.ToDictionary(
            static pair => pair.Key, static pair => (KindOf(pair.Value.DataType), (long)pair.Value.Points),
            StringComparer.Ordinal),
    };

    private static CollectionSettings FromWire(CollectionConfig config)
    {
        VectorsConfig? vectors = config.Params.VectorsConfig;
        return new CollectionSettings
        {
            Vector = vectors?.Params is { } only ? FromWire(only) : null,
            Vectors = vectors?.ParamsMap?.Map.ToDictionary(
                static pair => pair.Key, static pair => FromWire(pair.Value), StringComparer.Ordinal) ?? [],
            SparseVectors = config.Params.SparseVectorsConfig?.Map.ToDictionary(
                static pair => pair.Key, static pair => pair.Value.Modifier == Modifier.Idf, StringComparer.Ordinal) ?? [],
            TimeToLive = config.HasTtlMs ? TimeSpan.FromMilliseconds(config.TtlMs) : null,
        };
    }

    private static VectorSettings FromWire(VectorParams parameters) => new(
        (int)parameters.Size, (VectorDistance)parameters.Distance,
        parameters.QuantizationConfig?.QuantizationCase switch
        {
            QuantizationConfig.QuantizationOneofCase.Scalar => VectorQuantization.Scalar,
            QuantizationConfig.QuantizationOneofCase.Binary => VectorQuantization.Binary,
            QuantizationConfig.QuantizationOneofCase.Turboquant => VectorQuantization.Rotated,
            _ => VectorQuantization.None,
        },
        parameters.MultivectorConfig is not null);

    private static VectorParams ToWire(VectorSettings settings) => new()
    {
        Size = (ulong)Math.Max(0, settings.Dimensions),
        Distance = (Distance)settings.Distance,
        MultivectorConfig = settings.Multi ? new MultiVectorConfig() : null,
        QuantizationConfig = settings.Quantization switch
        {
            VectorQuantization.Scalar =>
                new QuantizationConfig { Scalar = new ScalarQuantization { Type = QuantizationType.Int8 } },
            VectorQuantization.Binary => new QuantizationConfig { Binary = new BinaryQuantization() },
            VectorQuantization.Rotated =>
                new QuantizationConfig { Turboquant = new TurboQuantization { Bits = TurboQuantBitSize.Bits1 } },
            _ => null,
        },
    };

    private static PayloadIndex KindOf(PayloadSchemaType type) => type switch
    {
        PayloadSchemaType.Integer => PayloadIndex.Integer,
        PayloadSchemaType.Float => PayloadIndex.Float,
        PayloadSchemaType.Geo => PayloadIndex.Geo,
        PayloadSchemaType.Text => PayloadIndex.Text,
        PayloadSchemaType.Bool => PayloadIndex.Bool,
        PayloadSchemaType.Datetime => PayloadIndex.Datetime,
        PayloadSchemaType.Uuid => PayloadIndex.Uuid,
        _ => PayloadIndex.Keyword,
    };

    private static Dictionary<string, AiDbVector> FromWire(VectorsOutput? vectors)
    {
        Dictionary<string, AiDbVector> result = new(StringComparer.Ordinal);
        if (vectors?.Vector is { } only)
            result[""] = FromWire(only);
        foreach ((string name, VectorOutput vector) in vectors?.Vectors?.Vectors ?? [])
            result[name] = FromWire(vector);
        return result;
    }

    private static AiDbVector FromWire(VectorOutput vector) => vector.VectorCase switch
    {
        VectorOutput.VectorOneofCase.Sparse =>
            AiDbVector.Sparse(vector.Sparse.Indices.ToArray(), vector.Sparse.Values.ToArray()),
        VectorOutput.VectorOneofCase.MultiDense => AiDbVector.Multi(
            [.. vector.MultiDense.Vectors.Select(static item => new ReadOnlyMemory<float>([.. item.Data]))]),
        _ => AiDbVector.Dense(vector.Dense?.Data.ToArray() ?? []),
    };

    private static DenseVector Dense(ReadOnlyMemory<float> values)
    {
        DenseVector dense = new();
        dense.Data.AddRange(values.ToArray());
        return dense;
    }

    private static SparseVector Sparse(ReadOnlyMemory<uint> indices, ReadOnlyMemory<float> values)
    {
        SparseVector sparse = new();
        sparse.Indices.AddRange(indices.ToArray());
        sparse.Values.AddRange(values.ToArray());
        return sparse;
    }

    private static MultiDenseVector Several(IReadOnlyList<ReadOnlyMemory<float>> vectors)
    {
        MultiDenseVector multi = new();
        multi.Vectors.AddRange(vectors.Select(Dense));
        return multi;
    }

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message);
}
