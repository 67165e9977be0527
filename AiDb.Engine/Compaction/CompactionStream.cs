using System.Buffers;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Log;
using AiDb.Engine.Merging;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Compaction;

/// <summary>What a flush or a compaction needs to know to simplify its inputs.</summary>
/// <param name="RangeDeletes">Range tombstones of the inputs; null: none.</param>
/// <param name="Merges">The merge operators.</param>
/// <param name="Snapshots">Versions of the snapshots, ascending.</param>
/// <param name="FlushedTimestamp">Timestamp of the last entry that replay does not need.</param>
/// <param name="NothingBelow">Whether no older entry of a prefix may lie outside the inputs.</param>
/// <param name="MayHaveOperandsAbove">Whether flushed operands of newer versions may lie outside the inputs. They must
/// find a base that has expired as it is, since those from before its end are gone with it.</param>
/// <param name="ValueFiles">Where entries may point into; null: they do not point.</param>
internal sealed record CompactionStreamOptions(
    CompactionRangeDeletes? RangeDeletes, MergeOperators Merges, ulong[] Snapshots, ulong FlushedTimestamp,
    Func<byte[], bool> NothingBelow, bool MayHaveOperandsAbove, ValueFileSet? ValueFiles);

/// <summary>The entries of a flush or a compaction without those that range tombstones hide from everyone, and with
/// merge operands combined where what they apply to is known. What is left is for <see cref="EntryFilter"/> to
/// decide.</summary>
/// <remarks>Goes forward only, from the first entry. Of each key, entries between two snapshots look alike to all
/// readers, so the newest of them takes the combined value. What an operator does not take stays as it is. Thread
/// safety: none.</remarks>
internal sealed class CompactionStream : IDisposable
{
    /// <summary>Bytes of one key's entries that are looked at together.</summary>
    private const int MaxGroupBytes = 64 << 20;

    private readonly InternalIterator _entries;
    private readonly CompactionStreamOptions _options;
    private readonly ulong _flushedMs;
    private readonly GrowingBuffer _bytes = new(256);
    private readonly GrowingBuffer _key = new(256);
    private readonly GrowingBuffer _combined = new(256);
    private readonly List<(ulong Version, int Start, int Length)> _group = [];
    private readonly MergeChain _chain = new();
    private readonly ArrayBufferWriter<byte> _result = new();
    private int _next;
    private bool _groupEndsWithNothing;
    private bool _inGroup;
    private ReadOnlyMemory<byte> _prefix;
    private (int Start, int Length) _value;
    private bool _isCombined;

    /// <summary>Takes over the iterator.</summary>
    public CompactionStream(InternalIterator entries, CompactionStreamOptions options)
    {
        _entries = entries;
        _options = options;
        _flushedMs = HybridClock.ToMilliseconds(options.FlushedTimestamp);
    }

    /// <summary>Whether it stands on an entry.</summary>
    public bool Valid => _inGroup || _entries.Valid;

    /// <summary>The internal key.</summary>
    public ReadOnlySpan<byte> Key => _inGroup ? _key.Span : _entries.Key;

    /// <summary>The internal value.</summary>
    public ReadOnlySpan<byte> Value => !_inGroup
        ? _entries.Value
        : _isCombined ? _combined.Span : _bytes.Span.Slice(_value.Start, _value.Length);

    /// <summary>To the first entry.</summary>
    public void SeekToFirst()
    {
        _entries.SeekToFirst();
        Settle();
    }

    /// <summary>One entry forward.</summary>
    public void Next()
    {
        if (_inGroup)
        {
            if (TakeFromGroup())
                return;
            _inGroup = false;
        }
        else
        {
            _entries.Next();
        }

        Settle();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _entries.Dispose();
        _bytes.Dispose();
        _key.Dispose();
        _combined.Dispose();
        _chain.Dispose();
    }

