using AiDb.Engine.Encoding;

namespace AiDb.Engine.Collections.Storage;

/// <summary>The value of a point's key: which vectors it has, and its payload; see docs/formats/points.md.</summary>
/// <param name="Vectors">Names of its vectors, in ascending order.</param>
/// <param name="Payload">The payload.</param>
/// <param name="Version">The version of the key; 0: not known.</param>
/// <param name="ExpiresAtMs">Unix time in milliseconds at which it expires; 0: never.</param>
internal sealed record StoredPoint(IReadOnlyList<string> Vectors, Payload Payload, ulong Version, ulong ExpiresAtMs)
{
    /// <summary>The format that is written.</summary>
    public const byte Format = 1;

    private static readonly IReadOnlyList<string> UnnamedOnly = [NamedVectors.Unnamed];

    /// <summary>Appends the value.</summary>
    public static void Write(GrowingBuffer target, IReadOnlyCollection<string> vectors, Payload payload)
    {
        target.Extend(1)[0] = Format;
        target.AppendVarint((uint)vectors.Count);
        foreach (string name in vectors)
        {
            int bytes = System.Text.Encoding.UTF8.GetByteCount(name);
            target.AppendVarint((uint)bytes);
            System.Text.Encoding.UTF8.GetBytes(name, target.Extend(bytes));
        }

        if (!payload.IsEmpty)
            target.Append(payload.Utf8.Span);
    }

    /// <summary>Reads the value.</summary>
    /// <param name="id">For errors.</param>
    /// <param name="value">The key's value, which is copied.</param>
    /// <param name="version">The key's version.</param>
    /// <param name="expiresAtMs">The key's expiry.</param>
    /// <param name="withPayload">Whether the payload is read; else it is empty.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is malformed;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static StoredPoint Read(
        PointId id, ReadOnlySpan<byte> value, ulong version, ulong expiresAtMs, bool withPayload = true)
    {
        var cursor = new ByteCursor(value);
        if (!cursor.TryTakeByte(out byte format))
            throw PointErrors.Malformed(id);
        if (format != Format)
            throw PointErrors.UnknownFormat(id, format);
        if (!cursor.TryTakeVarint(out int count) || count > CollectionOptions.MaxVectors)
            throw PointErrors.Malformed(id);
        IReadOnlyList<string> names = ReadNames(id, ref cursor, count);
        Payload payload = withPayload && !cursor.Rest.IsEmpty ? Payload.FromTrusted(cursor.Rest.ToArray()) : Payload.Empty;
        return new StoredPoint(names, payload, version, expiresAtMs);
    }

    private static IReadOnlyList<string> ReadNames(PointId id, ref ByteCursor cursor, int count)
    {
        if (count == 0)
            return [];
        string[] names = new string[count];
        for (int index = 0; index < count; index++)
        {
            if (!cursor.TryTakeVarint(out int length) || !cursor.TryTake(length, out ReadOnlySpan<byte> name))
                throw PointErrors.Malformed(id);
            names[index] = System.Text.Encoding.UTF8.GetString(name);
        }

        return names is [""] ? UnnamedOnly : names;
    }
}

/// <summary>Errors of stored points.</summary>
internal static class PointErrors
{
    /// <summary>A value that passed its checksum and is none.</summary>
    public static AiDbException Malformed(PointId id) => new(
        AiDbErrorKind.DataLoss,
        $"The stored point {id} is malformed. It passed its checksum, so the program that wrote it is at fault; write the " +
        "point anew, or restore from a backup, and report it.");

    /// <summary>A value of a later format.</summary>
    public static AiDbException UnknownFormat(PointId id, byte format) => new(
        AiDbErrorKind.Unimplemented,
        $"The stored point {id} has the format {format}; this program reads format {StoredPoint.Format}. Use a newer one.");

    /// <summary>An id without a point.</summary>
    public static AiDbException NotFound(PointId id) => new(AiDbErrorKind.NotFound, $"There is no point with the id {id}.");

    /// <summary>An invalid request.</summary>
    public static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message);
}
