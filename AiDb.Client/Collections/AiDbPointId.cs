using System.Globalization;

namespace AiDb.Client;

/// <summary>The id of a point: an unsigned 64-bit number or a UUID.</summary>
public readonly record struct AiDbPointId
{
    private AiDbPointId(ulong number, Guid? uuid) => (Number, Uuid) = (number, uuid);

    /// <summary>An id that is a number.</summary>
    public AiDbPointId(ulong number)
        : this(number, null)
    {
    }

    /// <summary>An id that is a UUID.</summary>
    public AiDbPointId(Guid uuid)
        : this(0, uuid)
    {
    }

    /// <summary>The number, where <see cref="Uuid"/> is null.</summary>
    public ulong Number { get; }

    /// <summary>The UUID; null: the id is a number.</summary>
    public Guid? Uuid { get; }

    /// <summary>A number as an id.</summary>
    public static implicit operator AiDbPointId(ulong number) => new(number);

    /// <summary>A UUID as an id.</summary>
    public static implicit operator AiDbPointId(Guid uuid) => new(uuid);

    /// <summary>Reads an id: digits, or a UUID.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: neither.</exception>
    public static AiDbPointId Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
            return number;
        return Guid.TryParse(text, out Guid uuid)
            ? uuid
            : throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A point's id is an unsigned 64-bit number or a UUID, not '{text}'.");
    }

    /// <inheritdoc/>
    public override string ToString() => Uuid?.ToString() ?? Number.ToString(CultureInfo.InvariantCulture);
}
