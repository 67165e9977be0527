using AiDb.Engine.Caching;
using AiDb.Engine.Iteration;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>An open table file. Reference-counted: born with one reference, closed when the last is released.</summary>
internal sealed class TableReader : IDisposable
{
    public TableProperties Properties => throw new NotSupportedException();

    public string Path => throw new NotSupportedException();

    public static TableReader Open(IFileSystem fileSystem, string path, BlockCache cache) => throw new NotSupportedException();

    public bool TryAddReference() => throw new NotSupportedException();

    public bool TryGet(ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion, out TableHit hit) => throw new NotSupportedException();

    public IInternalIterator CreateIterator(bool fillCache, int readaheadBytes = 0) => throw new NotSupportedException();

    public void VerifyChecksums(CancellationToken cancellationToken) => throw new NotSupportedException();

    public void Dispose() => throw new NotSupportedException();
}
