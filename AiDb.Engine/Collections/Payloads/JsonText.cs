using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Writes JSON out of pieces of other JSON, which are copied as they are: numbers keep their digits, strings
/// their escapes. Nothing is checked: every piece was parsed before.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class JsonText
{
    private readonly ArrayBufferWriter<byte> _bytes;
    private bool _needsComma;

    /// <summary>Makes a writer with room for so many bytes.</summary>
    public JsonText(int sizeHint) => _bytes = new ArrayBufferWriter<byte>(Math.Max(sizeHint, 16));

    /// <summary>What was written.</summary>
    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    /// <summary>Begins an object.</summary>
    public void BeginObject() => Begin((byte)'{');

    /// <summary>Ends an object.</summary>
    public void EndObject() => End((byte)'}');

    /// <summary>Begins an array.</summary>
    public void BeginArray() => Begin((byte)'[');

    /// <summary>Ends an array.</summary>
    public void EndArray() => End((byte)']');

    /// <summary>Writes the key of a property, as it is written there.</summary>
    public void Key(JsonProperty property)
    {
        Comma();
        Byte((byte)'"');
        _bytes.Write(JsonMarshal.GetRawUtf8PropertyName(property));
        Byte((byte)'"');
        Byte((byte)':');
        _needsComma = false;
    }

    /// <summary>Writes a key that is given unescaped.</summary>
    public void Key(ReadOnlySpan<byte> utf8)
    {
        Comma();
        Byte((byte)'"');
        _bytes.Write(JsonEncodedText.Encode(utf8).EncodedUtf8Bytes);
        Byte((byte)'"');
        Byte((byte)':');
        _needsComma = false;
    }

    /// <summary>Writes a value as it is written there.</summary>
    public void Value(JsonElement element)
    {
        Comma();
        _bytes.Write(JsonMarshal.GetRawUtf8Value(element));
        _needsComma = true;
    }

    /// <summary>Writes an empty object.</summary>
    public void EmptyObject()
    {
        BeginObject();
        EndObject();
    }

    private void Begin(byte bracket)
    {
        Comma();
        Byte(bracket);
        _needsComma = false;
    }

    private void End(byte bracket)
    {
        Byte(bracket);
        _needsComma = true;
    }

    private void Comma()
    {
        if (_needsComma)
            Byte((byte)',');
    }

    private void Byte(byte value)
    {
        _bytes.GetSpan(1)[0] = value;
        _bytes.Advance(1);
    }
}
