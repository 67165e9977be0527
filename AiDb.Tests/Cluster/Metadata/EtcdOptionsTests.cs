using AiDb.Cluster.Metadata.Etcd;

namespace AiDb.Tests.Cluster.Metadata;

public sealed class EtcdOptionsTests
{
    [Theory]
    [InlineData("etcd://a:2379", "http://a:2379/", "aidb/")]
    [InlineData("etcd://a,b:1", "http://a:2379/ http://b:1/", "aidb/")]
    [InlineData("etcds://a:443/", "https://a/", "aidb/")]
    [InlineData("ETCD://10.0.0.1:80, 10.0.0.2:80/my/cluster/", "http://10.0.0.1/ http://10.0.0.2/", "my/cluster/")]
    [InlineData("etcds://[::1]:5,[::1]/x", "https://[::1]:5/ https://[::1]:2379/", "x/")]
    public void Addresses_name_members_and_a_prefix(string address, string endpoints, string prefix)
    {
        EtcdOptions options = EtcdOptions.Parse(address);
        Assert.Equal(endpoints, string.Join(' ', options.Endpoints));
        Assert.Equal(prefix, options.Prefix);
    }

    [Theory]
    [InlineData("etcd://")]
    [InlineData("etcd://a,,b")]
    [InlineData("etcd://a:b")]
    [InlineData("etcd://a?b")]
    [InlineData("etcd://a/b c")]
    [InlineData("http://a:2379")]
    public void Malformed_addresses_are_refused(string address) =>
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => EtcdOptions.Parse(address)).Kind);

    [Fact]
    public void A_password_in_the_address_is_refused_and_not_repeated()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => EtcdOptions.Parse("etcd://me:secret@a:2379"));
        Assert.Contains("settings of their own", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_fault_of_the_options_is_named()
    {
        EtcdOptions options = EtcdOptions.Parse("etcd://a") with
        {
            Prefix = "no slash",
            User = "u",
            CaCertificatePath = "ca.pem",
            ClientCertificatePath = "c.pem",
            CallTimeout = TimeSpan.Zero,
        };
        string message = Assert.Throws<AiDbException>(options.Validate).Message;
        Assert.All(
            ["Prefix", "User and Password", "ClientKeyPath", "etcds://", "CallTimeout"],
            part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_certificate_that_cannot_be_read_is_an_error_of_the_settings()
    {
        EtcdOptions options = EtcdOptions.Parse("etcds://a") with { CaCertificatePath = "/no/such/ca.pem" };
        AiDbException error = Assert.Throws<AiDbException>(() => new EtcdMetadataStore(options, TimeProvider.System));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("/no/such/ca.pem", error.Message, StringComparison.Ordinal);
    }
}
