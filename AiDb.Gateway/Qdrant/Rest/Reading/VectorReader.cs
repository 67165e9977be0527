using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads vectors: dense <c>[0.1, 0.2]</c>, multi <c>[[0.1], [0.2]]</c>, sparse
/// <c>{"indices": [1, 7], "values": [0.1, 0.2]}</c>, and several by name.</summary>
internal static class VectorReader
{
    private const string Indices = "indices";
    private const string Values = "values";

    /// <summary>Reads the vectors of a point: the unnamed one, or an object of names.</summary>
    public static NamedVectors ReadAll(JsonField field)
    {
        if (!field.IsObject)
            return new NamedVectors { [NamedVectors.Unnamed] = Read(field) };
        RefuseInference(field);
        NamedVectors vectors = [];
        foreach ((string name, JsonField value) in field.Members())
            vectors[name] = Read(value);
        return vectors;
    }

    /// <summary>Reads one vector.</summary>
    public static VectorValue Read(JsonField field)
    {
        if (field.IsObject)
            return ReadSparse(field);
        if (!field.IsArray)
            throw field.Wrong("a vector: an array of numbers, an array of such arrays, or {indices, values}");
        int length = field.Value.GetArrayLength();
        return length > 0 && field.Value[0].ValueKind == JsonValueKind.Array
            ? ReadMulti(field, length)
            : new DenseVector(ReadNumbers(field));
    }

    /// <summary>Whether an object is a sparse vector.</summary>
    public static bool IsSparse(JsonField field) =>
        field.IsObject && field.Value.TryGetProperty(Indices, out _) && field.Value.TryGetProperty(Values, out _);

    /// <summary>Refuses texts and pictures that a model would have to turn into vectors.</summary>
    public static void RefuseInference(JsonField field)
    {
        if (field.Value.TryGetProperty("model", out JsonElement model) && model.ValueKind == JsonValueKind.String)
        {
            throw field.NotOffered(
                "models that make vectors; send the vector itself, or search text with {\"bm25\": {\"field\", \"text\"}}");
        }
    }

    private static SparseVector ReadSparse(JsonField field)
    {
        RefuseInference(field);
        JsonField indices = field.Require(Indices);
        JsonField values = field.Require(Values);
        float[] numbers = ReadNumbers(values);
        uint[] dimensions = indices.Map(static index =>
            index.Kind == JsonValueKind.Number && index.Value.TryGetUInt32(out uint dimension)
                ? dimension
                : throw index.Wrong("a dimension from 0 to 4294967295"));
        if (dimensions.Length != numbers.Length)
            throw field.Invalid($"indices and values differ in length: {dimensions.Length} and {numbers.Length}");
        Array.Sort(dimensions, numbers);
        for (int i = 1; i < dimensions.Length; i++)
        {
            if (dimensions[i] == dimensions[i - 1])
                throw indices.Invalid($"the dimension {dimensions[i]} is given twice");
        }

        return new SparseVector(dimensions, numbers);
    }

    private static MultiVector ReadMulti(JsonField field, int count)
    {
        int dimensions = field.Value[0].GetArrayLength();
        if (dimensions == 0)
            throw field.Item(0).Invalid("a vector has at least one number");
        if ((long)dimensions * count > Array.MaxLength)
            throw field.Invalid("it has too many numbers");
        float[] numbers = new float[dimensions * count];
        int row = 0;
        foreach (JsonElement part in field.Value.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Array || part.GetArrayLength() != dimensions)
                throw field.Item(row).Wrong($"an array of {dimensions} numbers, as the first has");
            if (!TryReadNumbers(part, numbers.AsSpan(row * dimensions, dimensions), out int wrong))
                throw field.Item(row).Item(wrong).Wrong("a number that a 32-bit float can hold");
            row++;
        }

        return new MultiVector(numbers, count);
    }

    private static float[] ReadNumbers(JsonField field)
    {
        if (!field.IsArray)
            throw field.Wrong("an array of numbers");
        float[] numbers = new float[field.Value.GetArrayLength()];
        return TryReadNumbers(field.Value, numbers, out int wrong)
            ? numbers
            : throw field.Item(wrong).Wrong("a number that a 32-bit float can hold");
    }

    // The hot path of an upsert: fields with paths are made for errors only.
    private static bool TryReadNumbers(JsonElement array, Span<float> numbers, out int wrong)
    {
        wrong = 0;
        foreach (JsonElement element in array.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetSingle(out float number) || !float.IsFinite(number))
                return false;
            numbers[wrong++] = number;
        }

        return true;
    }
}
