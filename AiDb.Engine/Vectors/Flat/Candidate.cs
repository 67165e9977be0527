namespace AiDb.Engine.Vectors.Flat;

/// <summary>A row and its inner distance to the query.</summary>
internal struct Candidate
{
    public float Distance;
    public uint Row;
}
