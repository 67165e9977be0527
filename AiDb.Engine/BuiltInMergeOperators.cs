using System.Buffers;
using System.Buffers.Binary;

namespace AiDb.Engine;

/// <summary>The merge operators that every database knows without registering them.</summary>
public static class BuiltInMergeOperators
{
    /// <summary>Adds numbers of 8 bytes, little-endian, signed; they wrap around. A key without a value counts as
    /// 0.</summary>
    public static IMergeOperator Int64Add { get; } = new Int64Operator("int64-add", static (a, b) => unchecked(a + b), true);

    /// <summary>Keeps the greatest number of 8 bytes, little-endian, signed.</summary>
    public static IMergeOperator Int64Max { get; } = new Int64Operator("int64-max", Math.Max, false);

    /// <summary>Keeps the smallest number of 8 bytes, little-endian, signed.</summary>
    public static IMergeOperator Int64Min { get; } = new Int64Operator("int64-min", Math.Min, false);

    /// <summary>Puts operands behind the value, with nothing between.</summary>
    public static IMergeOperator Append { get; } = new AppendOperator("append", []);

    /// <summary>Puts operands behind the value, a comma before each but a first.</summary>
    public static IMergeOperator AppendComma { get; } = new AppendOperator("append-comma", ","u8.ToArray());

    internal static IReadOnlyList<IMergeOperator> All { get; } = [Int64Add, Int64Max, Int64Min, Append, AppendComma];

    /// <summary>Puts operands behind the value, a separator before each but a first.</summary>
    /// <param name="name">The operator's name, which stands for this separator for ever.</param>
    /// <param name="separator">The bytes between.</param>
    public static IMergeOperator AppendWith(string name, ReadOnlySpan<byte> separator) =>
        new AppendOperator(name, separator.ToArray());

    private sealed class Int64Operator(string name, Func<long, long, long> combine, bool startsAtZero) : IMergeOperator
    {
        public string Name => name;

        public bool TryMerge(in MergeInput merge, IBufferWriter<byte> result)
        {
            bool any = merge.HasValue || startsAtZero;
            if (merge.HasValue && merge.Value.Length != sizeof(long))
                return false;
            long total = merge.HasValue ? BinaryPrimitives.ReadInt64LittleEndian(merge.Value) : 0;
            foreach (ReadOnlySpan<byte> operand in merge)
            {
                if (operand.Length != sizeof(long))
                    return false;
                long number = BinaryPrimitives.ReadInt64LittleEndian(operand);
                total = any ? combine(total, number) : number;
                any = true;
            }

            BinaryPrimitives.WriteInt64LittleEndian(result.GetSpan(sizeof(long)), total);
            result.Advance(sizeof(long));
            return true;
        }
    }

    private sealed class AppendOperator(string name, byte[] separator) : IMergeOperator
    {
        public string Name => name;

        public bool TryMerge(in MergeInput merge, IBufferWriter<byte> result)
        {
            result.Write(merge.Value);
            bool any = merge.HasValue;
            foreach (ReadOnlySpan<byte> operand in merge)
            {
                if (any)
                    result.Write(separator);
                result.Write(operand);
                any = true;
            }

            return true;
        }
    }
}
