using AiDb.Contracts;
using AiDb.Contracts.V1;
using Grpc.Core;

namespace AiDb.Tests.Contracts;

public sealed class ErrorMappingTests
{
    public static TheoryData<AiDbErrorKind> Kinds => [.. Enum.GetValues<AiDbErrorKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_survives_the_way_over_grpc_with_its_message_and_retry_hint(AiDbErrorKind kind)
    {
        var thrown = new AiDbException(kind, "what happened") { RetryAfter = TimeSpan.FromMilliseconds(250) };

        AiDbException received = ErrorMapping.FromRpc(ErrorMapping.ToRpc(thrown));

        Assert.Equal(kind, received.Kind);
        Assert.Equal("what happened", received.Message);
        Assert.Equal(TimeSpan.FromMilliseconds(250), received.RetryAfter);
        Assert.NotEqual(StatusCode.OK, ErrorMapping.ToStatusCode(kind));
        Assert.InRange(ErrorMapping.ToHttpStatus(kind), 400, 599);
    }

    [Fact]
    public void An_unexpected_exception_tells_the_peer_nothing_of_its_inside()
    {
        Error error = ErrorMapping.ToError(new InvalidOperationException("secret detail"));

        Assert.Equal((int)AiDbErrorKind.Internal, error.Kind);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_status_without_a_trailer_and_a_kind_of_a_newer_peer_still_mean_something()
    {
        var broken = new RpcException(new Status(StatusCode.Unavailable, "connection refused"));

        Assert.Equal(AiDbErrorKind.Unavailable, ErrorMapping.FromRpc(broken).Kind);
        Assert.Equal(AiDbErrorKind.Internal, ErrorMapping.KindOf(new Error { Kind = 999 }));
    }

    [Fact]
    public void A_damaged_trailer_falls_back_to_the_status()
    {
        var damaged = new RpcException(
            new Status(StatusCode.NotFound, "gone"), new Metadata { { ErrorMapping.TrailerName, new byte[] { 0xFF, 0xFF } } });

        Assert.Equal(AiDbErrorKind.NotFound, ErrorMapping.FromRpc(damaged).Kind);
    }
}
