using AiDb.Engine;
using AiDb.Primary.Hosting;
using Microsoft.Extensions.Configuration;

namespace AiDb.Tests.Primary;

public sealed class EngineSettingsTests
{
    [Fact]
    public void Settings_are_read_by_their_names()
    {
        List<string> errors = [];
        DatabaseOptions options = EngineSettings.Read(
            Configuration(("MemtableBytes", "1048576"), ("writeStallTimeout", "00:00:05")), errors);

        Assert.Empty(errors);
        Assert.Equal(1 << 20, options.MemtableBytes);
        Assert.Equal(TimeSpan.FromSeconds(5), options.WriteStallTimeout);
    }

    [Theory]
    [InlineData("MemtableByte", "1048576", "AiDb:Engine:MemtableByte is no setting")]
    [InlineData("MemtableBytes", "many", "AiDb:Engine:MemtableBytes")]
    [InlineData("MemtableBytes", "1", "64 KiB to 4 GiB")]
    [InlineData("WriteStallTimeout", "30", "at most an hour")]
    public void What_is_wrong_is_named(string name, string value, string expected)
    {
        List<string> errors = [];
        EngineSettings.Read(Configuration((name, value)), errors);
        Assert.Contains(expected, Assert.Single(errors), StringComparison.Ordinal);
    }

    private static IConfiguration Configuration(params (string Name, string Value)[] settings) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(
                setting => KeyValuePair.Create($"{EngineSettings.Section}:{setting.Name}", (string?)setting.Value)))
            .Build();
}
