using AiDb.Engine;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.Merging;
using AiDb.Engine.State;

namespace AiDb.Tests.Engine.State;

public sealed class StateHolderTests
{
    [Fact]
    public void What_is_newer_than_readers_see_hides_nothing_from_snapshots_that_are_yet_to_be_made()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        LiveTable[][] levels = [.. Enumerable.Range(0, VersionEdit.Levels).Select(static _ => Array.Empty<LiveTable>())];
        var holder = new StateHolder(
            new MemTable(64 << 10, new LogPosition(0, 5, 50), 1), new TreeVersion(levels), new MergeOperators([]));
        Assert.Empty(holder.SnapshotVersions(newest: 50));
        Assert.Equal([50ul], holder.SnapshotVersions(newest: 51));
        Snapshot older = holder.CreateSnapshot(database);
        holder.Publish(new LogPosition(0, 7, 70));
        Assert.Equal([50ul], holder.SnapshotVersions(newest: 70));
        Assert.Equal([50ul, 70ul], holder.SnapshotVersions(newest: 80));
        Snapshot newer = holder.CreateSnapshot(database);
        Assert.Equal([50ul, 70ul], holder.SnapshotVersions(newest: 80));
        holder.Release(older);
        holder.Release(newer);
        holder.Close();
    }
}
