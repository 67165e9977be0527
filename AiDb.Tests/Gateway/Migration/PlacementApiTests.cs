using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AiDb.Cli;
using AiDb.Cluster.Model;
using AiDb.Tests.Gateway.Qdrant;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Migration;

/// <summary>Slots between primaries as operators meet them: over REST, and by the command line over gRPC.</summary>
public sealed class PlacementApiTests
{
    [Fact]
    public async Task Plans_rebalancings_drains_and_migrations_are_told_over_REST_and_on_the_command_line()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        using HttpClient http = new() { BaseAddress = cluster.Rest };
        http.DefaultRequestHeaders.Add("api-key", CollectionCluster.ApiKey);
        Assert.Empty((await PlanAsync(http)).GetProperty("moves").EnumerateArray());

        await cluster.StartPrimaryAsync("primary-3");
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(90));
        await cluster.Services.GetRequiredService<ClusterMapWatcher>().WaitForAsync(
            map => map.FindShard(3) is { State: ShardState.Active }, patience.Token);
        JsonElement plan = await PlanAsync(http);
        Assert.Equal([3, 3], plan.GetProperty("moves").EnumerateArray().Select(move => move.GetProperty("to").GetInt32()));
        Assert.Contains("has no slots", plan.GetProperty("advice").ToString(), StringComparison.Ordinal);
        Assert.Equal(3, plan.GetProperty("shards").GetArrayLength());

        (int code, string output, string error) = await CommandAsync(cluster, "cluster", "rebalance");
        Assert.Equal((0, true, true), (
            code, output.Contains("to shard 3: ", StringComparison.Ordinal), error.Contains("slots moved", StringComparison.Ordinal)));
        JsonElement list = await http.GetFromJsonAsync<JsonElement>("/v1/cluster/migrations", patience.Token);
        Assert.All(list.GetProperty("migrations").EnumerateArray(), item => Assert.Contains(item.GetProperty("phase").GetString(), new[] { "done", "committed" }));
        Assert.Empty((await PlanAsync(http)).GetProperty("moves").EnumerateArray());
        Assert.Contains("nothing to move", (await CommandAsync(cluster, "cluster", "plan")).Output, StringComparison.Ordinal);

        Assert.Equal(0, (await CommandAsync(cluster, "cluster", "drain", "primary-3")).Code);
        Assert.Equal(0, cluster.Services.GetRequiredService<ClusterMapWatcher>().Current.Slots.Count(3));
        Assert.Contains("is empty: its node can be taken away", (await CommandAsync(cluster, "cluster", "plan")).Output, StringComparison.Ordinal);
        Assert.Contains("done", (await CommandAsync(cluster, "cluster", "migrations")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await CommandAsync(cluster, "cluster", "drain", "primary-3", "--undo")).Code);
        Assert.NotEmpty((await PlanAsync(http)).GetProperty("moves").EnumerateArray());
        Assert.Equal(0, (await CommandAsync(cluster, "cluster", "cancel")).Code);
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_with_its_reason()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(1);
        using HttpClient http = new() { BaseAddress = cluster.Rest };
        http.DefaultRequestHeaders.Add("api-key", CollectionCluster.ApiKey);
        await RefusedAsync(http.GetAsync("/v1/cluster/plan?strategy=wish"), HttpStatusCode.BadRequest, "slots, bytes, load");
        await RefusedAsync(http.DeleteAsync("/v1/cluster/migrations/abc"), HttpStatusCode.BadRequest, "number");
        await RefusedAsync(http.DeleteAsync("/v1/cluster/migrations/77"), HttpStatusCode.NotFound, "no migration 77");
        await RefusedAsync(http.PutAsync("/v1/cluster/drain/nobody", null), HttpStatusCode.NotFound, "nobody");
        await RefusedAsync(http.PutAsync("/v1/cluster/drain/standalone", null), HttpStatusCode.PreconditionFailed, "No other primary");
        await RefusedAsync(
            http.PostAsJsonAsync("/v1/cluster/rebalance", new { strategy = "slots", speed = 3 }), HttpStatusCode.BadRequest, "speed");
        HttpResponseMessage created = await http.PutAsJsonAsync("/collections/c", new { vectors = new { size = 2, distance = "Cosine" } });
        Assert.True(created.IsSuccessStatusCode);
        await RefusedAsync(http.PostAsync("/v1/cluster/rebalance", null), HttpStatusCode.PreconditionFailed, "do not move yet");
    }

    private static async Task<JsonElement> PlanAsync(HttpClient http) =>
        await http.GetFromJsonAsync<JsonElement>("/v1/cluster/plan?strategy=slots");

    private static async Task RefusedAsync(Task<HttpResponseMessage> call, HttpStatusCode status, string reason)
    {
        using HttpResponseMessage response = await call;
        string text = await response.Content.ReadAsStringAsync();
        Assert.Equal(status, response.StatusCode);
        Assert.Contains(reason, text, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> CommandAsync(CollectionCluster cluster, params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliConsole console = new(output, error, () => Stream.Null, () => new MemoryStream());
        int code = await AidbCommand.RunAsync(
            [.. arguments, "--endpoint", cluster.Grpc.GetLeftPart(UriPartial.Authority), "--api-key", CollectionCluster.ApiKey], console);
        return (code, output.ToString(), error.ToString());
    }
}
