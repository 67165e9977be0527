using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Contracts.Internal.V1;
using Google.Protobuf;

namespace AiDb.Primary.Voters;

/// <summary>The messages of voters as they travel. Payloads are wrapped, not copied.</summary>
internal static class ReplicationWire
{
    private const int FixedBytes = 64;
    private const int EntryBytes = 40;

    /// <summary>A message on its way.</summary>
    public static ReplicationItem ToItem(uint shard, ReplicationMessage message)
    {
        var item = new ReplicationItem { Shard = shard, Epoch = message.Epoch };
        switch (message)
        {
            case SealRequest seal:
                item.Seal = new SealAsk { Generation = seal.Generation };
                break;
            case SealReply reply:
                item.DiskId = reply.Voter.DiskId;
                item.SealAnswer = new SealAnswer { Promised = reply.Promised, History = ToMessage(reply.History) };
                break;
            case FetchRequest fetch:
                item.Fetch = new FetchAsk { FromLsn = fetch.FromLsn };
                break;
            case FetchReply reply:
                item.DiskId = reply.Voter.DiskId;
                item.FetchAnswer = new FetchAnswer { FromLsn = reply.FromLsn };
                item.FetchAnswer.Entries.AddRange(reply.Entries.Select(ToMessage));
                break;
            case AppendRequest append:
                item.Append = new AppendAsk
                {
                    Generation = append.Generation,
                    Previous = ToMessage(append.Previous),
                    CommitLsn = append.CommitLsn,
                };
                item.Append.Entries.AddRange(append.Entries.Select(ToMessage));
                break;
            case AppendReply reply:
                item.DiskId = reply.Voter.DiskId;
                item.AppendAnswer = new AppendAnswer
                {
                    Outcome = ToWire(reply.Outcome),
                    Promised = reply.Promised,
                    MatchLsn = reply.MatchLsn,
                    History = reply.History is null ? null : ToMessage(reply.History),
                };
                break;
            case ConfirmRequest confirm:
                item.Confirm = new ConfirmAsk { Round = confirm.Round };
                break;
            case ConfirmReply reply:
                item.DiskId = reply.Voter.DiskId;
                item.ConfirmAnswer = new ConfirmAnswer { Round = reply.Round, Promised = reply.Promised };
                break;
            default:
                throw new ArgumentException($"{message.GetType().Name} does not travel.", nameof(message));
        }

        return item;
    }

    /// <summary>A message that arrived from a node; null: none of the protocol's.</summary>
    public static ReplicationMessage? ToMessage(string fromNodeId, ReplicationItem item)
    {
        var voter = new ShardVoter(fromNodeId, item.DiskId);
        return item.MessageCase switch
        {
            ReplicationItem.MessageOneofCase.Seal => new SealRequest(item.Epoch, item.Seal.Generation),
            ReplicationItem.MessageOneofCase.SealAnswer => new SealReply(
                item.Epoch, voter, item.SealAnswer.Promised, ToHistory(item.SealAnswer.History)),
            ReplicationItem.MessageOneofCase.Fetch => new FetchRequest(item.Epoch, item.Fetch.FromLsn),
            ReplicationItem.MessageOneofCase.FetchAnswer => new FetchReply(
                item.Epoch, voter, item.FetchAnswer.FromLsn, ToEntries(item.FetchAnswer.Entries)),
            ReplicationItem.MessageOneofCase.Append => new AppendRequest(
                item.Epoch, item.Append.Generation, ToId(item.Append.Previous), ToEntries(item.Append.Entries),
                item.Append.CommitLsn),
            ReplicationItem.MessageOneofCase.AppendAnswer when FromWire(item.AppendAnswer.Outcome) is { } outcome =>
                new AppendReply(
                    item.Epoch, voter, outcome, item.AppendAnswer.Promised, item.AppendAnswer.MatchLsn,
                    outcome == AppendOutcome.Diverged ? ToHistory(item.AppendAnswer.History) : null),
            ReplicationItem.MessageOneofCase.Confirm => new ConfirmRequest(item.Epoch, item.Confirm.Round),
            ReplicationItem.MessageOneofCase.ConfirmAnswer => new ConfirmReply(
                item.Epoch, voter, item.ConfirmAnswer.Round, item.ConfirmAnswer.Promised),
            _ => null,
        };
    }

    /// <summary>About how many bytes an item takes in a frame.</summary>
    public static int SizeOf(ReplicationItem item) => item.MessageCase switch
    {
        ReplicationItem.MessageOneofCase.Append => FixedBytes + SizeOf(item.Append.Entries),
        ReplicationItem.MessageOneofCase.FetchAnswer => FixedBytes + SizeOf(item.FetchAnswer.Entries),
        _ => FixedBytes,
    };

    private static int SizeOf(IEnumerable<LogItem> entries) => entries.Sum(static entry => EntryBytes + entry.Payload.Length);

    private static LogItem ToMessage(ReplicaEntry entry) => new()
    {
        Epoch = entry.Id.Epoch,
        Lsn = entry.Id.Lsn,
        Timestamp = entry.Timestamp,
        Kind = (uint)entry.Kind,
        Payload = UnsafeByteOperations.UnsafeWrap(entry.Payload),
    };

    private static ReplicaEntry[] ToEntries(IReadOnlyCollection<LogItem> entries) =>
    [
        .. entries.Select(static entry => new ReplicaEntry(
            new EntryId(entry.Epoch, entry.Lsn), entry.Timestamp, (ReplicaEntryKind)entry.Kind, entry.Payload.Memory)),
    ];

    private static EntryName ToMessage(EntryId id) => new() { Epoch = id.Epoch, Lsn = id.Lsn };

    private static EntryId ToId(EntryName? name) => name is null ? default : new EntryId(name.Epoch, name.Lsn);

    private static LogHistory ToMessage(EpochHistory history)
    {
        var message = new LogHistory { LastLsn = history.LastLsn };
        message.Marks.AddRange(history.Marks.Select(static mark => new EntryName { Epoch = mark.Epoch, Lsn = mark.StartLsn }));
        return message;
    }

    private static EpochHistory ToHistory(LogHistory? history) => history is null
        ? new EpochHistory([], 0)
        : new EpochHistory(
            [.. history.Marks.Select(static mark => new EpochMark(mark.Epoch, mark.Lsn))], history.LastLsn);

    private static AppendAnswer.Types.Outcome ToWire(AppendOutcome outcome) => outcome switch
    {
        AppendOutcome.Matched => AppendAnswer.Types.Outcome.Matched,
        AppendOutcome.Diverged => AppendAnswer.Types.Outcome.Diverged,
        _ => AppendAnswer.Types.Outcome.Refused,
    };

    private static AppendOutcome? FromWire(AppendAnswer.Types.Outcome outcome) => outcome switch
    {
        AppendAnswer.Types.Outcome.Matched => AppendOutcome.Matched,
        AppendAnswer.Types.Outcome.Diverged => AppendOutcome.Diverged,
        AppendAnswer.Types.Outcome.Refused => AppendOutcome.Refused,
        _ => null,
    };
}
