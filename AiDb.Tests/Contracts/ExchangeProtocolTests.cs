using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;

namespace AiDb.Tests.Contracts;

public class ExchangeProtocolTests
{
    [Fact]
    public void A_lost_answer_leaves_writes_of_keys_and_of_points_in_doubt_and_reads_not()
    {
        Assert.True(Changes(new Request { Write = new Write() }));
        Assert.True(Changes(new Request { DropTable = new DropTable() }));
        Assert.True(Changes(new Request { Collection = new CollectionCall { Write = new WritePoints() } }));
        Assert.False(Changes(new Request { Collection = new CollectionCall { Query = new QueryLeaves() } }));
        Assert.False(Changes(new Request { Get = new Get() }));
        Assert.False(Changes(new Request()));
    }

    private static bool Changes(Request request) => ExchangeProtocol.Instance.ChangesState(request);
}
