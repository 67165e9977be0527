using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Repair;

/// <summary>Brings separated values out of damaged value files back into their entries, as far as each of them still
/// proves itself; the damaged file is not needed any more then.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class ValueRescue : IDisposable
{
    private readonly EngineContext _context;
    private readonly IReadOnlyCollection<UInt128> _whole;
    private readonly Dictionary<UInt128, IStorageFile?> _files = [];
    private byte[] _buffer = [];

    /// <summary>Knows which value files need no rescue.</summary>
    public ValueRescue(EngineContext context, IReadOnlyCollection<UInt128> whole)
    {
        _context = context;
        _whole = whole;
    }

    /// <summary>Values that were in damaged files and are saved.</summary>
    public long Saved { get; private set; }

    /// <summary>Values that are gone, and with them their entries.</summary>
    public long Lost { get; private set; }

    /// <summary>The internal value to keep; false when its bytes are gone. Valid until the next call.</summary>
    public bool TryConvert(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> converted)
    {
        converted = value;
        EntryKind kind = InternalValue.Kind(value);
        if (!InternalValue.IsSeparated(kind))
            return true;
        ValuePointer pointer = ValuePointer.Read(InternalValue.UserValue(value));
        if (_whole.Contains(pointer.FileId))
            return true;
        EntryKind inline = InternalValue.Inline(kind);
        int header = InternalValue.HeaderLength(inline);
        if (!TryRead(pointer, header))
        {
            Lost++;
            return false;
        }

        InternalValue.WriteHeader(
            _buffer, inline, InternalValue.ExpiryUnixMs(value), InternalValue.MovedVersion(value));
        converted = _buffer.AsSpan(0, header + (int)pointer.Length);
        Saved++;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IStorageFile? file in _files.Values)
            file?.Dispose();
    }

    private bool TryRead(in ValuePointer pointer, int header)
    {
        if (pointer.Length > DatabaseOptions.MaxValueBytes || Open(pointer.FileId) is not { } file)
            return false;
        int length = (int)pointer.Length;
        if (_buffer.Length < header + length)
            _buffer = new byte[Math.Max(header + length, 2 * _buffer.Length)];
        Span<byte> value = _buffer.AsSpan(header, length);
        try
        {
            return file.Read((long)pointer.Offset + ValueFileFormat.RecordHeaderBytes, value) == length
                && ValueFileFormat.RecordChecksum(value, pointer.FileId, pointer.Offset) == pointer.Checksum;
        }
        catch (IOException)
        {
            // What the disk does not give is lost like what it gives wrongly.
            return false;
        }
    }

    private IStorageFile? Open(UInt128 id)
    {
        if (_files.TryGetValue(id, out IStorageFile? known))
            return known;
        string path = DatabaseFiles.Combine(_context.Path, DatabaseFiles.ValueFile(id));
        IStorageFile? file = _context.FileSystem.FileExists(path) ? _context.FileSystem.Open(path, FileOpenMode.Read) : null;
        _files.Add(id, file);
        return file;
    }
}
