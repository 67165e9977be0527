using AiDb.Engine.Manifest;

namespace AiDb.Engine.Images;

/// <summary>What a file of a tree is; the value is part of the archive format.</summary>
public enum ImageFileKind : byte
{
    /// <summary>A table.</summary>
    Table = 1,

    /// <summary>Values that tables point to.</summary>
    ValueFile = 2,
}

/// <summary>A file that a tree consists of. It is written once and never changed.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Its random identity.</param>
/// <param name="SizeBytes">Its bytes.</param>
/// <param name="Checksum">XxHash3 (64 bits) of the whole file.</param>
public readonly record struct ImageFile(ImageFileKind Kind, UInt128 Id, long SizeBytes, ulong Checksum)
{
    /// <summary>Its name in a database's folder.</summary>
    public string Name => Kind == ImageFileKind.Table ? DatabaseFiles.Table(Id) : DatabaseFiles.ValueFile(Id);
}
