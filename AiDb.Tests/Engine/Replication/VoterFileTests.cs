using AiDb.Engine.Replication;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Replication;

public sealed class VoterFileTests
{
    private const string Folder = "/data/db";

    private static VoterState Sample => new(7, 12, [new EpochStart(3, 1), new EpochStart(7, 900)]);

    [Fact]
    public void A_folder_without_the_file_has_promised_nothing()
    {
        SimulatedFileSystem disk = NewDisk();

        Assert.Equal(VoterState.Empty, VoterFile.Read(disk, Folder));
    }

    [Fact]
    public void The_file_has_the_documented_bytes()
    {
        SimulatedFileSystem disk = NewDisk();
        VoterFile.Write(disk, Folder, Sample);

        byte[] bytes = disk.ReadRaw(Folder + "/VOTER");
        Assert.Equal(
            "41694462566F7465" + "01000000" + "02000000" + "0700000000000000" + "0C00000000000000"
            + "0300000000000000" + "0100000000000000" + "0700000000000000" + "8403000000000000",
            Convert.ToHexString(bytes[..^4]));
        AssertSame(Sample, VoterFile.Read(disk, Folder));
    }

    [Fact]
    public void After_a_crash_at_any_operation_there_is_the_state_before_or_the_new_one()
    {
        var before = new VoterState(6, 11, [new EpochStart(3, 1)]);
        for (long operation = 1; ; operation++)
        {
            SimulatedFileSystem disk = NewDisk();
            VoterFile.Write(disk, Folder, before);
            disk.CrashAt(disk.OperationCount + operation);
            bool crashed = false;
            try
            {
                VoterFile.Write(disk, Folder, Sample);
            }
            catch (SimulatedCrashException)
            {
                crashed = true;
            }

            VoterState read = VoterFile.Read(disk.Crash(), Folder);
            if (!crashed)
            {
                AssertSame(Sample, read);
                Assert.True(operation > 4, "the write takes several operations");
                return;
            }

            AssertSame(read.Promised == 6 ? before : Sample, read);
        }
    }

    [Fact]
    public void Every_flipped_bit_is_noticed()
    {
        SimulatedFileSystem disk = NewDisk();
        VoterFile.Write(disk, Folder, Sample);
        int length = disk.ReadRaw(Folder + "/VOTER").Length;
        for (int offset = 0; offset < length; offset++)
        {
            disk.FlipBits(Folder + "/VOTER", offset);
            AiDbException error = Assert.Throws<AiDbException>(() => VoterFile.Read(disk, Folder));
            Assert.Contains("/VOTER", error.Message, StringComparison.Ordinal);
            disk.FlipBits(Folder + "/VOTER", offset);
        }
    }

    [Fact]
    public void A_file_that_is_cut_off_is_refused()
    {
        SimulatedFileSystem disk = NewDisk();
        VoterFile.Write(disk, Folder, Sample);
        byte[] bytes = disk.ReadRaw(Folder + "/VOTER");
        for (int length = 0; length < bytes.Length; length++)
        {
            SimulatedFileSystem shorter = NewDisk();
            shorter.WriteRaw(Folder + "/VOTER", bytes.AsSpan(0, length));
            Assert.Equal(
                AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(() => VoterFile.Read(shorter, Folder)).Kind);
        }
    }

    private static SimulatedFileSystem NewDisk()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory(Folder);
        disk.SyncDirectory("/data");
        return disk;
    }

    private static void AssertSame(VoterState expected, VoterState actual)
    {
        Assert.Equal((expected.Promised, expected.Generation), (actual.Promised, actual.Generation));
        Assert.Equal(expected.Epochs, actual.Epochs);
    }
}
