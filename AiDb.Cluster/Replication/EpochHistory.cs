namespace AiDb.Cluster.Replication;

/// <summary>Which epoch each entry of a log is of: where every epoch begins, and where the log ends.</summary>
/// <remarks>Thread safety: immutable. Since an epoch has one primary, and voters take an entry only after its predecessor, two
/// logs that have an entry of the same name are the same up to it.</remarks>
/// <param name="Marks">The beginnings, oldest first.</param>
/// <param name="LastLsn">The last entry; 0: none.</param>
public sealed record EpochHistory(IReadOnlyList<EpochMark> Marks, ulong LastLsn)
{
    /// <summary>The name of the last entry.</summary>
    public EntryId Last => LastLsn == 0 ? default : new EntryId(Marks[^1].Epoch, LastLsn);

    /// <summary>The last entry that two logs have in common; 0: none.</summary>
    public static ulong CommonLsn(EpochHistory left, EpochHistory right)
    {
        int i = left.Marks.Count - 1;
        int j = right.Marks.Count - 1;
        while (i >= 0 && j >= 0)
        {
            if (left.Marks[i].Epoch == right.Marks[j].Epoch)
                return Math.Min(left.EndOf(i), right.EndOf(j));
            if (left.Marks[i].Epoch > right.Marks[j].Epoch)
                i--;
            else
                j--;
        }

        return 0;
    }

    private ulong EndOf(int mark) => mark + 1 < Marks.Count ? Marks[mark + 1].StartLsn - 1 : LastLsn;
}
