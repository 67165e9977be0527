using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Words of strings: hands a point's strings to an <see cref="ITextIndex"/>.</summary>
internal sealed class TextFieldIndex(JsonPath path, PayloadIndexOptions options, ITextIndex words)
    : FieldIndex(path, options)
{
    private readonly List<string> _collected = [];

    /// <summary>The words.</summary>
    public ITextIndex Words { get; } = words;

    /// <inheritdoc/>
    public override long MemoryBytes => base.MemoryBytes + Words.MemoryBytes;

    /// <inheritdoc/>
    public override IndexProbe? Probe(ValueTest test)
    {
        if (test is not TextTest text || text.Kind == TextMatchKind.Prefix)
            return null;
        OffsetBitmap found = Words.Match(text.Text, text.Kind);
        return new BitmapProbe(found, found.Count());
    }

    /// <inheritdoc/>
    protected override bool Collect(JsonElement value)
    {
        if (!JsonValues.TryGetText(value, out ReadOnlySpan<byte> text))
            return false;
        _collected.Add(System.Text.Encoding.UTF8.GetString(text));
        return true;
    }

    /// <inheritdoc/>
    protected override bool Apply(uint offset)
    {
        bool any = _collected.Count > 0;
        if (any)
        {
            Words.Set(offset, [.. _collected]);
            _collected.Clear();
        }
        else if (IsPresent(offset))
        {
            Words.Remove(offset);
        }

        return any;
    }

    /// <inheritdoc/>
    protected override void Clear(uint offset) => Words.Remove(offset);
}
