using AiDb.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace AiDb.Tests.Client;

/// <summary>Settings, connection strings and registration.</summary>
public sealed class AiDbClientSettingsTests
{
    private static HostApplicationBuilder Builder(params (string Name, string Value)[] configuration)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(
            configuration.Select(static pair => KeyValuePair.Create(pair.Name, (string?)pair.Value)));
        return builder;
    }

    [Fact]
    public void Every_invalid_setting_is_named_at_once()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => new AiDbClientSettings
        {
            Endpoints = ["localhost:6334"],
            ApiKey = "with space",
            Timeout = TimeSpan.Zero,
            MaxRetries = -1,
            ConnectionsPerEndpoint = 0,
        }.Validate());
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        foreach (string name in new[] { "Endpoints", "ApiKey", "Timeout", "MaxRetries", "ConnectionsPerEndpoint" })
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("with space", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://one:6334", "http://one:6334", null)]
    [InlineData("http://one:6334,http://two:6334", "http://one:6334 http://two:6334", null)]
    [InlineData("Endpoint=http://one:6334;ApiKey=secret", "http://one:6334", "secret")]
    [InlineData("endpoint=http://one:6334, https://two ;apikey=\"a;b\"", "http://one:6334 https://two", "a;b")]
    public void A_connection_string_names_addresses_and_key(string text, string endpoints, string? key)
    {
        AiDbClientSettings settings = AiDbClientSettings.FromConnectionString(text);
        Assert.Equal(endpoints.Split(' '), settings.Endpoints);
        Assert.Equal(key, settings.ApiKey);
        settings.Validate();
    }

    [Theory]
    [InlineData("nonsense", "Name=value")]
    [InlineData("ApiKey=secret", "Endpoint is missing")]
    [InlineData("Endpoint=http://one;Colour=blue;Timeout=soon", "colour")]
    [InlineData("Endpoint=http://one;Colour=blue;Timeout=soon", "Timeout")]
    public void A_connection_string_that_is_not_understood_says_why_without_the_key(string text, string expected)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => AiDbClientSettings.FromConnectionString(text));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_text_of_settings_does_not_show_the_key()
    {
        AiDbClientSettings settings = new() { Endpoints = ["http://one"], ApiKey = "secret" };
        Assert.DoesNotContain("secret", settings.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_come_from_the_general_section_the_named_one_the_connection_string_and_code()
    {
        HostApplicationBuilder builder = Builder(
            ("Aspire:AiDb:Client:Endpoints:0", "http://general:1"),
            ("Aspire:AiDb:Client:MaxRetries", "7"),
            ("Aspire:AiDb:Client:Timeout", "00:00:03"),
            ("Aspire:AiDb:Client:db:MaxRetries", "8"),
            ("Aspire:AiDb:Client:db:Endpoints:0", "http://named:1"),
            ("ConnectionStrings:db", "Endpoint=http://connection:1;ApiKey=k"));
        builder.AddAiDbClient("db", static settings => settings with { ConnectionsPerEndpoint = 2 });
        await using ServiceProvider services = builder.Services.BuildServiceProvider();
        AiDbClientSettings settings = services.GetRequiredService<AiDbClient>().Settings;
        Assert.Equal(["http://connection:1"], settings.Endpoints);
        Assert.Equal("k", settings.ApiKey);
        Assert.Equal(8, settings.MaxRetries);
        Assert.Equal(TimeSpan.FromSeconds(3), settings.Timeout);
        Assert.Equal(2, settings.ConnectionsPerEndpoint);
    }

    [Fact]
    public async Task Keyed_clients_have_settings_of_their_own()
    {
        HostApplicationBuilder builder = Builder(
            ("ConnectionStrings:one", "http://one:1"), ("Aspire:AiDb:Client:two:Endpoints:0", "http://two:1"));
        builder.AddKeyedAiDbClient("one").AddKeyedAiDbClient("two");
        await using ServiceProvider services = builder.Services.BuildServiceProvider();
        Assert.Equal(["http://one:1"], services.GetRequiredKeyedService<AiDbClient>("one").Settings.Endpoints);
        Assert.Equal(["http://two:1"], services.GetRequiredKeyedService<AiDbClient>("two").Settings.Endpoints);
    }

    [Fact]
    public async Task A_missing_address_is_told_with_the_settings_that_would_give_it()
    {
        HostApplicationBuilder builder = Builder();
        builder.AddAiDbClient("db");
        await using ServiceProvider services = builder.Services.BuildServiceProvider();
        AiDbException error = Assert.Throws<AiDbException>(() => services.GetRequiredService<AiDbClient>());
        Assert.Contains("ConnectionStrings:db", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task The_health_check_can_be_left_out(bool disabled, int expected)
    {
        HostApplicationBuilder builder = Builder(("ConnectionStrings:db", "http://one:1"));
        builder.AddAiDbClient("db", settings => settings with { DisableHealthChecks = disabled });
        await using ServiceProvider services = builder.Services.BuildServiceProvider();
        int count = services.GetService<IOptions<HealthCheckServiceOptions>>()?.Value.Registrations.Count ?? 0;
        Assert.Equal(expected, count);
    }
}
