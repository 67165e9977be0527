using AiDb.Benchmarks.Workload;
using AiDb.Engine;

namespace AiDb.Benchmarks.Stores;

/// <summary>AiDb, embedded.</summary>
internal sealed class AiDbStore : IStore
{
    private readonly Database _database;
    private readonly Table _table;

    public AiDbStore(string path, StoreOptions options)
    {
        _database = Database.Open(path, new DatabaseOptions
        {
            BlockCacheBytes = options.CacheBytes,
            MemtableBytes = options.MemtableBytes,
            MaxImmutableMemtables = options.ImmutableMemtables,
            BlockBytes = options.AiDbBlockBytes,
            FilterBitsPerKey = StoreOptions.FilterBitsPerKey,
            Compression = options.Lz4 ? BlockCompression.Lz4 : BlockCompression.None,
            TableBytes = options.TableBytes,
            Level0CompactionTrigger = StoreOptions.Level0CompactionTrigger,
            Level0SlowdownTrigger = StoreOptions.Level0SlowdownTrigger,
            Level0StopTrigger = StoreOptions.Level0StopTrigger,
            Level1Bytes = options.Level1Bytes,
            DefaultDurability = WriteDurability.Memory,

            // RocksDB never syncs its log by itself and keeps none that is flushed.
            MemorySyncInterval = TimeSpan.FromMinutes(1),
            LogRetentionBytes = 0,
            LogSegmentBytes = options.MemtableBytes,
            WriteStallTimeout = TimeSpan.FromMinutes(10),
        });
        _table = _database.GetOrCreateTable("bench");
    }

    public long BackgroundBytes
    {
        get
        {
            DatabaseStatistics statistics = _database.GetStatistics();
            return statistics.FlushedBytes + statistics.CompactedBytes;
        }
    }

    public bool IsIdle => _database.GetStatistics().IsBackgroundIdle;

    public void Flush() => Wait(_database.FlushAsync());

    public void Compact() => Wait(_database.CompactAsync());

    public StoreSession CreateSession(bool isSynced) => new Session(
        _database, _table, isSynced ? WriteDurability.Synced : WriteDurability.Memory);

    public void Dispose() => _database.Dispose();

    private static void Wait(ValueTask task)
    {
#pragma warning disable VSTHRD002 // The main thread of a console program has nothing else to do.
        task.AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }

    private sealed class Session(Database database, Table table, WriteDurability durability) : StoreSession
    {
        private readonly WriteBatch _batch = new();
        private readonly ReadOnlyMemory<byte>[] _keys = new ReadOnlyMemory<byte>[KeyCodec.BatchKeys];
        private readonly ValueLease[] _values = new ValueLease[KeyCodec.BatchKeys];
        private readonly byte[] _seekKey = new byte[KeyCodec.KeyBytes + 1];
        private byte[]? _keysOf;

        public override void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
            table.Put(key, value, durability: durability);

        public override void AddToBatch(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
            _batch.Put(table, key, value);

        public override void WriteBatch()
        {
            database.Write(_batch, durability);
            _batch.Clear();
        }

        public override void Delete(ReadOnlySpan<byte> key) => table.Delete(key, durability);

        public override bool Get(ReadOnlySpan<byte> key)
        {
            if (!table.TryGet(key, out ValueLease value))
                return false;
            Checksum += value.Span[^1];
            value.Dispose();
            return true;
        }

        public override int MultiGet(byte[] keys)
        {
            if (_keysOf != keys)
            {
                for (int index = 0; index < _keys.Length; index++)
                    _keys[index] = keys.AsMemory(index * KeyCodec.KeyBytes, KeyCodec.KeyBytes);
                _keysOf = keys;
            }

            table.MultiGet(_keys, _values);
            int found = 0;
            foreach (ref ValueLease value in _values.AsSpan())
            {
                if (!value.Found)
                    continue;
                found++;
                Checksum += value.Span[^1];
                value.Dispose();
            }

            return found;
        }

        public override int Seek(ReadOnlySpan<byte> key, int entries, bool reverse)
        {
            key.CopyTo(_seekKey);

            // The end of a range is exclusive; the key with a zero behind it is the next one possible.
            ScanRange range = reverse
                ? new ScanRange { End = _seekKey, Reverse = true }
                : new ScanRange { Start = _seekKey.AsMemory(0, key.Length) };
            using ScanCursor cursor = table.Scan(range);
            int found = 0;
            while (found < entries && cursor.MoveNext())
            {
                found++;
                Checksum += cursor.Key[^1] + (ulong)cursor.Value[^1];
            }

            return found;
        }

        public override int SeekAgain(ReadOnlySpan<byte> key, int entries, bool reverse) => Seek(key, entries, reverse);

        public override long Walk(long entries, bool reverse, CancellationToken cancellationToken)
        {
            using ScanCursor cursor = table.Scan(new ScanRange { Reverse = reverse });
            long found = 0;
            while (found < entries && cursor.MoveNext())
            {
                if ((++found & 0xFFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                Checksum += cursor.Key[^1] + (ulong)cursor.Value[^1];
            }

            return found;
        }

        public override void Dispose()
        {
        }
    }
}
