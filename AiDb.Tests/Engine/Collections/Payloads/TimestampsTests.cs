using AiDb.Engine.Collections.Payloads;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class TimestampsTests
{
    [Theory]
    [InlineData("2023-02-08T10:49:00Z", "2023-02-08T10:49:00Z")]
    [InlineData("2023-02-08t10:49:00z", "2023-02-08T10:49:00Z")]
    [InlineData("2023-02-08 10:49:00", "2023-02-08T10:49:00Z")]
    [InlineData("2023-02-08T10:49", "2023-02-08T10:49:00Z")]
    [InlineData("2023-02-08", "2023-02-08T00:00:00Z")]
    [InlineData("2023-02-08T10:49:00+02:00", "2023-02-08T08:49:00Z")]
    [InlineData("2023-02-08T10:49:00-0230", "2023-02-08T13:19:00Z")]
    [InlineData("2023-02-08T10:49:00+02", "2023-02-08T08:49:00Z")]
    [InlineData("2023-02-08T10:49:00.1234567899Z", "2023-02-08T10:49:00.1234567Z")]
    [InlineData("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z")]
    [InlineData("2024-02-29", "2024-02-29T00:00:00Z")]
    public void Times_are_read_as_people_write_them(string text, string expected)
    {
        Assert.True(Timestamps.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out long ticks));
        Assert.Equal(DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture).UtcTicks, ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2023")]
    [InlineData("2023-2-8")]
    [InlineData("2023-02-30")]
    [InlineData("2023-13-01")]
    [InlineData("0000-01-01")]
    [InlineData("2023-02-08T")]
    [InlineData("2023-02-08T24:00:00Z")]
    [InlineData("2023-02-08T10:60:00Z")]
    [InlineData("2023-02-08T10:49:61Z")]
    [InlineData("2023-02-08T10:49:00.Z")]
    [InlineData("2023-02-08T10:49:00ZZ")]
    [InlineData("2023-02-08T10:49:00+25:00")]
    [InlineData("2023-02-08x10:49:00")]
    [InlineData("0001-01-01T00:00:00+01:00")]
    public void What_is_no_time_is_none(string text) =>
        Assert.False(Timestamps.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Every_time_that_dotnet_writes_is_read_back()
    {
        var random = new Random(TestSeed.Base);
        for (int round = 0; round < 5000; round++)
        {
            var time = new DateTimeOffset(random.NextInt64(TimeSpan.TicksPerDay, DateTime.MaxValue.Ticks - TimeSpan.TicksPerDay), TimeSpan.Zero);
            DateTimeOffset local = time.ToOffset(TimeSpan.FromMinutes(random.Next(-14 * 60, 14 * 60)));
            Assert.True(Timestamps.TryParse(System.Text.Encoding.UTF8.GetBytes(local.ToString("O")), out long ticks));
            Assert.Equal(time.Ticks, ticks);
        }
    }
}
