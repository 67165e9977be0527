using AiDb.Engine.Encoding;
using AiDb.Engine.Tables;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Tables;

/// <summary>The entries of a table as a sorted list, and the tables that hold the same.</summary>
internal sealed class TableModel
{
    public static int Seed => TestSeed.Base;

    public List<(byte[] Key, byte[] Value)> Entries { get; } = [];

    public static byte[] Key(uint table, ReadOnlySpan<byte> userKey, ulong version)
    {
        byte[] key = new byte[InternalKey.Length(userKey.Length)];
        InternalKey.Write(key, table, userKey, version);
        return key;
    }

    public static byte[] Put(ReadOnlySpan<byte> value)
    {
        byte[] bytes = new byte[InternalValue.Length(EntryKind.Put, value.Length)];
        InternalValue.Write(bytes, EntryKind.Put, 0, value);
        return bytes;
    }

    public static TableModel Random(Random random, int keys, int maxVersions, int maxValue = 60)
    {
        var model = new TableModel();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < keys; i++)
        {
            byte[] userKey = new byte[random.Next(1, 12)];
            for (int b = 0; b < userKey.Length; b++)
                userKey[b] = (byte)"\0abcz\u00ff"[random.Next(6)];
            uint table = (uint)random.Next(1, 4) * 100;
            int versions = random.Next(1, maxVersions + 1);
            for (int v = 0; v < versions; v++)
            {
                byte[] key = Key(table, userKey, (ulong)random.Next(1, 1000));
                if (seen.Add(Convert.ToHexString(key)))
                    model.Entries.Add((key, RandomValue(random, maxValue)));
            }
        }

        model.Entries.Sort((a, b) => InternalKey.Compare(a.Key, b.Key));
        return model;
    }

    public byte[] Build(TableOptions options, out TableProperties properties)
    {
        var file = new MemoryFile();
        using var builder = new TableBuilder(file, options);
        foreach ((byte[] key, byte[] value) in Entries)
            builder.Add(key, value);
        properties = builder.Finish();
        return file.ToArray();
    }

    /// <summary>The number of the first entry at or after the key.</summary>
    public int LowerBound(ReadOnlySpan<byte> key)
    {
        int index = 0;
        while (index < Entries.Count && InternalKey.Compare(Entries[index].Key, key) < 0)
            index++;
        return index;
    }

    private static byte[] RandomValue(Random random, int maxValue)
    {
        var kind = (EntryKind)random.Next(1, 4);
        byte[] value = new byte[kind == EntryKind.Delete ? 0 : random.Next(0, maxValue)];
        random.NextBytes(value);
        byte[] bytes = new byte[InternalValue.Length(kind, value.Length)];
        InternalValue.Write(bytes, kind, (ulong)random.Next(1, 1 << 30), value);
        return bytes;
    }
}
