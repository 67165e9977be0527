using System.Buffers;
using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.CompactionFilters;

/// <summary>Something that a filter wants done to a key.</summary>
/// <param name="TableId">The table.</param>
/// <param name="Key">The key.</param>
/// <param name="Version">The version that it saw.</param>
/// <param name="Value">The new value; null: the key is deleted.</param>
/// <param name="ExpiresAtMs">When the entry expires; 0: never.</param>
internal sealed record FilterDecision(uint TableId, byte[] Key, ulong Version, byte[]? Value, ulong ExpiresAtMs)
{
    /// <summary>Bytes that it takes in a batch, about.</summary>
    public int SizeBytes => Key.Length + (Value?.Length ?? 0) + 32;
}

/// <summary>One compaction's questions to the filter, and what it decided.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class FilterPass : IDisposable
{
    /// <summary>Bytes of decisions that are kept until the compaction ends; the rest is for later ones.</summary>
    private const long MaxBytes = 16 << 20;

    private readonly ICompactionFilter _filter;
    private readonly ValueFileSet _files;
    private readonly CursorValue _value = new();
    private readonly ArrayBufferWriter<byte> _changed = new();
    private long _bytes;

    public FilterPass(ICompactionFilter filter, ValueFileSet files)
    {
        _filter = filter;
        _files = files;
    }

    /// <summary>What was decided, but to keep.</summary>
    public List<FilterDecision> Decisions { get; } = [];

    /// <summary>Shows an entry, the newest of its key among the compaction's inputs.</summary>
    public void Look(ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue)
    {
        EntryKind kind = InternalValue.Kind(internalValue);
        uint tableId = InternalKey.TableId(internalKey);
        if (_bytes >= MaxBytes || tableId == Catalogue.SystemTableId || kind is EntryKind.Delete or EntryKind.Merge)
            return;
        ReadOnlySpan<byte> key = InternalKey.UserKey(internalKey);
        ulong version = InternalValue.ShownVersion(InternalKey.Version(internalKey), internalValue);
        ulong expiresAtMs = InternalValue.ExpiryUnixMs(internalValue);
        _changed.ResetWrittenCount();
        var entry = new CompactionFilterEntry(tableId, key, version, _value.Of(_files, internalValue), expiresAtMs);
        CompactionDecision decided = _filter.Decide(in entry, _changed);
        if (decided == CompactionDecision.Keep)
            return;
        if (decided > CompactionDecision.Change || _changed.WrittenCount > DatabaseOptions.MaxValueBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"The compaction filter decided {decided} with a value of {_changed.WrittenCount} bytes; it must be Keep, " +
                $"Remove or Change, with at most {DatabaseOptions.MaxValueBytes} bytes.");
        }

        byte[]? value = decided == CompactionDecision.Change ? _changed.WrittenSpan.ToArray() : null;
        var decision = new FilterDecision(tableId, key.ToArray(), version, value, expiresAtMs);
        _bytes += decision.SizeBytes;
        Decisions.Add(decision);
    }

    /// <inheritdoc/>
    public void Dispose() => _value.Dispose();
}
