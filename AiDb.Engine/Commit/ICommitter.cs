namespace AiDb.Engine.Commit;

/// <summary>What the leader of the commit queue has done with a group of writes.</summary>
/// <remarks>Thread safety: the leader's own, but <see cref="Epoch"/>.</remarks>
internal interface ICommitter
{
    /// <summary>The epoch that entries are written under.</summary>
    ulong Epoch { get; }

    /// <summary>Commits a group, or does what a single control write asks for. Nothing is thrown.</summary>
    /// <returns>True: every write of the group has a result or an error, and the leader answers it. False: they are answered
    /// later, and the leader does not touch them any more.</returns>
    bool Commit(List<PendingWrite> group);

    /// <summary>Makes the active memtable immutable unless it holds next to nothing.</summary>
    void RotateEarly();
}
