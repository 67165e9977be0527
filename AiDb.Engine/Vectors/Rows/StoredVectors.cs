using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Quantization;

namespace AiDb.Engine.Vectors.Rows;

/// <summary>Finds the vector of a row wherever it is: in memory, where it is kept for good, or in its codes.</summary>
/// <remarks>Thread safety: as <see cref="RowStore"/>'s searches.</remarks>
internal sealed unsafe class StoredVectors(RowStore rows, VectorDistance distance)
{
    private IVectorCodes? _codes;

    /// <summary>Reads vectors that are held as codes only; null: nothing does.</summary>
    public IOriginalVectors? Originals { get; set; }

    /// <summary>The codes of rows that the graph holds; null: there is no graph.</summary>
    public IVectorCodes? Codes
    {
        get => Volatile.Read(ref _codes);
        set => Volatile.Write(ref _codes, value);
    }

    /// <summary>The vector that an offset has now, as it is stored; null: it has none.</summary>
    /// <param name="context">Takes what is not in memory.</param>
    /// <param name="offset">The offset.</param>
    /// <param name="scratch">Room for a vector.</param>
    /// <param name="row">Its row.</param>
    public byte* Find(SearchContext context, uint offset, Span<float> scratch, out uint row)
    {
        while (true)
        {
            row = rows.RowOf(offset);
            if (row == RowHead.None)
                return null;
            byte* vector = rows.VectorOf(row);
            if (vector is not null)
                return vector;

            // A row that was replaced gives its vector up, and has no codes if it never came into the graph.
            if (rows.RowOf(offset) != row)
                continue;
            if (Originals is not { } originals || !originals.TryRead(offset, scratch))
                Codes!.Decode(row, scratch);
            context.Original.Ensure(distance.RowBytes);
            distance.Store(scratch, context.Original.Memory);
            return context.Original.Memory;
        }
    }
}
