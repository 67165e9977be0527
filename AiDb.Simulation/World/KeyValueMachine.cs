using System.Buffers.Binary;

namespace AiDb.Simulation.World;

/// <summary>What a client asks for.</summary>
internal enum OperationKind : byte
{
    /// <summary>Reads a key.</summary>
    Read = 1,

    /// <summary>Sets a key.</summary>
    Put = 2,

    /// <summary>Sets a key that has a certain value.</summary>
    CompareAndSet = 3,
}

/// <summary>An operation on one key.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Key">The key.</param>
/// <param name="Expected">The value that is compared; 0: absent.</param>
/// <param name="Value">The value that is set; never 0.</param>
/// <param name="Client">Who asks.</param>
/// <param name="Sequence">The client's number of it, the same for every attempt.</param>
internal readonly record struct Operation(
    OperationKind Kind, int Key, long Expected, long Value, int Client, int Sequence)
{
    private const int Bytes = 29;

    /// <summary>The operation as an entry's payload.</summary>
    public byte[] Write()
    {
        byte[] bytes = new byte[Bytes];
        bytes[0] = (byte)Kind;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(1), Key);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(5), Expected);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(13), Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(21), Client);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(25), Sequence);
        return bytes;
    }

    /// <summary>The operation of a payload.</summary>
    public static Operation Parse(ReadOnlySpan<byte> bytes) => new(
        (OperationKind)bytes[0],
        BinaryPrimitives.ReadInt32LittleEndian(bytes[1..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[5..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[13..]),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[21..]),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[25..]));
}

/// <summary>What came of an operation.</summary>
/// <param name="Done">Of a compare-and-set: whether it set.</param>
/// <param name="Value">Of a read: the value; 0: absent.</param>
internal readonly record struct OperationResult(bool Done, long Value);

/// <summary>The state that applying a log gives: values, and what each client was last answered, so that a repeated request
/// is carried out once.</summary>
internal sealed class KeyValueMachine
{
    private readonly SortedDictionary<int, long> _values = [];
    private readonly SortedDictionary<int, (int Sequence, OperationResult Result)> _answers = [];

    /// <summary>The value of a key; 0: absent.</summary>
    public long Read(int key) => _values.GetValueOrDefault(key);

    /// <summary>Applies an operation; null: it is older than the client's last one and is not carried out.</summary>
    public OperationResult? Apply(Operation operation)
    {
        if (_answers.TryGetValue(operation.Client, out (int Sequence, OperationResult Result) last)
            && last.Sequence >= operation.Sequence)
        {
            return last.Sequence == operation.Sequence ? last.Result : null;
        }

        bool sets = operation.Kind == OperationKind.Put || Read(operation.Key) == operation.Expected;
        if (sets)
            _values[operation.Key] = operation.Value;
        var result = new OperationResult(sets, 0);
        _answers[operation.Client] = (operation.Sequence, result);
        return result;
    }

    /// <summary>A hash over all of it.</summary>
    public ulong Hash()
    {
        ulong hash = 14695981039346656037;
        foreach ((int key, long value) in _values)
            hash = ((hash ^ (ulong)key) * 1099511628211 ^ (ulong)value) * 1099511628211;
        foreach ((int client, (int Sequence, OperationResult Result) last) in _answers)
            hash = ((hash ^ (ulong)client) * 1099511628211 ^ (ulong)last.Sequence) * 1099511628211;
        return hash;
    }
}
