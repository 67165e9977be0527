using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>Writes one table file from entries in internal key order. Thread safety: none.</summary>
internal sealed class TableBuilder : IDisposable
{
    public TableBuilder(IStorageFile file, TableOptions options) => throw new NotSupportedException($"{file} {options}");

    public long EstimatedBytes => throw new NotSupportedException();

    public long Entries => throw new NotSupportedException();

    public void Add(ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue) => throw new NotSupportedException();

    public TableProperties Finish() => throw new NotSupportedException();

    public void Abandon() => throw new NotSupportedException();

    public void Dispose() => throw new NotSupportedException();
}
