using AiDb.Gateway.Hosting;
using AiDb.Primary.Hosting;
using AiDb.Replica.Hosting;

namespace AiDb.Tests.Primary;

public sealed class NodeSettingsTests
{
    [Fact]
    public void A_primary_without_settings_names_all_that_are_missing_at_once()
    {
        InvalidOperationException exception =
            Assert.Throws<InvalidOperationException>(() => PrimaryServer.Build([]));

        Assert.Contains("AiDb:Node:Id", exception.Message, StringComparison.Ordinal);
        Assert.Contains("AiDb:Metadata:Address", exception.Message, StringComparison.Ordinal);
        Assert.Contains("AiDb:Cluster:Secret", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_replica_names_every_malformed_setting_with_what_it_should_be()
    {
        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(() => ReplicaServer.Build(
        [
            "--AiDb:Node:Id=a b", "--AiDb:Node:Address=nowhere", "--AiDb:Metadata:Address=ftp://x",
            "--AiDb:Cluster:Secret=s", "--AiDb:Cache:MemoryBytes=12k",
        ]));

        foreach (string part in (string[])["'a b'", "'nowhere'", "'ftp://x'", "'12k'"])
            Assert.Contains(part, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Secret", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AiDb.Gateway")]
    [InlineData("AiDb.Primary")]
    [InlineData("AiDb.Replica")]
    public void What_is_wrong_with_etcd_is_said_at_the_start_and_no_secret(string service)
    {
        string[] settings =
        [
            "--AiDb:Mode=cluster", "--AiDb:Node:Id=n", "--AiDb:Cluster:Secret=s", "--AiDb:Metadata:Address=etcd://me:hidden@h:1",
            "--AiDb:Metadata:CaCertificate=/no/such/file", "--AiDb:Metadata:Password=hidden",
        ];
        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(() => service switch
        {
            "AiDb.Gateway" => GatewayServer.Build(settings),
            "AiDb.Primary" => PrimaryServer.Build(settings),
            _ => ReplicaServer.Build(settings),
        });
        Assert.Contains("AiDb:Metadata:CaCertificate", exception.Message, StringComparison.Ordinal);
        Assert.Contains("settings of their own", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stand_alone_gateway_takes_no_metadata_store_of_others()
    {
        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(
            () => GatewayServer.Build(["--AiDb:Metadata:Address=etcd://h:2379"]));
        Assert.Contains("AiDb:Mode", exception.Message, StringComparison.Ordinal);
    }
}
