using System.Buffers;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Log;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Merging;

/// <summary>Operands of one key, collected from the newest to the oldest, and what they find below; then what they
/// make together.</summary>
/// <remarks>
/// An operand belongs to the life of the key at its time: if what it finds had expired by then, it began anew. So of a
/// base that has expired, the operands written before its end are gone with it, and the later ones find nothing.
/// Thread safety: none.
/// </remarks>
internal sealed class MergeChain : IDisposable
{
    private readonly GrowingBuffer _operands = new(256);
    private readonly GrowingBuffer _ordered = new(256);
    private readonly GrowingBuffer _baseValue = new(256);
    private readonly List<(ulong Version, int Start, int Length)> _entries = [];
    private EntryKind _baseKind;
    private ulong _baseExpiryUnixMs;

    /// <summary>Entries with operands.</summary>
    public int Count => _entries.Count;

    /// <summary>Bytes that were collected.</summary>
    public long SizeBytes => (long)_operands.Length + _baseValue.Length;

    /// <summary>The version of the newest operand.</summary>
    public ulong Version => _entries[0].Version;

    /// <summary>Whether it is known what the operands find.</summary>
    public bool HasBase => _baseKind != EntryKind.None;

    /// <summary>Begins another key.</summary>
    public void Clear()
    {
        _operands.Clear();
        _baseValue.Clear();
        _entries.Clear();
        _baseKind = EntryKind.None;
        _baseExpiryUnixMs = 0;
    }

    /// <summary>Adds the next older entry of the key; false when no older one is wanted.</summary>
    /// <param name="version">Its version.</param>
    /// <param name="internalValue">Its internal value.</param>
    /// <param name="files">Where it may point into; null: it does not point.</param>
    public bool Add(ulong version, ReadOnlySpan<byte> internalValue, ValueFileSet? files)
    {
        EntryKind kind = InternalValue.Kind(internalValue);
        if (InternalValue.IsSeparated(kind))
        {
            ValuePointer pointer = ValuePointer.Read(InternalValue.UserValue(internalValue));
            using BlockLease lease = files!.Find(pointer.FileId).Reader.Read(pointer, fillCache: true, fromScan: false);
            SetBase(
                InternalValue.Inline(kind), InternalValue.ExpiryUnixMs(internalValue),
                lease.Span[ValueFileFormat.RecordHeaderBytes..]);
            return false;
        }

        if (kind != EntryKind.Merge)
        {
            SetBase(kind, InternalValue.ExpiryUnixMs(internalValue), InternalValue.UserValue(internalValue));
            return false;
        }

        MergeEntry entry = MergeEntry.Read(internalValue[1..]);
        _entries.Add((version, _operands.Length, entry.Operands.Length));
        _operands.Append(entry.Operands);
        if (entry.BaseKind == EntryKind.None)
            return true;
        SetBase(entry.BaseKind, entry.BaseExpiryUnixMs, entry.BaseValue);
        return false;
    }

    /// <summary>Says that the operands find nothing, unless it is known what they find.</summary>
    public void EndWithNothing()
    {
        if (!HasBase)
            _baseKind = EntryKind.Delete;
    }

    /// <summary>Whether what the operands find has expired at a moment.</summary>
    public bool IsBaseExpired(ulong nowMs) => _baseExpiryUnixMs != 0 && _baseExpiryUnixMs <= nowMs;

    /// <summary>Whether the key exists at a moment, and until when; does not need the operator.</summary>
    public bool Exists(ulong nowMs, out ulong expiryUnixMs)
    {
        expiryUnixMs = IsBaseExpired(nowMs) ? 0 : _baseExpiryUnixMs;
        return !IsBaseExpired(nowMs) || Living(nowMs) > 0;
    }

    /// <summary>Combines everything.</summary>
    /// <param name="mergeOperator">The table's operator.</param>
    /// <param name="key">The user key.</param>
    /// <param name="nowMs">A moment at which the key exists.</param>
    /// <param name="result">Takes the value.</param>
    /// <returns>False when the operator refused, or the value is longer than values may be.</returns>
    public bool TryMerge(IMergeOperator mergeOperator, ReadOnlySpan<byte> key, ulong nowMs, ArrayBufferWriter<byte> result)
    {
        bool expired = IsBaseExpired(nowMs);
        _ordered.Clear();
        for (int index = Living(nowMs) - 1; index >= 0; index--)
        {
            (_, int start, int length) = _entries[index];
            _ordered.Append(_operands.Span.Slice(start, length));
        }

        bool hasValue = !expired && _baseKind != EntryKind.Delete;
        var input = new MergeInput(key, hasValue, hasValue ? _baseValue.Span : default, _ordered.Span);
        return mergeOperator.TryMerge(in input, result) && result.WrittenCount <= DatabaseOptions.MaxValueBytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _operands.Dispose();
        _ordered.Dispose();
        _baseValue.Dispose();
    }

    private void SetBase(EntryKind kind, ulong expiryUnixMs, ReadOnlySpan<byte> value)
    {
        _baseKind = kind;
        _baseExpiryUnixMs = expiryUnixMs;
        _baseValue.Set(value);
    }

    /// <summary>How many of the entries, from the newest, count at a moment.</summary>
    private int Living(ulong nowMs)
    {
        if (!IsBaseExpired(nowMs))
            return _entries.Count;
        int count = 0;
        while (count < _entries.Count && HybridClock.ToMilliseconds(_entries[count].Version) >= _baseExpiryUnixMs)
            count++;
        return count;
    }
}
