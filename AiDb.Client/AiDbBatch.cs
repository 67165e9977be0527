using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Client;

/// <summary>Writes that are applied together or not at all. All keys must belong to one partition, unless
/// <see cref="Atomic"/> is false.</summary>
/// <remarks>Thread safety: none. Keys and values are copied in. Conditions look at the state before the
/// batch.</remarks>
public sealed class AiDbBatch
{
    private readonly List<BatchOperation> _operations = [];

    /// <summary>Operations in the batch, checks included.</summary>
    public int Count => _operations.Count;

    /// <summary>Bytes of the keys and values in it.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>False: keys of several partitions are allowed, each partition's part is atomic, and
    /// <see cref="BatchOutcome.Results"/> says how each operation went. Default: true.</summary>
    public bool Atomic { get; set; } = true;

    /// <summary>Sets a key.</summary>
    /// <param name="table">The table; made with defaults where it is missing.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="value">0 bytes to 64 MiB.</param>
    /// <param name="timeToLive">How long it lives; null: the table's default.</param>
    /// <param name="condition">What must hold of the key.</param>
    /// <returns>This batch.</returns>
    public AiDbBatch Put(
        string table, AiDbKey key, ReadOnlyMemory<byte> value, TimeSpan? timeToLive = null, Condition condition = default)
    {
        BatchOperation operation = Make(table, key, condition);
        operation.Put = new BatchOperation.Types.Put
        {
            Value = ByteString.CopyFrom(value.Span),
            TtlMs = WireMapping.TimeToLive(timeToLive),
        };
        return Add(operation, value.Length);
    }

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    public AiDbBatch Delete(string table, AiDbKey key, Condition condition = default)
    {
        BatchOperation operation = Make(table, key, condition);
        operation.Delete = true;
        return Add(operation, 0);
    }

    /// <summary>Adds a condition on a key that the batch does not write.</summary>
    public AiDbBatch Require(string table, AiDbKey key, Condition condition)
    {
        BatchOperation operation = Make(table, key, condition);
        operation.Require = true;
        return Add(operation, 0);
    }

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        _operations.Clear();
        SizeBytes = 0;
    }

    // A request of its own for each call, so that changing the batch afterwards does not change what is being
    // sent.
    internal BatchRequest ToRequest(WriteOptions options)
    {
        if (options.Condition != default || options.TimeToLive is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "A batch takes conditions and times to live by operation, not in its WriteOptions.");
        }

        BatchRequest request = new()
        {
            Atomic = Atomic,
            Partition = WireMapping.Bytes(options.Partition),
            Durability = WireMapping.ToWire(options.Durability),
        };
        request.Operations.AddRange(_operations);
        return request;
    }

    private static BatchOperation Make(string table, AiDbKey key, Condition condition)
    {
        WireMapping.CheckTable(table);
        return new BatchOperation
        {
            Table = table,
            Key = WireMapping.Key(key),
            Condition = WireMapping.ToWire(condition),
        };
    }

    private AiDbBatch Add(BatchOperation operation, int valueBytes)
    {
        _operations.Add(operation);
        SizeBytes += operation.Key.Length + valueBytes;
        return this;
    }
}
