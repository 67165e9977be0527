using System.Text;

namespace AiDb.Client;

/// <summary>A key: 1 byte to 64 KiB, any bytes. Text converts as UTF-8.</summary>
/// <remarks>The bytes are copied when a call is made, so that an array may be used again once the call has
/// returned its task.</remarks>
public readonly struct AiDbKey : IEquatable<AiDbKey>
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The longest key, in bytes.</summary>
    public const int MaxBytes = 64 << 10;

    /// <summary>Wraps the bytes of a key.</summary>
    public AiDbKey(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Whether there is no key.</summary>
    public bool IsEmpty => Bytes.IsEmpty;

    /// <summary>The key that a text names, as UTF-8.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the text has unpaired
    /// surrogates.</exception>
    public static AiDbKey FromText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        try
        {
            return new AiDbKey(StrictUtf8.GetBytes(text));
        }
        catch (EncoderFallbackException exception)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "The key has an unpaired surrogate; pass its bytes instead.", exception);
        }
    }

    /// <summary>The key as text; false when its bytes are not UTF-8.</summary>
    public bool TryGetText(out string text)
    {
        try
        {
            text = StrictUtf8.GetString(Bytes.Span);
            return true;
        }
        catch (DecoderFallbackException)
        {
            text = "";
            return false;
        }
    }

    /// <summary>As <see cref="FromText"/>.</summary>
    public static implicit operator AiDbKey(string text) => FromText(text);

    /// <summary>Wraps the bytes of a key.</summary>
    public static implicit operator AiDbKey(byte[] bytes) => new(bytes);

    /// <summary>Wraps the bytes of a key.</summary>
    public static implicit operator AiDbKey(ReadOnlyMemory<byte> bytes) => new(bytes);

    /// <inheritdoc/>
    public bool Equals(AiDbKey other) => Bytes.Span.SequenceEqual(other.Bytes.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is AiDbKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(Bytes.Span);
        return hash.ToHashCode();
    }

    /// <summary>Whether the bytes are the same.</summary>
    public static bool operator ==(AiDbKey left, AiDbKey right) => left.Equals(right);

    /// <summary>Whether the bytes differ.</summary>
    public static bool operator !=(AiDbKey left, AiDbKey right) => !left.Equals(right);

    /// <summary>The text of the key, or <c>base64:</c> and its bytes where it is not UTF-8.</summary>
    public override string ToString() =>
        TryGetText(out string text) ? text : "base64:" + Convert.ToBase64String(Bytes.Span);
}
