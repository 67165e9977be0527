using System.Buffers;
using System.Text;
using AiDb.Cli.Data;

namespace AiDb.Tests.Cli;

/// <summary>Lines of imports and exports.</summary>
public sealed class JsonLineTests
{
    private static string Write(JsonLine line, ValueForm form = ValueForm.Auto)
    {
        ArrayBufferWriter<byte> buffer = new();
        line.Write(buffer, form);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static JsonLine Parse(string text) => JsonLine.Parse(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData(ValueForm.Auto)]
    [InlineData(ValueForm.Base64)]
    [InlineData(ValueForm.Json)]
    internal void Any_bytes_come_back_as_they_were(ValueForm form)
    {
        byte[][] samples =
        [
            "plain"u8.ToArray(), "a/b%2F..\\?#\"'\t\n\0end"u8.ToArray(), [0], [0xFF, 0xFE, 0x00, 0x80], "käse 🧀"u8.ToArray(),
            "{\"a\": [1, 2.50]}"u8.ToArray(), "{\n}"u8.ToArray(), " 1"u8.ToArray(), "1 "u8.ToArray(), "\"quoted\""u8.ToArray(),
            "1"u8.ToArray(), "null"u8.ToArray(), "1 2"u8.ToArray(), "{\"open\":"u8.ToArray(), "\uFEFFmark"u8.ToArray(),
        ];
        foreach (byte[] bytes in samples)
        {
            string line = Write(new JsonLine(bytes, bytes, null), form);
            Assert.DoesNotContain('\n', line);
            JsonLine read = Parse(line);
            Assert.Equal(bytes, read.Key.ToArray());
            Assert.Equal(bytes, read.Value.ToArray());
        }

        Assert.Empty(Parse(Write(new JsonLine("k"u8.ToArray(), ReadOnlyMemory<byte>.Empty, null), form)).Value.ToArray());
    }

    [Fact]
    public void Json_values_are_written_as_they_are_when_asked_for() => Assert.Equal(
        """{"key":"k","value":{"a": 1}}""",
        Write(new JsonLine("k"u8.ToArray(), "{\"a\": 1}"u8.ToArray(), null), ValueForm.Json));

    [Fact]
    public void The_expiry_is_kept()
    {
        DateTimeOffset expiry = DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_123);
        Assert.Equal(expiry, Parse(Write(new JsonLine("k"u8.ToArray(), "v"u8.ToArray(), expiry))).ExpiresAt);
    }

    [Theory]
    [InlineData("nonsense", "not JSON")]
    [InlineData("[]", "not an object")]
    [InlineData("{\"value\":1}", "no key")]
    [InlineData("{\"key\":\"k\"}", "no value")]
    [InlineData("{\"key\":1,\"value\":1}", "")]
    [InlineData("{\"keyBase64\":\"%%\",\"value\":1}", "")]
    [InlineData("{\"key\":\"k\",\"value\":1,\"colour\":1}", "colour")]
    public void What_is_wrong_with_a_line_is_said(string line, string expected)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => Parse(line));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_may_end_in_any_way_and_begin_with_a_mark()
    {
        using MemoryStream stream = new("\uFEFFone\r\ntwo\n\nlast"u8.ToArray());
        List<string> lines = [];
        await foreach (byte[] line in LineReader.ReadAsync(stream, CancellationToken.None))
            lines.Add(Encoding.UTF8.GetString(line));
        Assert.Equal(["one", "two", "", "last"], lines);
    }

    [Fact]
    public void An_import_may_continue_after_the_last_line_before_a_gap()
    {
        AcknowledgedLines lines = new(skipped: 2);
        lines.Add(4);
        lines.Add(5);
        Assert.Equal(2, lines.Complete);
        lines.Add(3);
        Assert.Equal(5, lines.Complete);
    }
}
