using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>The words of one payload field by offset: what a text index is made of.</summary>
/// <remarks>Thread safety: one writer at a time; <see cref="Match"/> beside it sees each point before or after a change, and gives
/// a set that nobody else writes to.</remarks>
internal interface ITextIndex
{
    /// <summary>Bytes that it takes.</summary>
    long MemoryBytes { get; }

    /// <summary>Puts the texts of a point in the place of those it had.</summary>
    void Set(uint offset, IReadOnlyList<string> texts);

    /// <summary>Takes the texts of a point out.</summary>
    void Remove(uint offset);

    /// <summary>The points whose texts match: all words, one, or one after the other.</summary>
    OffsetBitmap Match(string text, TextMatchKind kind);
}
