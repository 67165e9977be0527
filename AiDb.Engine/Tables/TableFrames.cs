using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>A block found without an index.</summary>
/// <param name="Handle">Where it is.</param>
/// <param name="Type">What it says it is.</param>
internal readonly record struct FoundFrame(BlockHandle Handle, byte Type);

/// <summary>
/// Finds the blocks of a table by their frames alone, front to back, so that damage to one of them, or to index and
/// footer, hides no other. Blocks lie end to end: from a block's known start its trailer is the first one whose
/// checksum holds. Behind damage the next start is found again at the end of what looks like a trailer, at the start
/// that a trailer of an uncompressed block states, or where the index says so.
/// </summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class TableFrames
{
    private readonly byte[] _bytes;
    private readonly UInt128 _fileId;
    private readonly int _end;
    private readonly SortedSet<int> _starts;

    /// <summary>Takes the bytes of a whole file.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="fileId">The identity that its checksums cover.</param>
    /// <param name="starts">Offsets at which blocks are known to begin; may be empty.</param>
    public TableFrames(byte[] bytes, UInt128 fileId, IEnumerable<ulong> starts)
    {
        _bytes = bytes;
        _fileId = fileId;
        bool hasFooter = bytes.Length >= TableFormat.FooterBytes
            && bytes.AsSpan(bytes.Length - TableFormat.FooterMagic.Length).SequenceEqual(TableFormat.FooterMagic);
        _end = hasFooter ? bytes.Length - TableFormat.FooterBytes : bytes.Length;
        _starts = [.. starts.Where(start => start < (ulong)_end).Select(static start => (int)start)];
    }

    /// <summary>The valid frames in file order; between two that do not touch lies damage.</summary>
    public IEnumerable<FoundFrame> Find()
    {
        int position = TableFormat.HeaderBytes;
        while (position < _end)
        {
            int length = MeasureFrame(position);
            if (length == 0)
            {
                position = Resume(position);
                continue;
            }

            yield return new FoundFrame(new BlockHandle((ulong)position, (uint)length), _bytes[position + length - TableFormat.TrailerBytes]);
            position += length;
        }
    }

    /// <summary>Bytes of the valid frame that begins there; 0: none does.</summary>
    private int MeasureFrame(int start)
    {
        uint checksum = 0;
        int summed = start;
        for (int trailer = start; trailer + TableFormat.TrailerBytes <= _end; trailer++)
        {
            trailer = NextTrailer(trailer);
            if (trailer < 0)
                return 0;
            checksum = Crc32C.Append(checksum, _bytes.AsSpan(summed, trailer - summed));
            summed = trailer;
            if (Holds(checksum, trailer, start))
                return trailer - start + TableFormat.TrailerBytes;
        }

        return 0;
    }

    /// <summary>Where the next block may begin behind damage; the end when none does.</summary>
    private int Resume(int damaged)
    {
        for (int trailer = NextTrailer(damaged); trailer >= 0; trailer = NextTrailer(trailer + 1))
        {
            // The block before may be the damaged one, with a trailer that is not.
            foreach (int known in _starts.GetViewBetween(damaged + 1, Math.Max(damaged + 1, trailer)))
            {
                if (MeasureFrame(known) > 0)
                    return known;
            }

            int length = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(trailer + 4));
            int stated = trailer - length;
            if (_bytes[trailer + 1] == (byte)BlockCompression.None && length > 0 && stated > damaged && MeasureFrame(stated) > 0)
                return stated;
            int next = trailer + TableFormat.TrailerBytes;
            if (next < _end && MeasureFrame(next) > 0)
                return next;
        }

        return _end;
    }

    /// <summary>The next place that can be a trailer, apart from its checksum; -1: there is none.</summary>
    private int NextTrailer(int from)
    {
        while (from + TableFormat.TrailerBytes <= _end)
        {
            // Key id and the byte after it are zero, so the search for them is one of the vectorised kind.
            int zeroes = _bytes.AsSpan(from + 2, _end - from - 2).IndexOf((ReadOnlySpan<byte>)[0, 0]);
            if (zeroes < 0)
                return -1;
            int trailer = from + zeroes;
            if (trailer + TableFormat.TrailerBytes > _end)
                return -1;
            if (_bytes[trailer] is > 0 and <= MaxBlockType && _bytes[trailer + 1] <= (byte)BlockCompression.Lz4)
                return trailer;
            from = trailer + 1;
        }

        return -1;
    }

    /// <summary>Block types of later builds count as blocks too: they are found, and reported as not
    /// known.</summary>
    private const byte MaxBlockType = 15;

    private bool Holds(uint storedChecksum, int trailer, int start) =>
        TableFormat.BlockChecksum(storedChecksum, _bytes.AsSpan(trailer, 8), _fileId, (ulong)start)
        == BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(trailer + 8));
}
