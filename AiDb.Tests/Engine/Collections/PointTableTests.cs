using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Offsets;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections;

public sealed class PointTableTests
{
    [Fact]
    public void Ids_and_offsets_find_each_other_through_a_long_random_history()
    {
        var random = new Random(TestSeed.Base);
        var table = new PointTable();
        Dictionary<PointId, (uint Offset, ulong Version)> model = [];
        for (int step = 0; step < 60_000; step++)
        {
            int number = random.Next(3_000);
            PointId id = number % 4 == 0 ? new PointId(new Guid(number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) : new((ulong)number << 40);
            if (model.TryGetValue(id, out (uint Offset, ulong Version) found))
            {
                Assert.True(table.TryFind(id, out uint offset), $"seed {TestSeed.Base}, step {step}: {id} is gone");
                Assert.Equal(found.Offset, offset);
                Assert.Equal((id, found.Version), (table.IdAt(offset), table.VersionAt(offset)));
                if (random.Next(2) == 0)
                {
                    table.Remove(id, offset);
                    table.Reuse(offset);
                    model.Remove(id);
                }
            }
            else
            {
                Assert.False(table.TryFind(id, out _), $"seed {TestSeed.Base}, step {step}: {id} is still there");
                uint offset = table.Add(id);
                Assert.False(table.Live.Test(offset));
                table.Publish(offset, (ulong)step + 1, (ulong)(step % 3));
                Assert.Equal((ulong)(step % 3), table.ExpiryAt(offset));
                model.Add(id, (offset, (ulong)step + 1));
            }

            Assert.Equal(model.Count, table.Count);
        }

        Assert.Equal(model.Count, table.Live.Count());
        Assert.True(table.End < 3_000, $"{table.End} offsets were given out for at most 3,000 points");
    }

    [Fact]
    public void What_is_put_aside_waits_for_all_who_were_there()
    {
        var generations = new Generations();
        long reader = generations.Enter();
        long putAside = generations.Current;
        long later = generations.Enter();
        Assert.True(generations.TryAdvance() < putAside + 2);
        generations.Leave(later);
        Assert.True(generations.TryAdvance() < putAside + 2);
        Assert.True(generations.TryAdvance() < putAside + 2);
        generations.Leave(reader);
        generations.TryAdvance();
        Assert.True(generations.TryAdvance() >= putAside + 2);
    }
}
