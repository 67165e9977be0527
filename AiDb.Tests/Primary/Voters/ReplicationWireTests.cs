using System.Globalization;
using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Contracts.Internal.V1;
using AiDb.Primary.Voters;
using Google.Protobuf;

namespace AiDb.Tests.Primary.Voters;

public class ReplicationWireTests
{
    private static readonly ShardVoter Voter = new("p2", "disk-2");
    private static readonly EpochHistory History = new([new EpochMark(1, 1), new EpochMark(4, 90)], 120);

    public static TheoryData<int> Messages => [.. Enumerable.Range(0, All.Length)];

    private static ReplicationMessage[] All { get; } =
    [
        new SealRequest(5, 9),
        new SealReply(5, Voter, 6, History),
        new FetchRequest(5, 91),
        new FetchReply(5, Voter, 91, Entries),
        new AppendRequest(5, 9, new EntryId(4, 90), Entries, 88),
        new AppendRequest(5, 9, default, [], ulong.MaxValue),
        new AppendReply(5, Voter, AppendOutcome.Matched, 5, 92),
        new AppendReply(5, Voter, AppendOutcome.Diverged, 5, 90, History),
        new AppendReply(5, Voter, AppendOutcome.Refused, 6, 0),
        new ConfirmRequest(5, 3),
        new ConfirmReply(5, Voter, 3, 5),
    ];

    private static IReadOnlyList<ReplicaEntry> Entries =>
    [
        new ReplicaEntry(new EntryId(4, 91), ulong.MaxValue - 1, ReplicaEntryKind.Batch, new byte[] { 1, 2, 3 }),
        new ReplicaEntry(new EntryId(5, 92), ulong.MaxValue, ReplicaEntryKind.EpochStart, default),
    ];

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_arrives_as_it_was_sent(int index)
    {
        ReplicationMessage sent = All[index];
        byte[] bytes = ReplicationWire.ToItem(12, sent).ToByteArray();
        ReplicationItem item = ReplicationItem.Parser.ParseFrom(bytes);
        Assert.Equal(12U, item.Shard);
        Assert.Equal(Text(sent), Text(ReplicationWire.ToMessage("p2", item)!));
        Assert.True(ReplicationWire.SizeOf(item) >= bytes.Length - 64);
    }

    [Fact]
    public void What_is_not_known_is_no_message()
    {
        Assert.Null(ReplicationWire.ToMessage("p2", new ReplicationItem { Shard = 1, Epoch = 1 }));
        Assert.Null(ReplicationWire.ToMessage("p2", new ReplicationItem
        {
            AppendAnswer = new AppendAnswer { Outcome = (AppendAnswer.Types.Outcome)77 },
        }));
        ReplicationMessage? empty = ReplicationWire.ToMessage("p2", new ReplicationItem { SealAnswer = new SealAnswer() });
        Assert.Equal(0UL, Assert.IsType<SealReply>(empty).History.LastLsn);
    }

    private static string Text(ReplicationMessage message) => message switch
    {
        SealReply reply => $"{reply with { History = null! }} {Text(reply.History)}",
        FetchReply reply => $"{reply with { Entries = null! }} {Text(reply.Entries)}",
        AppendRequest request => $"{request with { Entries = null! }} {Text(request.Entries)}",
        AppendReply reply => $"{reply with { History = null }} {Text(reply.History)}",
        _ => message.ToString(),
    };

    private static string Text(EpochHistory? history) =>
        history is null ? "none" : string.Create(CultureInfo.InvariantCulture, $"{string.Join(',', history.Marks)} {history.LastLsn}");

    private static string Text(IReadOnlyList<ReplicaEntry> entries) => string.Join(
        ';', entries.Select(entry => $"{entry.Id} {entry.Timestamp} {entry.Kind} {Convert.ToHexString(entry.Payload.Span)}"));
}