    /// <summary>Goes to the next entry that somebody can see; those of a key from its first operand on are taken
    /// together.</summary>
    private void Settle()
    {
        while (_entries.Valid)
        {
            if (_options.RangeDeletes is { } deletes && deletes.Hides(_entries.Key))
            {
                _entries.Next();
                continue;
            }

            if (InternalValue.Kind(_entries.Value) == EntryKind.Merge)
            {
                ReadGroup();
                _inGroup = TakeFromGroup();
            }

            return;
        }
    }

    private void ReadGroup()
    {
        _group.Clear();
        _bytes.Clear();
        _next = 0;
        _groupEndsWithNothing = false;
        _prefix = InternalKey.Prefix(_entries.Key).ToArray();
        bool isWhole = false;
        for (; _bytes.Length < MaxGroupBytes; _entries.Next())
        {
            isWhole = !_entries.Valid || !InternalKey.Prefix(_entries.Key).SequenceEqual(_prefix.Span);
            if (isWhole)
                break;
            if (_options.RangeDeletes is { } deletes && deletes.Hides(_entries.Key))
            {
                // Whatever is older is hidden, too; the rest of the key is skipped when the stream goes on.
                _groupEndsWithNothing = true;
                return;
            }

            _group.Add((InternalKey.Version(_entries.Key), _bytes.Length, _entries.Value.Length));
            _bytes.Append(_entries.Value);
        }

        _groupEndsWithNothing = isWhole && _options.NothingBelow(_prefix.ToArray());
    }

    private bool TakeFromGroup()
    {
        if (_next == _group.Count)
            return false;
        (ulong version, int start, int length) = _group[_next];
        _key.Clear();
        _prefix.Span.CopyTo(_key.Extend(_prefix.Length));
        InternalKey.SetVersion(_key.Extend(InternalKey.VersionBytes), version);
        _isCombined = false;
        _value = (start, length);
        if (InternalValue.Kind(_bytes.Span.Slice(start, length)) == EntryKind.Merge && TryCombine(version))
        {
            // What looks like it to everyone is in it.
            int stripe = RangeTombstoneFragmenter.Stripe(_options.Snapshots, version);
            do
                _next++;
            while (_next < _group.Count
                && RangeTombstoneFragmenter.Stripe(_options.Snapshots, _group[_next].Version) == stripe);
            return true;
        }

        _next++;
        return true;
    }

    private bool TryCombine(ulong newest)
    {
        uint tableId = InternalKey.TableId(_prefix.Span);
        if (_options.Merges.Find(tableId) is not { } mergeOperator)
            return false;
        ulong deletedAt = _options.RangeDeletes?.DeletedAt(_prefix.Span, newest) ?? 0;
        _chain.Clear();
        for (int index = _next; index < _group.Count && !_chain.HasBase; index++)
        {
            (ulong version, int start, int length) = _group[index];
            if (version < deletedAt)
                _chain.EndWithNothing();
            else if (!_chain.Add(version, _bytes.Span.Slice(start, length), _options.ValueFiles))
                break;
        }

        if (_groupEndsWithNothing)
            _chain.EndWithNothing();
        if (!_chain.HasBase)
            return false;
        _combined.Clear();
        if (_options.MayHaveOperandsAbove && _chain.IsBaseExpired(_flushedMs))
            return false;
        if (!_chain.Exists(_flushedMs, out ulong expiryUnixMs))
        {
            _combined.Extend(1)[0] = (byte)EntryKind.Delete;
            return _isCombined = true;
        }

        _result.ResetWrittenCount();
        if (!_chain.TryMerge(mergeOperator, _prefix.Span[InternalKey.TableIdBytes..], _flushedMs, _result))
            return false;
        EntryKind kind = expiryUnixMs == 0 ? EntryKind.Put : EntryKind.PutWithExpiry;
        InternalValue.Write(
            _combined.Extend(InternalValue.Length(kind, _result.WrittenCount)), kind, expiryUnixMs, _result.WrittenSpan);
        return _isCombined = true;
    }
}
