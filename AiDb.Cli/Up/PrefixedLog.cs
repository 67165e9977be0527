namespace AiDb.Cli.Up;

/// <summary>The lines of several processes on one console, each behind its process's name.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class PrefixedLog(TextWriter output, bool colours, int nameWidth)
{
    // Readable on dark and on light ground; red is left to errors.
    private static readonly int[] Palette = [36, 32, 33, 35, 34, 96, 92, 95];
    private readonly Lock _gate = new();

    /// <summary>Writes a line of the process with the given place in the plan.</summary>
    public void Write(int index, string name, string line)
    {
        string padded = name.PadRight(nameWidth);
        string text = colours
            ? $"\u001b[{Palette[index % Palette.Length]}m{padded}\u001b[0m | {line}"
            : $"{padded} | {line}";
        lock (_gate)
            output.WriteLine(text);
    }

    /// <summary>Writes a line of <c>aidb</c> itself.</summary>
    public void Say(string line)
    {
        string padded = "aidb".PadRight(nameWidth);
        lock (_gate)
        {
            output.WriteLine(colours ? $"\u001b[1m{padded}\u001b[0m | {line}" : $"{padded} | {line}");
            output.Flush();
        }
    }
}
