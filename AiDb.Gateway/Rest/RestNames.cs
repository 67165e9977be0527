namespace AiDb.Gateway.Rest;

/// <summary>Headers of AiDb's own.</summary>
internal static class RestHeaders
{
    public const string Session = "AiDb-Session";
    public const string Source = "AiDb-Source";
    public const string AgeMs = "AiDb-Age-Ms";
    public const string ExpiresAtMs = "AiDb-Expires-At-Ms";
    public const string Durability = "AiDb-Durability";
    public const string Consistency = "AiDb-Consistency";
}

/// <summary>Parameters of addresses.</summary>
internal static class QueryNames
{
    public const string KeyEncoding = "keyEncoding";
    public const string Partition = "partition";
    public const string TimeToLive = "ttl";
    public const string Consistency = "consistency";
    public const string Durability = "durability";
    public const string Timeout = "timeout";
    public const string Prefix = "prefix";
    public const string Start = "start";
    public const string End = "end";
    public const string Limit = "limit";
    public const string Cursor = "cursor";
    public const string Reverse = "reverse";
    public const string KeysOnly = "keysOnly";
    public const string IfNotExists = "ifNotExists";
}
