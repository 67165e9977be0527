using System.Runtime.InteropServices;
using System.Text;
using AiDb.Benchmarks.Workload;
using Native = AiDb.Benchmarks.Stores.RocksDbNative;

namespace AiDb.Benchmarks.Stores;

/// <summary>RocksDB through its C API, used as its experts do: reused options and batches, pinned reads,
/// batched multi-get.</summary>
internal sealed unsafe class RocksDbStore : IStore
{
    private const int NoCompression = 0;
    private const int Lz4Compression = 4;

    private readonly nint _database;
    private readonly nint _family;
    private readonly nint _options;
    private readonly nint _tableOptions;
    private readonly nint _cache;
    private readonly RocksDbEventLog _events;

    public RocksDbStore(string path, StoreOptions options)
    {
        _cache = Native.CacheCreateLru((nuint)options.CacheBytes);
        _tableOptions = Native.TableOptionsCreate();
        Native.SetBlockSize(_tableOptions, (nuint)options.RocksDbBlockBytes);
        Native.SetBlockCache(_tableOptions, _cache);
        Native.SetFilterPolicy(_tableOptions, Native.FilterPolicyCreateBloom(StoreOptions.FilterBitsPerKey));
        _options = Native.OptionsCreate();
        Native.SetCreateIfMissing(_options, 1);
        Native.SetCompression(_options, options.Lz4 ? Lz4Compression : NoCompression);
        Native.SetWriteBufferSize(_options, (nuint)options.MemtableBytes);
        Native.SetMaxWriteBufferNumber(_options, options.ImmutableMemtables + 1);
        Native.SetLevel0CompactionTrigger(_options, StoreOptions.Level0CompactionTrigger);
        Native.SetLevel0SlowdownTrigger(_options, StoreOptions.Level0SlowdownTrigger);
        Native.SetLevel0StopTrigger(_options, StoreOptions.Level0StopTrigger);
        Native.SetTargetFileSizeBase(_options, (ulong)options.TableBytes);
        Native.SetMaxBytesForLevelBase(_options, (ulong)options.Level1Bytes);
        Native.SetMaxBackgroundJobs(_options, StoreOptions.BackgroundThreads);
        Native.SetMaxOpenFiles(_options, -1);
        Native.SetKeepLogFileNum(_options, 1);
        Native.SetBlockBasedTableFactory(_options, _tableOptions);

        Directory.CreateDirectory(path);
        byte* error = null;
        nint familyOptions = _options;
        nint family = 0;
        fixed (byte* pathBytes = Encoding.UTF8.GetBytes(path + '\0'))
        fixed (byte* familyName = "default\0"u8)
        {
            byte* name = familyName;
            _database = Native.OpenColumnFamilies(_options, pathBytes, 1, &name, &familyOptions, &family, &error);
        }

        Check(error);
        _family = family;
        _events = new RocksDbEventLog(Path.Combine(path, "LOG"));
    }

    public long BackgroundBytes => _events.TableBytes();

    public bool IsIdle =>
        Property("rocksdb.num-immutable-mem-table\0"u8) == 0
        && Property("rocksdb.mem-table-flush-pending\0"u8) == 0
        && Property("rocksdb.num-running-flushes\0"u8) == 0
        && Property("rocksdb.compaction-pending\0"u8) == 0
        && Property("rocksdb.num-running-compactions\0"u8) == 0;

    public void Flush()
    {
        nint options = Native.FlushOptionsCreate();
        byte* error = null;
        Native.Flush(_database, options, &error);
        Native.FlushOptionsDestroy(options);
        Check(error);
    }

    public void Compact()
    {
        Flush();
        Native.CompactRange(_database, null, 0, null, 0);
    }

    public StoreSession CreateSession(bool isSynced) => new Session(_database, _family, isSynced);

    public void Dispose()
    {
        Native.ColumnFamilyDestroy(_family);
        Native.Close(_database);
        Native.OptionsDestroy(_options);
        Native.TableOptionsDestroy(_tableOptions);
        Native.CacheDestroy(_cache);
    }

    private static void Check(byte* error)
    {
        if (error is null)
            return;
        string message = Marshal.PtrToStringUTF8((nint)error) ?? "";
        Native.Free(error);
        throw new AiDbException(AiDbErrorKind.Internal, $"RocksDB: {message}");
    }

    private ulong Property(ReadOnlySpan<byte> name)
    {
        ulong value = 0;
        fixed (byte* nameBytes = name)
        {
            if (Native.PropertyInt(_database, nameBytes, &value) != 0)
            {
                throw new AiDbException(
                    AiDbErrorKind.Internal, $"RocksDB does not know the property {Encoding.UTF8.GetString(name)}.");
            }
        }

        return value;
    }

    private sealed class Session : StoreSession
    {
        private readonly nint _database;
        private readonly nint _family;
        private readonly nint _writeOptions;
        private readonly nint _readOptions;
        private readonly nint _batch;
        private nint _iterator;

        public Session(nint database, nint family, bool isSynced)
        {
            _database = database;
            _family = family;
            _batch = Native.BatchCreate();
            _readOptions = Native.ReadOptionsCreate();
            _writeOptions = Native.WriteOptionsCreate();
            Native.WriteOptionsSetSync(_writeOptions, isSynced ? (byte)1 : (byte)0);
        }

