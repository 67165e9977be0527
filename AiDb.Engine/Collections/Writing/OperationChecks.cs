using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Writing;

/// <summary>Checks the operations of a write before anything is done, and brings their vectors into the form in which they are
/// kept.</summary>
internal static class OperationChecks
{
    /// <summary>Operations of one write at most.</summary>
    public const int MaxOperations = 10_000;

    /// <summary>Points or ids of one operation at most.</summary>
    public const int MaxPoints = 1_000_000;

    /// <summary>Points that one operation by filter changes at most beside other operations: all of them are one write,
    /// whose points are held in memory.</summary>
    public const int MaxFilteredTogether = 10_000;

    /// <summary>The operations, checked.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the field and the
    /// limit.</exception>
    public static List<PointOperation> Check(CollectionOptions options, IReadOnlyList<PointOperation> operations)
    {
        if (operations.Count > MaxOperations)
            throw PointErrors.Invalid($"operations has {operations.Count} entries; the limit is {MaxOperations}.");
        List<PointOperation> kept = new(operations.Count);
        for (int index = 0; index < operations.Count; index++)
            kept.Add(Check(options, operations[index], operations.Count == 1 ? "" : $"operations[{index}]."));
        return kept;
    }

    /// <summary>A point, checked.</summary>
    public static Point Check(CollectionOptions options, Point point, string field)
    {
        if (point.TimeToLive is { } lifetime && (lifetime <= TimeSpan.Zero || lifetime.TotalDays > 365_000))
            throw PointErrors.Invalid($"{field}.ttl must be more than zero and at most 1000 years.");
        return point with { Vectors = Check(options, point.Vectors, $"{field}.vector") };
    }

    private static PointOperation Check(CollectionOptions options, PointOperation operation, string field)
    {
        switch (operation)
        {
            case UpsertOperation upsert:
                RequireCount($"{field}points", upsert.Points.Count, UpsertLimit(options));
                Require(Enum.IsDefined(upsert.Mode), $"{field}update_mode must be upsert, insert_only or update_only.");
                return upsert with
                {
                    Points = [.. upsert.Points.Select((point, index) => Check(options, point, $"{field}points[{index}]"))],
                };
            case UpdateVectorsOperation update:
                RequireCount($"{field}points", update.Points.Count, MaxPoints);
                return update with
                {
                    Points =
                    [
                        .. update.Points.Select((point, index) =>
                            point with { Vectors = Check(options, point.Vectors, $"{field}points[{index}].vector") }),
                    ],
                };
            case DeleteVectorsOperation delete:
                CheckSelector(delete.Selector, field);
                foreach (string name in delete.Names)
                {
                    if (!options.Vectors.ContainsKey(name) && !options.SparseVectors.ContainsKey(name))
                        throw VectorChecks.UnknownName(options, name, $"{field}vector");
                }

                return delete;
            case SetPayloadOperation set:
                CheckSelector(set.Selector, field);
                if (set.Path is not null)
                    JsonPath.Parse(set.Path, $"{field}key");
                return set;
            case DeletePayloadOperation delete:
                CheckSelector(delete.Selector, field);
                foreach (string path in delete.Paths)
                    JsonPath.Parse(path, $"{field}keys");
                return delete;
            case OverwritePayloadOperation overwrite:
                CheckSelector(overwrite.Selector, field);
                return overwrite;
            case ClearPayloadOperation clear:
                CheckSelector(clear.Selector, field);
                return clear;
            case DeleteOperation delete:
                CheckSelector(delete.Selector, field);
                return delete;
            default:
                throw PointErrors.Invalid($"{field}{operation?.GetType().Name} is not an operation on points.");
        }
    }

    private static int UpsertLimit(CollectionOptions options) =>
        options.StrictMode is { Enabled: true, UpsertMaxBatchsize: { } limit } ? Math.Min(limit, MaxPoints) : MaxPoints;

    private static NamedVectors Check(CollectionOptions options, NamedVectors vectors, string field)
    {
        NamedVectors kept = [];
        foreach ((string name, VectorValue vector) in vectors)
        {
            string shown = name.Length == 0 ? field : $"{field}.{name}";
            Require(vector is not null, $"{shown} is null.");
            kept.Add(name, VectorChecks.Normalize(options, name, vector!, shown));
        }

        return kept;
    }

    private static void CheckSelector(PointSelector selector, string field)
    {
        Require(
            selector.Ids is null != selector.Filter is null, $"{field}points and {field}filter: give one of the two.");
        RequireCount($"{field}points", selector.Ids?.Count ?? 0, MaxPoints);
    }

    private static void RequireCount(string field, int count, int limit) =>
        Require(count <= limit, $"{field} has {count} entries; the limit is {limit}.");

    private static void Require(bool holds, string message)
    {
        if (!holds)
            throw PointErrors.Invalid(message);
    }
}
