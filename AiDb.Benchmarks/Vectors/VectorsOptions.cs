namespace AiDb.Benchmarks.Vectors;

/// <summary>What the command was told.</summary>
internal sealed record VectorsOptions
{
    public required bool Quick { get; init; }

    public required string[] Data { get; init; }

    public required string[] Tests { get; init; }

    public required int Rounds { get; init; }

    public required bool NoPeer { get; init; }

    public required bool Reuse { get; init; }

    public required int[] Efs { get; init; }
}
