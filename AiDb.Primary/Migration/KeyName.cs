namespace AiDb.Primary.Migration;

/// <summary>A key of a table, to be looked up.</summary>
internal readonly struct KeyName(uint tableId, byte[] key) : IEquatable<KeyName>
{
    public uint TableId { get; } = tableId;

    public byte[] Key { get; } = key;

    public bool Equals(KeyName other) => TableId == other.TableId && Key.AsSpan().SequenceEqual(other.Key);

    public override bool Equals(object? obj) => obj is KeyName other && Equals(other);

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(TableId);
        hash.AddBytes(Key);
        return hash.ToHashCode();
    }
}
