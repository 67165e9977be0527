namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Compares one query with rows, by whatever the rows are kept as. A struct, so that the loops of the graph
/// are compiled for each form by itself.</summary>
internal interface IRowScorer
{
    /// <summary>How many rows ahead the processor should be asked: as many as it can wait for at once.</summary>
    int Ahead { get; }

    /// <summary>The inner distance of the query and a row, the lower the nearer.</summary>
    float Distance(uint row);

    /// <summary>Asks the processor for what <see cref="Distance"/> will read.</summary>
    void Prefetch(uint row);
}

/// <summary>How far ahead memory is asked for.</summary>
internal static class PrefetchDepth
{
    // A core waits for some two dozen lines at once; what is asked beyond that is dropped or waits itself.
    private const int LinesAtOnce = 24;
    private const int LineBytes = 64;

    /// <summary>Rows of so many bytes.</summary>
    public static int Of(int rowBytes) =>
        Math.Clamp(LinesAtOnce / ((rowBytes + LineBytes - 1) / LineBytes), 2, 12);
}

/// <summary>Makes scorers of rows.</summary>
internal unsafe interface IRowCodes<out TScorer>
    where TScorer : struct, IRowScorer
{
    /// <summary>Bytes that a coded query takes.</summary>
    int QueryBytes { get; }

    /// <summary>A scorer whose query is a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="buffer">Takes the coded query; used as long as the scorer is.</param>
    TScorer OfRow(uint row, byte* buffer);
}
