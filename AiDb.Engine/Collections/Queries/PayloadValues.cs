using System.Globalization;
using System.Text.Json;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Reads the values at a path of a payload: <c>a.b</c>, <c>a[].b</c>, <c>a[0].b</c>, <c>"a.b".c</c>.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class PayloadValues
{
    private readonly List<Step> _steps;

    private PayloadValues(string path, List<Step> steps)
    {
        Path = path;
        _steps = steps;
    }

    /// <summary>The path as it was written.</summary>
    public string Path { get; }

    /// <summary>Reads a path.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is none.</exception>
    public static PayloadValues Parse(string path, string field)
    {
        List<Step> steps = [];
        int at = 0;
        do
        {
            string? key = ReadKey(path, ref at);
            if (key is null)
                throw QueryErrors.Invalid(field, $"is \"{path}\", which is not a path such as a.b, a[].b or \"a.b\".c");
            steps.Add(new Step(key, StepKind.Key, 0));
            while (at < path.Length && path[at] == '[')
            {
                int end = path.IndexOf(']', at);
                string index = end < 0 ? "-" : path[(at + 1)..end];
                if (index.Length == 0)
                    steps.Add(new Step("", StepKind.Every, 0));
                else if (int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                    steps.Add(new Step("", StepKind.At, number));
                else
                    throw QueryErrors.Invalid(field, $"is \"{path}\", whose brackets are neither [] nor hold a number");
                at = end + 1;
            }

            if (at < path.Length && path[at] != '.')
                throw QueryErrors.Invalid(field, $"is \"{path}\", which is not a path: a dot is missing");
        }
        while (at++ < path.Length);
        return new PayloadValues(path, steps);
    }

    /// <summary>The path up to its first bracket, as payload selectors take it: indices stay what they are.</summary>
    public string Container()
    {
        int bracket = Path.IndexOf('[', StringComparison.Ordinal);
        return bracket < 0 || Path.Contains('"', StringComparison.Ordinal) ? Path : Path[..bracket];
    }

    /// <summary>Adds the values at the path that are not null; those of an array one by one.</summary>
    public void Collect(Payload? payload, List<JsonElement> values)
    {
        if (payload is not null)
            Walk(payload.Root, 0, values);
    }

    private static string? ReadKey(string path, ref int at)
    {
        int start = at;
        if (at < path.Length && path[at] == '"')
        {
            int end = path.IndexOf('"', at + 1);
            at = end + 1;
            return end <= start + 1 ? null : path[(start + 1)..end];
        }

        while (at < path.Length && path[at] is not ('.' or '[' or ']' or '"'))
            at++;
        return at == start ? null : path[start..at];
    }

    private void Walk(JsonElement element, int step, List<JsonElement> values)
    {
        if (step == _steps.Count)
        {
            AddLeaf(element, values);
            return;
        }

        Step next = _steps[step];
        switch (next.Kind)
        {
            case StepKind.Key when element.ValueKind == JsonValueKind.Object:
                if (element.TryGetProperty(next.Key, out JsonElement child))
                    Walk(child, step + 1, values);
                break;
            case StepKind.At when element.ValueKind == JsonValueKind.Array && next.Index < element.GetArrayLength():
                Walk(element[next.Index], step + 1, values);
                break;
            case StepKind.Every when element.ValueKind == JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                    Walk(item, step + 1, values);
                break;
        }
    }

    private static void AddLeaf(JsonElement element, List<JsonElement> values)
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            if (element.ValueKind != JsonValueKind.Null)
                values.Add(element);
            return;
        }

        foreach (JsonElement item in element.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Null)
                values.Add(item);
        }
    }

    private enum StepKind
    {
        Key,
        At,
        Every,
    }

    private readonly record struct Step(string Key, StepKind Kind, int Index);
}
