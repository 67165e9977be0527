using System.Runtime.InteropServices;

namespace AiDb.Engine.Merging;

/// <summary>A value that a read made out of operands, held by its lease.</summary>
internal sealed unsafe class MergedValue : RefCounted
{
    public MergedValue(ReadOnlySpan<byte> value)
    {
        Length = value.Length;
        Bytes = (byte*)NativeMemory.Alloc((nuint)Math.Max(1, value.Length));
        value.CopyTo(new Span<byte>(Bytes, value.Length));
    }

    /// <summary>The bytes.</summary>
    public byte* Bytes { get; }

    /// <summary>How many.</summary>
    public int Length { get; }

    /// <inheritdoc/>
    protected override void OnUnreferenced() => NativeMemory.Free(Bytes);
}
