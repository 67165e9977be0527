using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Merging;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.State;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine;

/// <summary>A walk over a range of keys; see <see cref="Table.Scan"/>.</summary>
/// <remarks>Thread safety: none; one cursor belongs to one caller, who disposes it.</remarks>
public sealed class ScanCursor : IDisposable
{
    /// <summary>Hidden versions that are stepped over before a seek goes past them.</summary>
    private const int StepsBeforeSeek = 16;

    private readonly MergingIterator? _entries;
    private readonly uint _tableId;
    private readonly ScanRange _range;
    private readonly ulong _maxVersion;
    private readonly ulong _nowMs;
    private readonly bool _hasRangeDeletes;
    private StateIterators? _parts;
    private ReadState? _state;
    private ValueLease _merged;
    private byte[] _key = [];
    private byte[] _value = [];
    private int _keyLength = -1;
    private int _valueLength;
    private bool _started;
    private bool _ended;
    private AiDbException? _failure;
    private readonly CursorValue _separated = new();

    private ScanCursor(
        ReadState? state, StateIterators? parts, uint tableId, ScanRange range, ulong maxVersion, ulong nowMs)
    {
        _state = state;
        _parts = parts;
        _entries = parts?.Merged;
        if (parts is not null)
        {
            _key = parts.KeyBuffer;
            _value = parts.ValueBuffer;
        }

        _tableId = tableId;
        _range = range;
        _maxVersion = maxVersion;
        _nowMs = nowMs;
        _ended = parts is null;
        _hasRangeDeletes = state is { HasRangeDeletes: true };
    }

    /// <summary>The current key; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Key => _key.AsSpan(0, Math.Max(0, _keyLength));

    /// <summary>The current value; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Value => _keyLength < 0
        ? default
        : _merged.Found
        ? _merged.Span
        : _separated.Of(_state!.Tree.ValueFiles, _range.Reverse ? _value.AsSpan(0, _valueLength) : _entries!.Value);

    /// <summary>The version of the current value.</summary>
    public ulong Version { get; private set; }

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public ulong ExpiresAtMs { get; private set; }

    /// <summary>Opens a cursor, which takes over the reference to the state.</summary>
    internal static ScanCursor Open(
        ReadState state, PrefixScans prefixes, bool isDropped, uint tableId, ScanRange range, ulong maxVersion,
        ulong nowMs)
    {
        if (isDropped)
        {
            state.Release();
            return new ScanCursor(null, null, tableId, range, maxVersion, nowMs);
        }

        try
        {
            StateIterators parts = StateIterators.Open(state, prefixes, tableId, in range);
            return new ScanCursor(state, parts, tableId, range, maxVersion, nowMs);
        }
        catch
        {
            state.Release();
            throw;
        }
    }

    /// <summary>Goes to the next key; false at the end.</summary>
    /// <exception cref="AiDbException">A table could not be read. The cursor cannot go on, since it would
    /// leave out what it could not read: later calls fail alike. Scan anew from the last key.</exception>
    public bool MoveNext()
    {
        if (_failure is not null)
            throw DatabaseHealth.Repeat(_failure);
        try
        {
            if (!_ended && !(_range.Reverse ? MoveBack() : MoveForward()))
                End();
        }
        catch (AiDbException error)
        {
            _failure = error;
            End();
            throw;
        }

        return !_ended;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        End();
        ReadState? state = _state;
        _state = null;
        _separated.Release();
        if (state is null)
            return;
        _parts!.KeyBuffer = _key;
        _parts.ValueBuffer = _value;
        _parts.Return();
        _parts = null;
        _key = [];
        _value = [];
        state.Release();
    }

    private void End()
    {
        _ended = true;
        _keyLength = -1;
        _valueLength = 0;
        ForgetMerged();
    }

    private void ForgetMerged()
    {
        if (!_merged.Found)
            return;
        _merged.Dispose();
        _merged = default;
    }

    private bool MoveForward()
    {
        ForgetMerged();
        if (_started)
            _entries!.Next();
        else
            Seek(_range.Start.Span, ulong.MaxValue);
        _started = true;
        int steps = 0;
        while (_entries!.Valid)
        {
            ReadOnlySpan<byte> key = _entries.Key;
            ReadOnlySpan<byte> userKey = InternalKey.UserKey(key);
            if (InternalKey.TableId(key) != _tableId
                || (!_range.End.IsEmpty && userKey.SequenceCompareTo(_range.End.Span) >= 0))
            {
                return false;
            }

            bool isNew = userKey.Length != _keyLength || !userKey.SequenceEqual(Key);
            bool isTooNew = InternalKey.Version(key) > _maxVersion;
            if (!isNew || isTooNew)
            {
                if (++steps < StepsBeforeSeek)
                    _entries.Next();
                else
                    Seek(userKey, isNew ? _maxVersion : 0);
                continue;
            }

            steps = 0;
            RememberKey(userKey);
            if (IsLive(key, _entries.Value, out bool isMerge) && (!isMerge || TryMerge()))
                return true;
            _entries.Next();
        }

        return false;
    }

