using System.Buffers;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Gathers what a table's filter knows, and writes it whole or in partitions. Thread safety:
/// none.</summary>
/// <remarks>Invariant: a partition knows every key, and every key prefix of the rule, that it has an entry
/// of.</remarks>
internal sealed class FilterBuilder(int bitsPerKey, FilterPrefix? rule) : IDisposable
{
    private readonly NativeNumbers _hashes = new();
    private readonly List<int> _ends = [];
    private ulong _lastPrefix;
    private bool _hasPrefix;
    private bool _isFresh = true;

    /// <summary>Bytes of the filter if it were finished now, about.</summary>
    public long EstimatedBytes => (long)Count * bitsPerKey / 8;

    /// <summary>Bytes of the partition that was begun last, about.</summary>
    public long PartitionBytes => (Count - (_ends.Count == 0 ? 0 : _ends[^1])) * (long)bitsPerKey / 8;

    /// <summary>Adds an entry's key.</summary>
    /// <param name="prefix">Table id and user key.</param>
    /// <param name="keyHash"><see cref="InternalKey.HashPrefix"/> of it.</param>
    /// <param name="isNew">Whether the entry before had another key.</param>
    public void Add(ReadOnlySpan<byte> prefix, ulong keyHash, bool isNew)
    {
        if (bitsPerKey == 0 || !(isNew || _isFresh))
            return;
        Add(keyHash);
        if (rule is not null)
            AddPrefix(prefix);
        _isFresh = false;
    }

    /// <summary>What is added from here on belongs to another partition.</summary>
    public void BeginPartition()
    {
        _ends.Add(Count);
        _isFresh = true;
    }

    /// <summary>Writes the partitions, or the one filter; nothing when there are no filters.</summary>
    public BlockHandle[] Write(TableOutput output)
    {
        if (bitsPerKey == 0)
            return [];
        var handles = new BlockHandle[_ends.Count + 1];
        for (int number = 0; number < handles.Length; number++)
        {
            int first = number == 0 ? 0 : _ends[number - 1];
            int end = number == _ends.Count ? Count : _ends[number];
            handles[number] = Write(output, _hashes.Span[first..end]);
        }

        return handles;
    }

    private int Count => _hashes.Count;

    /// <inheritdoc/>
    public void Dispose() => _hashes.Dispose();

    private BlockHandle Write(TableOutput output, ReadOnlySpan<ulong> hashes)
    {
        int length = BloomFilter.LineCount(hashes.Length, bitsPerKey) * BloomFilter.LineBytes;
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> filter = rented.AsSpan(0, length);
            filter.Clear();
            foreach (ulong hash in hashes)
                BloomFilter.Add(filter, hash);
            return output.AppendBlock(filter, BlockType.Filter, BlockCompression.None);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void Add(ulong hash) => _hashes.Add(hash);

    private void AddPrefix(ReadOnlySpan<byte> prefix)
    {
        int length = rule!.LengthIn(prefix[InternalKey.TableIdBytes..]);
        if (length == 0)
            return;

        // What is in order has equal prefixes side by side.
        ulong hash = InternalKey.HashPrefix(prefix[..(InternalKey.TableIdBytes + length)]);
        if (_hasPrefix && hash == _lastPrefix && !_isFresh)
            return;
        Add(hash);
        _lastPrefix = hash;
        _hasPrefix = true;
    }
}
