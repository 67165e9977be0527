using System.Buffers;

namespace AiDb.Engine;

/// <summary>Combines what a key holds with operands that were written to it by <see cref="WriteBatch.Merge"/>, when the
/// key is read or its table compacted. Registered in <see cref="DatabaseComponents.MergeOperators"/>.</summary>
/// <remarks>
/// Thread safety: called concurrently. The result must depend on the arguments alone, in every version of the program:
/// the same operands are combined by reads and compactions, at different times and in different groups, and on other
/// machines. Combining the first operands to a value and the rest with that value must give the same as combining all
/// at once.
/// </remarks>
public interface IMergeOperator
{
    /// <summary>The name under which tables remember it: 1 to 255 ASCII characters. A name stands for one behaviour for
    /// ever; what works differently gets another.</summary>
    string Name { get; }

    /// <summary>Combines a value with operands.</summary>
    /// <param name="merge">Key, value and operands.</param>
    /// <param name="result">Takes the bytes of the new value.</param>
    /// <returns>False when the operands are not such as the operator takes. Reads of the key then fail with
    /// <see cref="AiDbErrorKind.InvalidArgument"/>, until it is set or deleted.</returns>
    bool TryMerge(in MergeInput merge, IBufferWriter<byte> result);
}

/// <summary>What a merge operator works on.</summary>
public readonly ref struct MergeInput
{
    private readonly ReadOnlySpan<byte> _operands;

    internal MergeInput(
        ReadOnlySpan<byte> key, bool hasValue, ReadOnlySpan<byte> value, ReadOnlySpan<byte> operands)
    {
        Key = key;
        HasValue = hasValue;
        Value = value;
        _operands = operands;
    }

    /// <summary>The key.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>Whether the key had a value before the operands.</summary>
    public bool HasValue { get; }

    /// <summary>That value; empty when there was none.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>The operands, oldest first; at least one.</summary>
    public Enumerator GetEnumerator() => new(_operands);

    /// <summary>Walks the operands.</summary>
    public ref struct Enumerator
    {
        private ReadOnlySpan<byte> _rest;

        internal Enumerator(ReadOnlySpan<byte> operands)
        {
            _rest = operands;
            Current = default;
        }

        /// <summary>The operand.</summary>
        public ReadOnlySpan<byte> Current { get; private set; }

        /// <summary>Goes to the next operand; false at the end.</summary>
        public bool MoveNext()
        {
            bool found = Merging.MergeEntry.TryNext(ref _rest, out ReadOnlySpan<byte> current);
            Current = current;
            return found;
        }
    }
}