    private bool MoveBack()
    {
        ForgetMerged();
        if (!_started)
            SeekToEnd();
        _started = true;
        while (_entries!.Valid)
        {
            ReadOnlySpan<byte> key = _entries.Key;
            ReadOnlySpan<byte> userKey = InternalKey.UserKey(key);
            if (InternalKey.TableId(key) != _tableId || userKey.SequenceCompareTo(_range.Start.Span) < 0)
                return false;
            RememberKey(userKey);

            // Going back, the oldest version of a key comes first; the last visible one decides.
            bool isLive = false;
            bool isMerge = false;
            do
            {
                key = _entries.Key;
                if (InternalKey.Version(key) <= _maxVersion)
                {
                    isLive = IsLive(key, _entries.Value, out isMerge);
                    if (isLive && !isMerge)
                        RememberValue(_entries.Value);
                }

                _entries.Previous();
            }
            while (_entries.Valid && InternalKey.TableId(_entries.Key) == _tableId
                && InternalKey.UserKey(_entries.Key).SequenceEqual(Key));
            if (isLive && (!isMerge || TryMerge()))
                return true;
        }

        return false;
    }

    private bool IsLive(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, out bool isMerge)
    {
        EntryKind kind = InternalValue.Kind(value);
        isMerge = kind == EntryKind.Merge;
        if (kind == EntryKind.Delete)
            return false;
        if (_hasRangeDeletes
            && StateRangeDeletes.Covering(_state!, InternalKey.Prefix(key), _maxVersion) > InternalKey.Version(key))
        {
            return false;
        }

        ExpiresAtMs = InternalValue.ExpiryUnixMs(value);
        Version = InternalValue.ShownVersion(InternalKey.Version(key), value);
        return !PointReader.IsExpired(ExpiresAtMs, _nowMs);
    }

    /// <summary>Makes the value of a key whose newest entry holds operands, from its entries in all
    /// sources.</summary>
    private bool TryMerge()
    {
        ulong deletedAt = _hasRangeDeletes ? StateRangeDeletes.Covering(_state!, _tableId, Key, _maxVersion) : 0;
        if (!MergeReader.TryGet(
            _state!, _tableId, Key, _maxVersion, _nowMs, deletedAt, wantsValue: true, out _merged))
        {
            return false;
        }

        ExpiresAtMs = _merged.ExpiresAtMs;
        Version = _merged.Version;
        return true;
    }

    private void SeekToEnd()
    {
        if (!_range.End.IsEmpty)
        {
            SeekBefore(_tableId, _range.End.Span);
            return;
        }

        if (_tableId == uint.MaxValue)
            _entries!.SeekToLast();
        else
            SeekBefore(_tableId + 1, default);
    }

    /// <summary>To the last entry before every version of a key; no entry has the greatest version.</summary>
    private void SeekBefore(uint tableId, ReadOnlySpan<byte> userKey) =>
        _entries!.SeekForPrevious(SeekKey(tableId, userKey, ulong.MaxValue));

    private void Seek(ReadOnlySpan<byte> userKey, ulong version) =>
        _entries!.Seek(SeekKey(_tableId, userKey, version));

    private ReadOnlySpan<byte> SeekKey(uint tableId, ReadOnlySpan<byte> userKey, ulong version)
    {
        int length = InternalKey.Length(userKey.Length);
        if (_parts!.SeekBuffer.Length < length)
            _parts.SeekBuffer = new byte[length + 64];
        InternalKey.Write(_parts.SeekBuffer, tableId, userKey, version);
        return _parts.SeekBuffer.AsSpan(0, length);
    }

    private void RememberKey(ReadOnlySpan<byte> userKey)
    {
        if (_key.Length < userKey.Length)
            _key = new byte[userKey.Length * 2];
        userKey.CopyTo(_key);
        _keyLength = userKey.Length;
    }

    private void RememberValue(ReadOnlySpan<byte> value)
    {
        if (_value.Length < value.Length)
            _value = new byte[Math.Max(256, value.Length)];
        value.CopyTo(_value);
        _valueLength = value.Length;
    }
}
