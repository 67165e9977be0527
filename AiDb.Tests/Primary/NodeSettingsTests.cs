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
}
