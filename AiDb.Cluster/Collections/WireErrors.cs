namespace AiDb.Cluster.Collections;

/// <summary>What is wrong with a message, by the names of its fields.</summary>
internal static class WireErrors
{
    public static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");

    public static AiDbException Missing(string field) => Invalid($"{field} is missing");

    public static AiDbException Unsupported(string field) =>
        Invalid($"{field} is not supported: this server does not make vectors of texts, images or objects");

    /// <summary>A count of the wire as the engine's number.</summary>
    public static int ToInt(ulong value, string field) =>
        value <= int.MaxValue ? (int)value : throw Invalid($"{field} is {value}; at most {int.MaxValue} is allowed");

    /// <summary>A count of the wire as the engine's number.</summary>
    public static long ToLong(ulong value, string field) =>
        value <= long.MaxValue ? (long)value : throw Invalid($"{field} is {value}; at most {long.MaxValue} is allowed");
}
