using System.Globalization;
using System.Text;
using System.Text.Json;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Qdrant.Rest.Json;

/// <summary>A value of a request's body, which knows where it stands: every error names the path, as in
/// <c>filter.must[0].range.gt</c>.</summary>
/// <remarks>Thread safety: immutable; valid as long as its document is.</remarks>
internal sealed class JsonField
{
    private readonly JsonField? _parent;
    private readonly string? _name;
    private readonly int _index;

    private JsonField(JsonElement value, JsonField? parent, string? name, int index)
    {
        Value = value;
        _parent = parent;
        _name = name;
        _index = index;
    }

    /// <summary>The value.</summary>
    public JsonElement Value { get; }

    /// <summary>Its kind.</summary>
    public JsonValueKind Kind => Value.ValueKind;

    /// <summary>Whether it is an object.</summary>
    public bool IsObject => Kind == JsonValueKind.Object;

    /// <summary>Whether it is an array.</summary>
    public bool IsArray => Kind == JsonValueKind.Array;

    /// <summary>Where it stands; of a whole body <c>body</c>.</summary>
    public string Path
    {
        get
        {
            if (_parent is null)
                return "body";
            StringBuilder path = new();
            AppendTo(path);
            return path.ToString();
        }
    }

    /// <summary>A whole body.</summary>
    public static JsonField Root(JsonElement value) => new(value, null, null, 0);

    /// <summary>A member of an object; null: it is absent or null.</summary>
    public JsonField? Get(string name)
    {
        if (!IsObject)
            throw Wrong("an object");
        return Value.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonField(value, this, name, 0)
            : null;
    }

    /// <summary>A member of an object, under one of two names.</summary>
    public JsonField? Get(string name, string otherName) => Get(name) ?? Get(otherName);

    /// <summary>A member of an object that must be there.</summary>
    public JsonField Require(string name) => Get(name) ?? throw Invalid($"the field '{name}' is missing");

    /// <summary>The members of an object; nulls are left out.</summary>
    public IEnumerable<(string Name, JsonField Field)> Members()
    {
        if (!IsObject)
            throw Wrong("an object");
        foreach (JsonProperty property in Value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null)
                yield return (property.Name, new JsonField(property.Value, this, property.Name, 0));
        }
    }

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (!IsArray)
            throw Wrong("an array");
        int index = 0;
        foreach (JsonElement item in Value.EnumerateArray())
            yield return new JsonField(item, this, null, index++);
    }

    /// <summary>The elements of an array, or the value itself, which stands for an array of one.</summary>
    public IEnumerable<JsonField> OneOrMany() => IsArray ? Items() : [this];

    /// <summary>One element of an array.</summary>
    public JsonField Item(int index) => new(Value[index], this, null, index);

    /// <summary>Reads each element of an array.</summary>
    public T[] Map<T>(Func<JsonField, T> read)
    {
        if (!IsArray)
            throw Wrong("an array");
        var results = new T[Value.GetArrayLength()];
        int index = 0;
        foreach (JsonField item in Items())
            results[index++] = read(item);
        return results;
    }

    /// <summary>Refuses members with other names: in a filter a misspelt one must not be ignored. One that is null says
    /// nothing.</summary>
    public void AllowOnly(params ReadOnlySpan<string> names)
    {
        foreach (JsonProperty property in Value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null && !names.Contains(property.Name))
            {
                throw Invalid(
                    $"there is no field '{RequestLimits.Shown(property.Name)}' here; there is {string.Join(", ", names.ToArray())}");
            }
        }
    }

    /// <summary>A string.</summary>
    public string AsString()
    {
        if (Kind != JsonValueKind.String)
            throw Wrong("a string");
        try
        {
            return Value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Invalid("the string is not valid UTF-16 once its escapes are resolved");
        }
    }

    /// <summary>A truth value.</summary>
    public bool AsBoolean() => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    /// <summary>A whole number within bounds.</summary>
    public int AsInteger(int min, int max = int.MaxValue)
    {
        if (Kind == JsonValueKind.Number && Value.TryGetInt32(out int value) && value >= min && value <= max)
            return value;
        throw Wrong($"a whole number from {min} to {max}");
    }

    /// <summary>A whole number within bounds.</summary>
    public long AsLong(long min = long.MinValue, long max = long.MaxValue)
    {
        if (Kind == JsonValueKind.Number && Value.TryGetInt64(out long value) && value >= min && value <= max)
            return value;
        throw Wrong($"a whole number from {min} to {max}");
    }

    /// <summary>A finite number.</summary>
    public double AsDouble()
    {
        if (Kind == JsonValueKind.Number && Value.TryGetDouble(out double value) && double.IsFinite(value))
            return value;
        throw Wrong("a finite number");
    }

    /// <summary>A number that a 32-bit float holds.</summary>
    public float AsFloat()
    {
        if (Kind == JsonValueKind.Number && Value.TryGetSingle(out float value) && float.IsFinite(value))
            return value;
        throw Wrong("a number that a 32-bit float can hold");
    }

    /// <summary>One of several names.</summary>
    public T AsChoice<T>(params ReadOnlySpan<(string Name, T Value)> choices)
    {
        if (Kind == JsonValueKind.String)
        {
            foreach ((string name, T value) in choices)
            {
                if (Value.ValueEquals(name))
                    return value;
            }
        }

        List<string> names = [];
        foreach ((string name, _) in choices)
            names.Add(name);
        throw Wrong("one of " + string.Join(", ", names));
    }

    /// <summary>Only null where the field is; else what is read of it. Reads as <c>field.Get("x")?.AsX()</c> for
    /// structures.</summary>
    public static T? Optional<T>(JsonField? field, Func<JsonField, T> read)
        where T : struct => field is null ? null : read(field);

    /// <summary>The error of a value that is not what is expected.</summary>
    public AiDbException Wrong(string expected) => Invalid($"expected {expected}, not {Shown()}");

    /// <summary>The error of a value.</summary>
    public AiDbException Invalid(string problem) =>
        new(AiDbErrorKind.InvalidArgument, $"{Path}: {problem}.");

    /// <summary>The error of something that Qdrant has and AiDb has not.</summary>
    public AiDbException NotOffered(string what) => Invalid($"AiDb does not offer {what}");

    private void AppendTo(StringBuilder path)
    {
        if (_parent is null)
            return;
        _parent.AppendTo(path);
        if (_name is null)
            path.Append('[').Append(_index.ToString(CultureInfo.InvariantCulture)).Append(']');
        else
            path.Append(path.Length > 0 ? "." : "").Append(RequestLimits.Shown(_name));
    }

    private string Shown() => Kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => $"an array of {Value.GetArrayLength()}",
        JsonValueKind.Null => "null",
        _ => RequestLimits.Shown(Value.GetRawText()),
    };
}
