namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Compares one query with rows, by whatever the rows are kept as. A struct, so that the loops of the graph
/// are compiled for each form by itself.</summary>
internal interface IRowScorer
{
    /// <summary>The inner distance of the query and a row, the lower the nearer.</summary>
    float Distance(uint row);

    /// <summary>Asks the processor for what <see cref="Distance"/> will read.</summary>
    void Prefetch(uint row);
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
