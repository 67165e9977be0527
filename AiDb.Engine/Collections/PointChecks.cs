using AiDb.Engine.Collections.Writing;

namespace AiDb.Engine.Collections;

/// <summary>Checks changes of points by a collection's settings alone, for whoever deals them out to several
/// databases and wants all of it checked before any of it is written.</summary>
public static class PointChecks
{
    /// <summary>Checks operations.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the field and the
    /// limit.</exception>
    public static void Check(CollectionOptions options, IReadOnlyList<PointOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(operations);
        _ = OperationChecks.Check(options, operations);
    }

    /// <summary>Checks the path of a payload field.</summary>
    /// <returns>The path as it is written, which is the field's name in the settings.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is malformed.</exception>
    public static string CheckPath(string path, string field)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Payloads.JsonPath.Parse(path, field).Text;
    }
}
