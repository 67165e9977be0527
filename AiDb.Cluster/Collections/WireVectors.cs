using System.Runtime.InteropServices;
using AiDb.Engine.Collections;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Vectors on the wire. Dimensions, names and numbers are checked where the collection's settings are
/// known.</summary>
public static class WireVectors
{
    /// <summary>Reads the vectors of a point; unset: none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: malformed.</exception>
    public static NamedVectors FromWire(Wire.Vectors? vectors)
    {
        NamedVectors result = [];
        switch (vectors?.VectorsOptionsCase)
        {
            case Wire.Vectors.VectorsOptionsOneofCase.Vector:
                result[NamedVectors.Unnamed] = FromWire(vectors.Vector, "vector");
                break;
            case Wire.Vectors.VectorsOptionsOneofCase.Vectors_:
                foreach ((string name, Wire.Vector vector) in vectors.Vectors_.Vectors)
                    result[name] = FromWire(vector, $"vectors.{name}");
                break;
        }

        return result;
    }

    /// <summary>Reads one vector, in its present form or as the flat numbers of older clients.</summary>
    public static VectorValue FromWire(Wire.Vector? vector, string field)
    {
        switch (vector?.VectorCase)
        {
            case null:
                throw WireErrors.Missing(field);
            case Wire.Vector.VectorOneofCase.Dense:
                return Dense(vector.Dense.Data);
            case Wire.Vector.VectorOneofCase.Sparse:
                return Sparse(vector.Sparse.Indices, vector.Sparse.Values);
            case Wire.Vector.VectorOneofCase.MultiDense:
                return Multi(vector.MultiDense, field);
            case Wire.Vector.VectorOneofCase.None:
                return Flat(vector.Data, vector.Indices, vector.HasVectorsCount ? vector.VectorsCount : null, field);
            default:
                throw WireErrors.Unsupported(field);
        }
    }

    /// <summary>Reads a query's vector or the id of a point.</summary>
    public static VectorInput FromWire(Wire.VectorInput? input, string field) => input?.VariantCase switch
    {
        null or Wire.VectorInput.VariantOneofCase.None => throw WireErrors.Missing(field),
        Wire.VectorInput.VariantOneofCase.Id => new PointIdInput(WireIds.FromWire(input.Id, field)),
        Wire.VectorInput.VariantOneofCase.Dense => new VectorValueInput(Dense(input.Dense.Data)),
        Wire.VectorInput.VariantOneofCase.Sparse =>
            new VectorValueInput(Sparse(input.Sparse.Indices, input.Sparse.Values)),
        Wire.VectorInput.VariantOneofCase.MultiDense => new VectorValueInput(Multi(input.MultiDense, field)),
        _ => throw WireErrors.Unsupported(field),
    };

    /// <summary>Reads the vectors of an answer; null where it has none.</summary>
    public static NamedVectors? FromWire(Wire.VectorsOutput? vectors)
    {
        switch (vectors?.VectorsOptionsCase)
        {
            case Wire.VectorsOutput.VectorsOptionsOneofCase.Vector:
                return new NamedVectors { [NamedVectors.Unnamed] = FromWire(vectors.Vector) };
            case Wire.VectorsOutput.VectorsOptionsOneofCase.Vectors:
                NamedVectors result = [];
                foreach ((string name, Wire.VectorOutput vector) in vectors.Vectors.Vectors)
                    result[name] = FromWire(vector);
                return result;
            default:
                return null;
        }
    }

    /// <summary>Flat numbers, as older messages give vectors: dense, sparse with indices, or several.</summary>
    public static VectorValue Flat(
        RepeatedField<float> data, Wire.SparseIndices? indices, uint? vectorsCount, string field)
    {
        if (indices is not null)
            return Sparse(indices.Data, data);
        if (vectorsCount is not { } count)
            return Dense(data);
        return count > 0 && data.Count > 0 && data.Count % count == 0
            ? new MultiVector(data.ToArray(), (int)count)
            : throw WireErrors.Invalid(
                $"{field} has {data.Count} numbers, which are not {count} vectors of one length (vectors_count)");
    }

    /// <summary>Writes the vectors of a point; an unnamed one alone as such.</summary>
    public static Wire.Vectors ToWire(NamedVectors vectors)
    {
        if (vectors.Count == 1 && vectors.TryGetValue(NamedVectors.Unnamed, out VectorValue? only))
            return new Wire.Vectors { Vector = ToWire(only) };
        var named = new Wire.NamedVectors();
        foreach ((string name, VectorValue vector) in vectors)
            named.Vectors.Add(name, ToWire(vector));
        return new Wire.Vectors { Vectors_ = named };
    }

    /// <summary>Writes one vector.</summary>
    public static Wire.Vector ToWire(VectorValue vector) => vector switch
    {
        DenseVector dense => new Wire.Vector { Dense = ToWire(dense) },
        SparseVector sparse => new Wire.Vector { Sparse = ToWire(sparse) },
        _ => new Wire.Vector { MultiDense = ToWire((MultiVector)vector) },
    };

