using System.Buffers.Binary;
using System.Security.Cryptography;
using AiDb.Engine.Encoding;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Engine.Transactions;

namespace AiDb.Engine;

/// <summary>How an <see cref="ExternalTableWriter"/> writes; as the settings of the same names in
/// <see cref="DatabaseOptions"/>.</summary>
public sealed record ExternalTableOptions
{
    /// <summary>Uncompressed bytes of a block. Default: 16 KiB.</summary>
    public int BlockBytes { get; init; } = 16 << 10;

    /// <summary>Bits per key of the filter. Default: 10.</summary>
    public int FilterBitsPerKey { get; init; } = 10;

    /// <summary>How blocks are compressed. Default: LZ4.</summary>
    public BlockCompression Compression { get; init; } = BlockCompression.Lz4;

    /// <summary>Reports invalid settings.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the settings and their
    /// ranges.</exception>
    public void Validate()
    {
        if (BlockBytes is < 512 or > 1 << 20 || FilterBitsPerKey is < 0 or > 32 || !Enum.IsDefined(Compression))
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "Invalid ExternalTableOptions: BlockBytes must be 512 bytes to 1 MiB, FilterBitsPerKey 0 to 32, " +
                "Compression None or Lz4.");
        }
    }
}

/// <summary>Writes a file of sorted keys that <see cref="Database.IngestAsync"/> takes into a table.</summary>
/// <remarks>Use: put and delete in ascending order of the keys, each key once, then <see cref="Finish"/>. Thread
/// safety: none.</remarks>
public sealed class ExternalTableWriter : IDisposable
{
    private readonly IFileSystem _fileSystem;
    private readonly IStorageFile _file;
    private readonly TableBuilder _builder;
    private readonly uint _tableId;
    private readonly GrowingBuffer _key = new(256);
    private readonly GrowingBuffer _value = new(4096);
    private bool _finished;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Must not exist.</param>
    /// <param name="tableId">The table that it is for, <see cref="Table.Id"/>.</param>
    /// <param name="options">How to write it; null: the defaults.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    public ExternalTableWriter(
        string path, uint tableId, ExternalTableOptions? options = null, IFileSystem? fileSystem = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new ExternalTableOptions();
        options.Validate();

        _tableId = tableId;
        _fileSystem = fileSystem ?? PhysicalFileSystem.Instance;
        Path = path;
        Span<byte> id = stackalloc byte[16];
        RandomNumberGenerator.Fill(id);
        try
        {
            _file = _fileSystem.Open(path, FileOpenMode.CreateNew);
        }
        catch (IOException error)
        {
            throw TableErrors.Disk(path, "make", error);
        }

        _builder = new TableBuilder(_file, new TableOptions
        {
            FileId = BinaryPrimitives.ReadUInt128LittleEndian(id),
            BlockBytes = options.BlockBytes,
            FilterBitsPerKey = options.FilterBitsPerKey,
            Compression = options.Compression,
        });
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Keys so far.</summary>
    public long Count => _builder.Entries;

    /// <summary>Sets a key.</summary>
    /// <param name="key">After the one before; 1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="value">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="expiresAt">When it expires; null: never.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: too big, or not after the key
    /// before; the file can be gone on with. Else the disk failed, and it cannot.</exception>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, DateTimeOffset? expiresAt = null)
    {
        if (value.Length > DatabaseOptions.MaxValueBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"value has {value.Length} bytes; the limit is {DatabaseOptions.MaxValueBytes}.");
        }

        EntryKind kind = expiresAt is null ? EntryKind.Put : EntryKind.PutWithExpiry;
        ulong expiry = (ulong)Math.Max(1, expiresAt?.ToUnixTimeMilliseconds() ?? 1);
        _value.Clear();
        InternalValue.Write(_value.Extend(InternalValue.Length(kind, value.Length)), kind, expiry, value);
        Add(key);
    }

    /// <summary>Deletes a key: what the table held of it is gone once the file is ingested.</summary>
    public void Delete(ReadOnlySpan<byte> key)
    {
        _value.Clear();
        _value.Extend(1)[0] = (byte)EntryKind.Delete;
        Add(key);
    }

    /// <summary>Ends the file, durably but for its name in the folder.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it has no keys.</exception>
    public void Finish()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        if (Count == 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "An external table needs at least one key.");
        _builder.Finish();
        try
        {
            _file.Sync();
        }
        catch (IOException error)
        {
            throw TableErrors.Disk(Path, "sync", error);
        }

        _finished = true;
        Close();
    }

    /// <summary>Ends the writer; a file that was not finished is deleted.</summary>
    public void Dispose()
    {
        Close();
        if (_finished)
            return;
        _finished = true;
        try
        {
            _fileSystem.DeleteFile(Path);
        }
        catch (IOException)
        {
            // Without a footer it is never taken for a table.
        }
    }

    private void Add(ReadOnlySpan<byte> key)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        Table.CheckKey(key);
        if (Count > 0 && InternalKey.UserKey(_key.Span).SequenceCompareTo(key) >= 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"Keys must ascend: {KeyText.Of(key)} is not after {KeyText.Of(InternalKey.UserKey(_key.Span))}.");
        }

        _key.Clear();

        // The version comes from the log entry of the ingest and stands for all entries of the file.
        InternalKey.Write(_key.Extend(InternalKey.Length(key.Length)), _tableId, key, version: 0);
        _builder.Add(_key.Span, _value.Span);
    }

    private void Close()
    {
        _builder.Dispose();
        _file.Dispose();
        _key.Dispose();
        _value.Dispose();
    }
}
