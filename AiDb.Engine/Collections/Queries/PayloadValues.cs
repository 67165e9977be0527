using System.Text.Json;
using AiDb.Engine.Collections.Payloads;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Reads the values at a path of a payload.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class PayloadValues
{
    private readonly JsonPath _path;

    private PayloadValues(JsonPath path) => _path = path;

    /// <summary>Reads a path.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is none.</exception>
    public static PayloadValues Parse(string path, string field) => new(JsonPath.Parse(path, field));

    /// <summary>The path up to its first step to an element, as payload selectors take it: what they leave of an array would
    /// have other indices.</summary>
    public string Container()
    {
        string text = _path.Text;
        int end = 0;
        bool quoted = false;
        while (end < text.Length && (quoted || text[end] != '['))
            quoted ^= text[end++] == '"';
        return text[..end];
    }

    /// <summary>Adds the values at the path that are not null; those of an array one by one.</summary>
    public void Collect(Payload? payload, List<JsonElement> values)
    {
        if (payload is null)
            return;
        Collector collector = new(values);
        _path.Visit(payload.Root, ref collector);
    }

    private readonly struct Collector(List<JsonElement> values) : IJsonVisitor
    {
        public bool Visit(JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement item in value.EnumerateArray())
                    Add(item);
            }
            else
            {
                Add(value);
            }

            return true;
        }

        private void Add(JsonElement value)
        {
            if (value.ValueKind != JsonValueKind.Null)
                values.Add(value);
        }
    }
}
