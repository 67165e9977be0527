namespace AiDb.Engine.Collections.Queries;

/// <summary>Makes a query's vector what the vector that it is compared with takes.</summary>
internal static class VectorShape
{
    /// <summary>Checks a vector and brings it into the collection's form: one dense vector stands for a multi-vector of
    /// one; indices of sparse vectors are sorted.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it does not fit.</exception>
    public static VectorValue Fit(CollectionOptions options, string name, VectorValue vector, string field)
    {
        if (options.SparseVectors.ContainsKey(name))
        {
            return vector is SparseVector sparse
                ? FitSparse(sparse, field)
                : throw QueryErrors.Invalid(field, $"is not a sparse vector; the vector \"{name}\" is");
        }

        VectorOptions dense = options.Vectors[name];
        switch (vector)
        {
            case DenseVector value:
                RequireNumbers(field, value.Values.Span, dense.Dimensions);
                return dense.MultiVector is null ? value : new MultiVector(value.Values, 1);
            case MultiVector value when dense.MultiVector is not null:
                if (value.Count < 1)
                    throw QueryErrors.Invalid(field, "has no vectors");
                RequireNumbers(field, value.Values.Span, (long)dense.Dimensions * value.Count);
                return value;
            case MultiVector:
                throw QueryErrors.Invalid(field, $"is several vectors; the vector \"{name}\" takes one");
            default:
                throw QueryErrors.Invalid(field, $"is a sparse vector; the vector \"{name}\" is dense");
        }
    }

    private static void RequireNumbers(string field, ReadOnlySpan<float> values, long expected)
    {
        if (values.Length != expected)
            throw QueryErrors.Invalid(field, $"has {values.Length} dimensions; {expected} are expected");
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
                throw QueryErrors.Invalid(field, "has a value that is not a finite number");
        }
    }

    private static SparseVector FitSparse(SparseVector vector, string field)
    {
        ReadOnlySpan<uint> indices = vector.Indices.Span;
        if (indices.Length != vector.Values.Length)
            throw QueryErrors.Invalid(field, $"has {indices.Length} indices and {vector.Values.Length} values");
        RequireNumbers(field, vector.Values.Span, indices.Length);
        bool sorted = true;
        for (int at = 1; at < indices.Length; at++)
            sorted &= indices[at - 1] < indices[at];
        if (sorted)
            return vector;
        uint[] keys = indices.ToArray();
        float[] values = vector.Values.ToArray();
        Array.Sort(keys, values);
        for (int at = 1; at < keys.Length; at++)
        {
            if (keys[at - 1] == keys[at])
                throw QueryErrors.Invalid(field, $"has the index {keys[at]} twice");
        }

        return new SparseVector(keys, values);
    }
}
