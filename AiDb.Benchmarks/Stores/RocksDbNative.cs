using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace AiDb.Benchmarks.Stores;

/// <summary>The functions of RocksDB's C API that the benchmark calls. Signatures are blittable, so a call
/// costs no marshalling; what neither blocks nor takes long leaves out the switch of the collector's mode,
/// too.</summary>
internal static unsafe partial class RocksDbNative
{
    private const string Library = RocksDbLibrary.Name;

    [LibraryImport(Library, EntryPoint = "rocksdb_options_create")]
    public static partial nint OptionsCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_options_destroy")]
    public static partial void OptionsDestroy(nint options);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_create_if_missing")]
    public static partial void SetCreateIfMissing(nint options, byte value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_compression")]
    public static partial void SetCompression(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_write_buffer_size")]
    public static partial void SetWriteBufferSize(nint options, nuint value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_max_write_buffer_number")]
    public static partial void SetMaxWriteBufferNumber(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_level0_file_num_compaction_trigger")]
    public static partial void SetLevel0CompactionTrigger(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_level0_slowdown_writes_trigger")]
    public static partial void SetLevel0SlowdownTrigger(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_level0_stop_writes_trigger")]
    public static partial void SetLevel0StopTrigger(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_target_file_size_base")]
    public static partial void SetTargetFileSizeBase(nint options, ulong value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_max_bytes_for_level_base")]
    public static partial void SetMaxBytesForLevelBase(nint options, ulong value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_max_background_jobs")]
    public static partial void SetMaxBackgroundJobs(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_max_open_files")]
    public static partial void SetMaxOpenFiles(nint options, int value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_keep_log_file_num")]
    public static partial void SetKeepLogFileNum(nint options, nuint value);

    [LibraryImport(Library, EntryPoint = "rocksdb_options_set_block_based_table_factory")]
    public static partial void SetBlockBasedTableFactory(nint options, nint tableOptions);

    [LibraryImport(Library, EntryPoint = "rocksdb_block_based_options_create")]
    public static partial nint TableOptionsCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_block_based_options_destroy")]
    public static partial void TableOptionsDestroy(nint tableOptions);

    [LibraryImport(Library, EntryPoint = "rocksdb_block_based_options_set_block_size")]
    public static partial void SetBlockSize(nint tableOptions, nuint value);

    [LibraryImport(Library, EntryPoint = "rocksdb_block_based_options_set_block_cache")]
    public static partial void SetBlockCache(nint tableOptions, nint cache);

    [LibraryImport(Library, EntryPoint = "rocksdb_block_based_options_set_filter_policy")]
    public static partial void SetFilterPolicy(nint tableOptions, nint policy);

    [LibraryImport(Library, EntryPoint = "rocksdb_filterpolicy_create_bloom_full")]
    public static partial nint FilterPolicyCreateBloom(double bitsPerKey);

    [LibraryImport(Library, EntryPoint = "rocksdb_cache_create_lru")]
    public static partial nint CacheCreateLru(nuint capacity);

    [LibraryImport(Library, EntryPoint = "rocksdb_cache_destroy")]
    public static partial void CacheDestroy(nint cache);

    [LibraryImport(Library, EntryPoint = "rocksdb_writeoptions_create")]
    public static partial nint WriteOptionsCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_writeoptions_set_sync")]
    public static partial void WriteOptionsSetSync(nint options, byte value);

    [LibraryImport(Library, EntryPoint = "rocksdb_writeoptions_destroy")]
    public static partial void WriteOptionsDestroy(nint options);

    [LibraryImport(Library, EntryPoint = "rocksdb_readoptions_create")]
    public static partial nint ReadOptionsCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_readoptions_destroy")]
    public static partial void ReadOptionsDestroy(nint options);

    [LibraryImport(Library, EntryPoint = "rocksdb_flushoptions_create")]
    public static partial nint FlushOptionsCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_flushoptions_destroy")]
    public static partial void FlushOptionsDestroy(nint options);

    [LibraryImport(Library, EntryPoint = "rocksdb_open_column_families")]
    public static partial nint OpenColumnFamilies(
        nint options, byte* path, int count, byte** names, nint* familyOptions, nint* families, byte** error);

    [LibraryImport(Library, EntryPoint = "rocksdb_column_family_handle_destroy")]
    public static partial void ColumnFamilyDestroy(nint family);

    [LibraryImport(Library, EntryPoint = "rocksdb_close")]
    public static partial void Close(nint database);

    [LibraryImport(Library, EntryPoint = "rocksdb_flush")]
    public static partial void Flush(nint database, nint options, byte** error);

    [LibraryImport(Library, EntryPoint = "rocksdb_compact_range")]
    public static partial void CompactRange(nint database, byte* start, nuint startBytes, byte* limit, nuint limitBytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_property_int")]
    public static partial int PropertyInt(nint database, byte* name, ulong* value);

    [LibraryImport(Library, EntryPoint = "rocksdb_free")]
    public static partial void Free(void* pointer);

    [LibraryImport(Library, EntryPoint = "rocksdb_writebatch_create")]
    public static partial nint BatchCreate();

    [LibraryImport(Library, EntryPoint = "rocksdb_writebatch_destroy")]
    public static partial void BatchDestroy(nint batch);

    [LibraryImport(Library, EntryPoint = "rocksdb_writebatch_clear")]
    [SuppressGCTransition]
    public static partial void BatchClear(nint batch);

    [LibraryImport(Library, EntryPoint = "rocksdb_writebatch_put")]
    [SuppressGCTransition]
    public static partial void BatchPut(nint batch, byte* key, nuint keyBytes, byte* value, nuint valueBytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_writebatch_delete")]
    [SuppressGCTransition]
    public static partial void BatchDelete(nint batch, byte* key, nuint keyBytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_write")]
    public static partial void Write(nint database, nint options, nint batch, byte** error);

    [LibraryImport(Library, EntryPoint = "rocksdb_get_pinned")]
    public static partial nint GetPinned(nint database, nint options, byte* key, nuint keyBytes, byte** error);

    [LibraryImport(Library, EntryPoint = "rocksdb_pinnableslice_destroy")]
    public static partial void PinnedDestroy(nint slice);

    [LibraryImport(Library, EntryPoint = "rocksdb_pinnableslice_value")]
    [SuppressGCTransition]
    public static partial byte* PinnedValue(nint slice, nuint* bytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_batched_multi_get_cf")]
    public static partial void BatchedMultiGet(
        nint database, nint options, nint family, nuint count, byte** keys, nuint* keyBytes, nint* slices, byte** errors,
        byte isSorted);

    [LibraryImport(Library, EntryPoint = "rocksdb_create_iterator")]
    public static partial nint IteratorCreate(nint database, nint options);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_destroy")]
    public static partial void IteratorDestroy(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_seek")]
    public static partial void IteratorSeek(nint iterator, byte* key, nuint keyBytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_seek_for_prev")]
    public static partial void IteratorSeekForPrevious(nint iterator, byte* key, nuint keyBytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_seek_to_first")]
    public static partial void IteratorSeekToFirst(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_seek_to_last")]
    public static partial void IteratorSeekToLast(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_next")]
    public static partial void IteratorNext(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_prev")]
    public static partial void IteratorPrevious(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_valid")]
    [SuppressGCTransition]
    public static partial byte IteratorValid(nint iterator);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_key")]
    [SuppressGCTransition]
    public static partial byte* IteratorKey(nint iterator, nuint* bytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_value")]
    [SuppressGCTransition]
    public static partial byte* IteratorValue(nint iterator, nuint* bytes);

    [LibraryImport(Library, EntryPoint = "rocksdb_iter_get_error")]
    public static partial void IteratorError(nint iterator, byte** error);
}
