using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>What every edge checks before anything is done; each message names the field, the limit and what
/// came.</summary>
internal static class RequestLimits
{
    /// <summary>A thousand years: an expiry beyond it would overflow a version's clock.</summary>
    public const ulong MaxTimeToLiveMs = 1000UL * 366 * 24 * 3600 * 1000;

    /// <summary>Checks the name of a table.</summary>
    public static void CheckTable(string name) => Catalogue.CheckName(name);

    /// <summary>Checks a key.</summary>
    public static void CheckKey(ReadOnlySpan<byte> key, string field = "key")
    {
        if (key.IsEmpty)
            throw Invalid($"{field}: a key has at least 1 byte.");
        if (key.Length > WireLimits.MaxKeyBytes)
            throw Invalid($"{field}: a key has at most {WireLimits.MaxKeyBytes} bytes, not {key.Length}.");
    }

    /// <summary>Checks a partition that the caller names.</summary>
    public static void CheckPartition(ByteString partition)
    {
        if (partition.Length > WireLimits.MaxKeyBytes)
            throw Invalid($"partition: it has at most {WireLimits.MaxKeyBytes} bytes, not {partition.Length}.");
    }

    /// <summary>Checks a value.</summary>
    public static void CheckValue(ByteString value, string field = "value")
    {
        if (value.Length > WireLimits.MaxValueBytes)
            throw Invalid($"{field}: a value has at most {WireLimits.MaxValueBytes} bytes (64 MiB), not {value.Length}.");
    }

    /// <summary>Checks a time to live; 0 is the table's default.</summary>
    public static void CheckTimeToLive(ulong ttlMs, string field = "ttl_ms")
    {
        if (ttlMs > MaxTimeToLiveMs)
            throw Invalid($"{field}: a key lives at most {MaxTimeToLiveMs} ms, not {ttlMs}.");
    }

    /// <summary>Checks a condition.</summary>
    public static void CheckCondition(Condition? condition, string field = "condition")
    {
        if (condition is null)
            return;
        if (!Enum.IsDefined(condition.Kind))
            throw Invalid($"{field}.kind: {(int)condition.Kind} is unknown.");
        bool usesVersion = condition.Kind is Condition.Types.Kind.VersionEquals or Condition.Types.Kind.VersionDiffers;
        if (!usesVersion && condition.Version != 0)
            throw Invalid($"{field}.version: only the kinds VERSION_EQUALS and VERSION_DIFFERS have one.");
    }

    /// <summary>Checks the consistency of a read.</summary>
    public static void CheckConsistency(Consistency consistency)
    {
        if (!Enum.IsDefined(consistency))
            throw Invalid($"consistency: {(int)consistency} is unknown.");
    }

    /// <summary>Checks the durability of a write.</summary>
    public static void CheckDurability(Durability durability)
    {
        if (!Enum.IsDefined(durability))
            throw Invalid($"durability: {(int)durability} is unknown.");
    }

    /// <summary>Checks how many things a request asks for.</summary>
    public static void CheckCount(int count, string field)
    {
        if (count is 0 or > WireLimits.MaxOperations)
            throw Invalid($"{field}: a request has 1 to {WireLimits.MaxOperations}, not {count}.");
    }

    /// <summary>Text from outside, cut for a message.</summary>
    public static string Shown(string text) => text.Length <= 64 ? text : text[..64] + "…";

    /// <summary>A key from outside, readable and cut for a message.</summary>
    public static string Shown(ReadOnlySpan<byte> key)
    {
        Span<char> text = stackalloc char[64];
        int length = 0;
        foreach (byte b in key)
        {
            if (length > text.Length - 5)
                return text[..length].ToString() + "…";
            if (b is >= 0x20 and < 0x7F)
            {
                text[length++] = (char)b;
                continue;
            }

            text[length++] = '\\';
            text[length++] = 'x';
            text[length++] = char.ToLowerInvariant(ToHex(b >> 4));
            text[length++] = char.ToLowerInvariant(ToHex(b & 15));
        }

        return text[..length].ToString();
    }

    /// <summary>An error of the caller.</summary>
    public static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message);

    private static char ToHex(int nibble) => (char)(nibble < 10 ? '0' + nibble : 'A' + nibble - 10);
}
