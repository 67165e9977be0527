using System.Buffers.Binary;
using AiDb.Engine.Encoding;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Ingest;

/// <summary>Gives the entries of a block the one version that all entries of an ingested table have; in the file
/// they have version 0.</summary>
internal static unsafe class EntryVersions
{
    /// <summary>Sets it in memory, before anyone else sees the block. The order stays: each key is in the table
    /// once.</summary>
    public static void Set(Caching.BlockHeader* block, ulong version)
    {
        Span<byte> content = Caching.BlockHeader.Content(block);
        fixed (byte* data = content)
        {
            var entries = new DataBlock(data, content.Length, DataBlock.ReadShape(content));
            for (int index = 0; index < entries.Count; index++)
            {
                entries.Read(index, out DataBlockEntry entry);
                var place = new Span<byte>(entry.Suffix + entry.SuffixLength, InternalKey.VersionBytes);
                BinaryPrimitives.WriteUInt64BigEndian(place, ~version);
            }
        }
    }
}
