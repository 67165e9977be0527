namespace AiDb.Engine.Collections.Storage;

/// <summary>Checks vectors and brings them into the form in which they are kept: the cosine's normalised, sparse ones sorted,
/// numbers as their element can hold them.</summary>
internal static class VectorChecks
{
    /// <summary>Numbers of a multi-vector at most.</summary>
    public const int MaxMultiNumbers = 1 << 20;

    /// <summary>Dimensions of a sparse vector that are not zero at most.</summary>
    public const int MaxSparseNumbers = 1 << 20;

    /// <summary>A vector as it is kept.</summary>
    /// <param name="options">The collection's settings.</param>
    /// <param name="name">The vector's name.</param>
    /// <param name="vector">The vector.</param>
    /// <param name="field">What it is called in errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it does not fit.</exception>
    public static VectorValue Normalize(CollectionOptions options, string name, VectorValue vector, string field)
    {
        if (options.SparseVectors.TryGetValue(name, out SparseVectorOptions? sparseOptions))
        {
            return vector is SparseVector sparse
                ? Sparse(sparse, sparseOptions.Element, field)
                : throw PointErrors.Invalid($"{field} must be sparse: indices and values.");
        }

        if (!options.Vectors.TryGetValue(name, out VectorOptions? dense))
            throw UnknownName(options, name, field);
        if (vector is SparseVector)
            throw PointErrors.Invalid($"{field} is sparse; the vector '{name}' is dense.");
        if (dense.MultiVector is null)
        {
            return vector is DenseVector single
                ? new DenseVector(Numbers(single.Values.Span, 1, dense, field))
                : throw PointErrors.Invalid($"{field} is several vectors; '{name}' takes one.");
        }

        (ReadOnlyMemory<float> values, int count) = vector is MultiVector multi
            ? (multi.Values, multi.Count)
            : (((DenseVector)vector).Values, 1);
        if (count < 1 || values.Length > MaxMultiNumbers)
        {
            throw PointErrors.Invalid(
                $"{field} has {count} vectors of {values.Length} numbers; at least 1 vector and at most {MaxMultiNumbers} " +
                "numbers are allowed.");
        }

        return new MultiVector(Numbers(values.Span, count, dense, field), count);
    }

    /// <summary>The error about a name that the collection does not have.</summary>
    public static AiDbException UnknownName(CollectionOptions options, string name, string field)
    {
        IEnumerable<string> names = options.Vectors.Keys.Concat(options.SparseVectors.Keys)
            .Select(static known => known.Length == 0 ? "the unnamed one" : $"'{known}'");
        string known = string.Join(", ", names);
        string shown = name.Length == 0 ? "the unnamed vector" : $"the vector '{name}'";
        return PointErrors.Invalid(
            $"{field}: the collection does not have {shown}. It has {(known.Length == 0 ? "no vectors" : known)}.");
    }

    private static float[] Numbers(ReadOnlySpan<float> values, int count, VectorOptions options, string field)
    {
        if (values.Length != (long)count * options.Dimensions)
        {
            throw PointErrors.Invalid(count == 1
                ? $"{field} has {values.Length} dimensions; {options.Dimensions} are expected."
                : $"{field} has {values.Length} numbers; {count} vectors of {options.Dimensions} dimensions are expected.");
        }

        float[] kept = values.ToArray();
        RequireFinite(kept, field);
        for (int start = 0; start < kept.Length; start += options.Dimensions)
        {
            if (options.Metric == VectorMetric.Cosine && options.Element != VectorElement.UInt8)
                NormalizeLength(kept.AsSpan(start, options.Dimensions));
        }

        return ToElement(kept, options.Element, field);
    }

    private static void RequireFinite(ReadOnlySpan<float> values, string field)
    {
        for (int index = 0; index < values.Length; index++)
        {
            if (!float.IsFinite(values[index]))
                throw PointErrors.Invalid($"{field} has {values[index]} at index {index}; numbers must be finite.");
        }
    }

    /// <summary>Gives a vector the length 1, where it is not zero.</summary>
    public static void NormalizeLength(Span<float> vector)
    {
        double squares = 0;
        foreach (float value in vector)
            squares += (double)value * value;
        if (squares is 0 or (> 1 - 1e-7 and < 1 + 1e-7))
            return;
        double scale = 1 / Math.Sqrt(squares);
        foreach (ref float value in vector)
            value = (float)(value * scale);
    }

    private static float[] ToElement(float[] values, VectorElement element, string field)
    {
        switch (element)
        {
            case VectorElement.UInt8:
                foreach (ref float value in values.AsSpan())
                    value = MathF.Floor(Math.Clamp(value, 0, 255));
                break;
            case VectorElement.Float16:
                foreach (ref float value in values.AsSpan())
                {
                    if (MathF.Abs(value) > (float)Half.MaxValue)
                        throw PointErrors.Invalid($"{field} has {value}; a float16 holds at most {Half.MaxValue}.");
                    value = (float)(Half)value;
                }

                break;
        }

        return values;
    }

    private static SparseVector Sparse(SparseVector vector, VectorElement element, string field)
    {
        if (vector.Indices.Length != vector.Values.Length)
        {
            throw PointErrors.Invalid(
                $"{field} has {vector.Indices.Length} indices and {vector.Values.Length} values; as many are expected.");
        }

        if (vector.Indices.Length > MaxSparseNumbers)
            throw PointErrors.Invalid($"{field} has {vector.Indices.Length} indices; the limit is {MaxSparseNumbers}.");
        uint[] indices = vector.Indices.ToArray();
        float[] values = vector.Values.ToArray();
        RequireFinite(values, field);
        Array.Sort(indices, values);
        for (int index = 1; index < indices.Length; index++)
        {
            if (indices[index] == indices[index - 1])
                throw PointErrors.Invalid($"{field} has the index {indices[index]} twice.");
        }

        return new SparseVector(indices, ToElement(values, element, field));
    }
}