    /// <summary>Writes a query's vector.</summary>
    public static Wire.VectorInput ToWire(VectorInput input) => input switch
    {
        PointIdInput point => new Wire.VectorInput { Id = WireIds.ToWire(point.Id) },
        VectorValueInput { Vector: DenseVector dense } => new Wire.VectorInput { Dense = ToWire(dense) },
        VectorValueInput { Vector: SparseVector sparse } => new Wire.VectorInput { Sparse = ToWire(sparse) },
        _ => new Wire.VectorInput { MultiDense = ToWire((MultiVector)((VectorValueInput)input).Vector) },
    };

    /// <summary>Writes the vectors of an answer.</summary>
    /// <param name="vectors">The vectors.</param>
    /// <param name="withFlat">Fills the flat numbers as well, which is all that older clients read.</param>
    public static Wire.VectorsOutput ToOutput(NamedVectors vectors, bool withFlat)
    {
        if (vectors.Count == 1 && vectors.TryGetValue(NamedVectors.Unnamed, out VectorValue? only))
            return new Wire.VectorsOutput { Vector = ToOutput(only, withFlat) };
        var named = new Wire.NamedVectorsOutput();
        foreach ((string name, VectorValue vector) in vectors)
            named.Vectors.Add(name, ToOutput(vector, withFlat));
        return new Wire.VectorsOutput { Vectors = named };
    }

    private static Wire.VectorOutput ToOutput(VectorValue vector, bool withFlat)
    {
        var output = new Wire.VectorOutput();
        switch (vector)
        {
            case DenseVector dense:
                output.Dense = ToWire(dense);
                if (withFlat)
                    output.Data.AddRange(output.Dense.Data);
                break;
            case SparseVector sparse:
                output.Sparse = ToWire(sparse);
                if (!withFlat)
                    break;
                output.Data.AddRange(output.Sparse.Values);
                output.Indices = new Wire.SparseIndices();
                output.Indices.Data.AddRange(output.Sparse.Indices);
                break;
            case MultiVector multi:
                output.MultiDense = ToWire(multi);
                if (!withFlat)
                    break;
                AddTo(output.Data, multi.Values);
                output.VectorsCount = (uint)multi.Count;
                break;
        }

        return output;
    }

    private static VectorValue FromWire(Wire.VectorOutput vector) => vector.VectorCase switch
    {
        Wire.VectorOutput.VectorOneofCase.Dense => Dense(vector.Dense.Data),
        Wire.VectorOutput.VectorOneofCase.Sparse => Sparse(vector.Sparse.Indices, vector.Sparse.Values),
        Wire.VectorOutput.VectorOneofCase.MultiDense => Multi(vector.MultiDense, "vector"),
        _ => Flat(vector.Data, vector.Indices, vector.HasVectorsCount ? vector.VectorsCount : null, "vector"),
    };

    private static DenseVector Dense(RepeatedField<float> data) => new(data.ToArray());

    private static SparseVector Sparse(RepeatedField<uint> indices, RepeatedField<float> values) =>
        new(indices.ToArray(), values.ToArray());

    private static MultiVector Multi(Wire.MultiDenseVector vectors, string field)
    {
        int count = vectors.Vectors.Count;
        int dimensions = count == 0 ? 0 : vectors.Vectors[0].Data.Count;
        if (dimensions == 0)
            throw WireErrors.Invalid($"{field} has no vectors; a multi-vector has 1 or more, of 1 or more dimensions");
        float[] values = new float[checked(count * dimensions)];
        for (int i = 0; i < count; i++)
        {
            RepeatedField<float> data = vectors.Vectors[i].Data;
            if (data.Count != dimensions)
            {
                throw WireErrors.Invalid(
                    $"{field} has vectors of {dimensions} and of {data.Count} dimensions; all must have as many");
            }

            data.CopyTo(values, i * dimensions);
        }

        return new MultiVector(values, count);
    }

    // A whole array is copied at once; anything else number by number.
    private static void AddTo<T>(RepeatedField<T> field, ReadOnlyMemory<T> values) => field.AddRange(
        MemoryMarshal.TryGetArray(values, out ArraySegment<T> segment) && segment.Count == segment.Array!.Length
            ? segment.Array
            : values.ToArray());

    private static Wire.DenseVector ToWire(DenseVector dense)
    {
        var result = new Wire.DenseVector();
        AddTo(result.Data, dense.Values);
        return result;
    }

    private static Wire.SparseVector ToWire(SparseVector sparse)
    {
        var result = new Wire.SparseVector();
        AddTo(result.Indices, sparse.Indices);
        AddTo(result.Values, sparse.Values);
        return result;
    }

    private static Wire.MultiDenseVector ToWire(MultiVector multi)
    {
        var result = new Wire.MultiDenseVector();
        int dimensions = multi.Values.Length / multi.Count;
        for (int i = 0; i < multi.Count; i++)
        {
            var vector = new Wire.DenseVector();
            AddTo(vector.Data, multi.Values.Slice(i * dimensions, dimensions));
            result.Vectors.Add(vector);
        }

        return result;
    }
}