        public override void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            AddToBatch(key, value);
            WriteBatch();
        }

        public override void AddToBatch(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            fixed (byte* keyBytes = key)
            fixed (byte* valueBytes = value)
                Native.BatchPut(_batch, keyBytes, (nuint)key.Length, valueBytes, (nuint)value.Length);
        }

        public override void WriteBatch()
        {
            byte* error = null;
            Native.Write(_database, _writeOptions, _batch, &error);
            Native.BatchClear(_batch);
            Check(error);
        }

        public override void Delete(ReadOnlySpan<byte> key)
        {
            fixed (byte* keyBytes = key)
                Native.BatchDelete(_batch, keyBytes, (nuint)key.Length);
            WriteBatch();
        }

        public override bool Get(ReadOnlySpan<byte> key)
        {
            byte* error = null;
            nint slice;
            fixed (byte* keyBytes = key)
                slice = Native.GetPinned(_database, _readOptions, keyBytes, (nuint)key.Length, &error);
            Check(error);
            return slice != 0 && Take(slice);
        }

        public override int MultiGet(byte[] keys)
        {
            byte** keyList = stackalloc byte*[KeyCodec.BatchKeys];
            nuint* keyBytes = stackalloc nuint[KeyCodec.BatchKeys];
            nint* slices = stackalloc nint[KeyCodec.BatchKeys];
            byte** errors = stackalloc byte*[KeyCodec.BatchKeys];
            int found = 0;
            fixed (byte* first = keys)
            {
                for (int index = 0; index < KeyCodec.BatchKeys; index++)
                {
                    keyList[index] = first + (index * KeyCodec.KeyBytes);
                    keyBytes[index] = KeyCodec.KeyBytes;
                }

                Native.BatchedMultiGet(
                    _database, _readOptions, _family, KeyCodec.BatchKeys, keyList, keyBytes, slices, errors, 0);
            }

            for (int index = 0; index < KeyCodec.BatchKeys; index++)
            {
                Check(errors[index]);
                if (slices[index] != 0 && Take(slices[index]))
                    found++;
            }

            return found;
        }

        public override int Seek(ReadOnlySpan<byte> key, int entries, bool reverse)
        {
            nint iterator = Native.IteratorCreate(_database, _readOptions);
            int found = SeekWith(iterator, key, entries, reverse);
            Native.IteratorDestroy(iterator);
            return found;
        }

        public override int SeekAgain(ReadOnlySpan<byte> key, int entries, bool reverse)
        {
            if (_iterator == 0)
                _iterator = Native.IteratorCreate(_database, _readOptions);
            return SeekWith(_iterator, key, entries, reverse);
        }

        public override long Walk(long entries, bool reverse, CancellationToken cancellationToken)
        {
            nint iterator = Native.IteratorCreate(_database, _readOptions);
            if (reverse)
                Native.IteratorSeekToLast(iterator);
            else
                Native.IteratorSeekToFirst(iterator);
            long found = 0;
            while (found < entries && Native.IteratorValid(iterator) != 0)
            {
                if ((++found & 0xFFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                TakeEntry(iterator);
                if (reverse)
                    Native.IteratorPrevious(iterator);
                else
                    Native.IteratorNext(iterator);
            }

            CheckIterator(iterator);
            Native.IteratorDestroy(iterator);
            return found;
        }

        public override void Dispose()
        {
            if (_iterator != 0)
                Native.IteratorDestroy(_iterator);
            Native.BatchDestroy(_batch);
            Native.ReadOptionsDestroy(_readOptions);
            Native.WriteOptionsDestroy(_writeOptions);
        }

        private static void CheckIterator(nint iterator)
        {
            byte* error = null;
            Native.IteratorError(iterator, &error);
            Check(error);
        }

        private bool Take(nint slice)
        {
            nuint bytes;
            byte* value = Native.PinnedValue(slice, &bytes);
            Checksum += value[bytes - 1];
            Native.PinnedDestroy(slice);
            return true;
        }

        private int SeekWith(nint iterator, ReadOnlySpan<byte> key, int entries, bool reverse)
        {
            fixed (byte* keyBytes = key)
            {
                if (reverse)
                    Native.IteratorSeekForPrevious(iterator, keyBytes, (nuint)key.Length);
                else
                    Native.IteratorSeek(iterator, keyBytes, (nuint)key.Length);
            }

            int found = 0;
            while (Native.IteratorValid(iterator) != 0)
            {
                TakeEntry(iterator);
                if (++found == entries)
                    return found;
                if (reverse)
                    Native.IteratorPrevious(iterator);
                else
                    Native.IteratorNext(iterator);
            }

            CheckIterator(iterator);
            return found;
        }

        private void TakeEntry(nint iterator)
        {
            nuint bytes;
            byte* key = Native.IteratorKey(iterator, &bytes);
            ulong last = key[bytes - 1];
            byte* value = Native.IteratorValue(iterator, &bytes);
            Checksum += last + value[bytes - 1];
        }
    }
}
