namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Counts of messages as the engine's numbers.</summary>
internal static class Limits
{
    public static int ToInt(ulong value, string field) => value <= int.MaxValue
        ? (int)value
        : throw GrpcCalls.Invalid($"{field} is {value}; at most {int.MaxValue} is allowed");

    public static long ToLong(ulong value, string field) => value <= long.MaxValue
        ? (long)value
        : throw GrpcCalls.Invalid($"{field} is {value}; at most {long.MaxValue} is allowed");
}
