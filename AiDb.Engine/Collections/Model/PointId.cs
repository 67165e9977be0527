using System.Globalization;

namespace AiDb.Engine.Collections;

/// <summary>The id of a point: an unsigned 64-bit number or a UUID. Numbers order before UUIDs.</summary>
/// <remarks>Thread safety: immutable.</remarks>
public readonly record struct PointId : IComparable<PointId>
{
    private readonly UInt128 _value;

    private PointId(UInt128 value, bool isUuid)
    {
        _value = value;
        IsUuid = isUuid;
    }

    /// <summary>An id that is a number.</summary>
    public PointId(ulong number)
        : this(number, isUuid: false)
    {
    }

    /// <summary>An id that is a UUID.</summary>
    public PointId(Guid uuid)
        : this(ToUInt128(uuid), isUuid: true)
    {
    }

    /// <summary>Whether it is a UUID.</summary>
    public bool IsUuid { get; }

    /// <summary>The number; 0 for a UUID.</summary>
    public ulong Number => IsUuid ? 0 : (ulong)_value;

    /// <summary>The UUID; <see cref="Guid.Empty"/> for a number.</summary>
    public Guid Uuid => IsUuid ? ToGuid(_value) : Guid.Empty;

    /// <summary>The 128 bits: the number, or the UUID's bytes in the order in which it is written.</summary>
    public UInt128 Bits => _value;

    /// <summary>An id from its parts (<see cref="Bits"/>).</summary>
    public static PointId FromBits(UInt128 bits, bool isUuid) => new(bits, isUuid);

    /// <summary>Reads an id as it is written in a URL: digits, or a UUID in one of its usual forms.</summary>
    public static bool TryParse(string? text, out PointId id)
    {
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
        {
            id = new PointId(number);
            return true;
        }

        return TryParseUuid(text, out id);
    }

    /// <summary>Reads a UUID: 32 hexadecimal digits with or without hyphens, or <c>urn:uuid:</c> before
    /// them.</summary>
    public static bool TryParseUuid(string? text, out PointId id)
    {
        const string Urn = "urn:uuid:";
        if (text is not null && text.StartsWith(Urn, StringComparison.OrdinalIgnoreCase))
            text = text[Urn.Length..];
        bool valid = Guid.TryParse(text, CultureInfo.InvariantCulture, out Guid uuid);
        id = valid ? new PointId(uuid) : default;
        return valid;
    }

    /// <inheritdoc/>
    public int CompareTo(PointId other) =>
        IsUuid != other.IsUuid ? IsUuid.CompareTo(other.IsUuid) : _value.CompareTo(other._value);

    /// <inheritdoc/>
    public override string ToString() =>
        IsUuid ? Uuid.ToString() : Number.ToString(CultureInfo.InvariantCulture);

    private static UInt128 ToUInt128(Guid uuid)
    {
        Span<byte> bytes = stackalloc byte[16];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static Guid ToGuid(UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return new Guid(bytes, bigEndian: true);
    }
}
