namespace AiDb.Engine.Collections.Queries;

/// <summary>How much one query may ask for. Every limit bounds memory or time of one request; what exceeds it is
/// refused with the name of the field.</summary>
public static class QueryLimits
{
    /// <summary>Points of a result, those that the offset leaves out included; of a prefetch as well. About
    /// 100 bytes each are held while a query runs.</summary>
    public const int MaxPoints = 1_000_000;

    /// <summary>Levels of prefetches.</summary>
    public const int MaxPrefetchDepth = 64;

    /// <summary>Prefetches of one request on all levels.</summary>
    public const int MaxPrefetches = 1_000;

    /// <summary>Points of all prefetches of one request together.</summary>
    public const int MaxPrefetchedPoints = 4_000_000;

    /// <summary>Examples of one recommendation, target and pairs of one discovery.</summary>
    public const int MaxExamples = 10_000;

    /// <summary>Queries of one batch.</summary>
    public const int MaxBatch = 10_000;

    /// <summary>Points of a matrix's sample. All pairs are compared: 10,000 are 50 million pairs.</summary>
    public const int MaxMatrixSample = 10_000;

    /// <summary>Operations, constants and variables of a formula.</summary>
    public const int MaxFormulaNodes = 10_000;

    /// <summary>Levels of a formula.</summary>
    public const int MaxFormulaDepth = 64;

    /// <summary>Characters of a text to look for.</summary>
    public const int MaxTextLength = 65_536;

    /// <summary>The most points of a group.</summary>
    public const int MaxGroupSize = 10_000;
}
