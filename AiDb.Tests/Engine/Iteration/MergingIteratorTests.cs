using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.MemTables;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Iteration;

public sealed class MergingIteratorTests
{
    [Fact]
    public void A_random_walk_over_several_iterators_is_one_over_their_union()
    {
        for (int round = 0; round < 20; round++)
        {
            int seed = TestSeed.Base + round;
            var random = new Random(seed);
            MemTable[] parts = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => new MemTable(1 << 16, default, 1))];
            List<byte[]> keys = [];
            for (ulong version = 1; version <= (ulong)random.Next(1, 120); version++)
            {
                byte[] userKey = [(byte)random.Next(30), (byte)random.Next(2)];
                parts[random.Next(parts.Length)].Add(1, userKey, version, EntryKind.Put, 0, userKey);
                byte[] key = new byte[InternalKey.Length(userKey.Length)];
                InternalKey.Write(key, 1, userKey, version);
                keys.Add(key);
            }

            keys.Sort((left, right) => InternalKey.Compare(left, right));
            using var merged = new MergingIterator([.. parts.Select(part => part.CreateIterator())]);
            Walk(merged, keys, random, seed);
            foreach (MemTable part in parts)
                part.Release();
        }
    }

    private static void Walk(MergingIterator merged, List<byte[]> keys, Random random, int seed)
    {
        int at = -1;
        for (int step = 0; step < 400; step++)
        {
            byte[] target = new byte[InternalKey.Length(1)];
            InternalKey.Write(target, 1, [(byte)random.Next(32)], (ulong)random.Next(130));
            int action = random.Next(at < 0 || at >= keys.Count ? 4 : 12);
            switch (action)
            {
                case 0:
                    merged.SeekToFirst();
                    at = 0;
                    break;
                case 1:
                    merged.SeekToLast();
                    at = keys.Count - 1;
                    break;
                case 2:
                    merged.Seek(target);
                    at = keys.FindIndex(key => InternalKey.Compare(key, target) >= 0);
                    break;
                case 3:
                    merged.SeekForPrevious(target);
                    at = keys.FindLastIndex(key => InternalKey.Compare(key, target) <= 0);
                    break;
                case < 8:
                    merged.Next();
                    at++;
                    break;
                default:
                    merged.Previous();
                    at--;
                    break;
            }

            bool valid = at >= 0 && at < keys.Count;
            Assert.True(valid == merged.Valid, $"seed {seed}, step {step}, action {action}");
            if (valid)
                Assert.True(keys[at].AsSpan().SequenceEqual(merged.Key), $"seed {seed}, step {step}, action {action}");
        }
    }
}
