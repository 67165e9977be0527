using AiDb.Engine;
using AiDb.Engine.Manifest;

namespace AiDb.Tests.Engine.Manifest;

public sealed class ManifestStateTests
{
    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    public void Numbers_that_nothing_can_follow_are_refused(ulong number)
    {
        Assert.False(new ManifestState().TryApply(new VersionEdit { Flushed = new LogPosition(1, number, 1) }));
        Assert.False(new ManifestState().TryApply(new VersionEdit { KnownDurableLsn = number }));
        Assert.False(new ManifestState().TryApply(new VersionEdit { NextNumber = number }));
    }

    [Fact]
    public void The_greatest_numbers_that_something_can_follow_are_taken() =>
        Assert.True(new ManifestState().TryApply(new VersionEdit
        {
            Flushed = new LogPosition(1, long.MaxValue, 1),
            KnownDurableLsn = long.MaxValue,
            NextNumber = long.MaxValue,
        }));
}
