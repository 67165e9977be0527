using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Tables;

namespace AiDb.Engine.ValueFiles;

/// <summary>Turns pointers into values for reads.</summary>
internal static unsafe class SeparatedValues
{
    /// <summary>The value that a hit points to, in the place of the pointer, whose hold is given back in any
    /// case. Does not allocate.</summary>
    public static TableHit Resolve(ValueFileSet files, TableHit pointing)
    {
        try
        {
            ValuePointer pointer = ValuePointer.Read(pointing.Value);
            BlockLease lease = files.Find(pointer.FileId).Reader.Read(pointer, fillCache: true, fromScan: false);
            return new TableHit(
                lease, pointing, lease.Data + ValueFileFormat.RecordHeaderBytes, (int)pointer.Length);
        }
        finally
        {
            pointing.Dispose();
        }
    }
}

/// <summary>Gives a cursor the values of the entries that it stands on, reading a separated one when it is asked
/// for. Thread safety: none.</summary>
internal sealed class CursorValue : IDisposable
{
    private BlockLease _lease;
    private ValuePointer _held;

    /// <summary>The caller's value of an internal value; valid until the next call, or
    /// <see cref="Release"/>.</summary>
    public ReadOnlySpan<byte> Of(ValueFileSet files, ReadOnlySpan<byte> internalValue)
    {
        ReadOnlySpan<byte> value = InternalValue.UserValue(internalValue);
        if (!InternalValue.IsSeparated(InternalValue.Kind(internalValue)))
            return value;
        ValuePointer pointer = ValuePointer.Read(value);
        if (!_lease.HasBlock || _held != pointer)
        {
            Release();
            _lease = files.Find(pointer.FileId).Reader.Read(pointer, fillCache: true, fromScan: true);
            _held = pointer;
        }

        return _lease.Span[ValueFileFormat.RecordHeaderBytes..];
    }

    /// <summary>Lets go of the value.</summary>
    public void Release()
    {
        _lease.Dispose();
        _lease = default;
    }

    /// <inheritdoc/>
    public void Dispose() => Release();
}
