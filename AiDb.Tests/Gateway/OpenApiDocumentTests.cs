using System.Text.Json;
using System.Text.Json.Nodes;
using AiDb.Tests.Gateway.Support;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class OpenApiDocumentTests(GatewayFixture gateway)
{
    private const string CommittedPath = "docs/openapi.json";

    [Fact]
    public async Task The_committed_document_is_what_the_gateway_serves()
    {
        string served = (await gateway.Http.GetStringAsync("/openapi/v1.json")).ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable("AIDB_UPDATE_OPENAPI") == "1")
            await File.WriteAllTextAsync(Repository.PathOf(CommittedPath), served);
        Assert.True(
            served == Repository.ReadText(CommittedPath),
            CommittedPath + " is out of date: AIDB_UPDATE_OPENAPI=1 dotnet test AiDb.Tests --filter OpenApiDocumentTests");
    }

    [Fact]
    public async Task Every_operation_is_described_with_its_parameters_and_answers()
    {
        JsonNode document = JsonNode.Parse(await gateway.Http.GetStringAsync("/openapi/v1.json"))!;
        Assert.StartsWith("3.1", document["openapi"]!.GetValue<string>(), StringComparison.Ordinal);
        HashSet<string> ids = [];
        foreach ((string path, JsonNode? item) in document["paths"]!.AsObject())
        {
            foreach ((string method, JsonNode? operation) in item!.AsObject())
            {
                string where = method + " " + path;
                Assert.True(operation!["summary"] is not null && operation["description"] is not null, where);
                Assert.True(ids.Add(operation["operationId"]!.GetValue<string>()), where);
                string[] parameters =
                    [.. (operation["parameters"]?.AsArray() ?? []).Select(parameter => parameter!["name"]!.GetValue<string>())];
                foreach (string part in path.Split('/').Where(part => part.StartsWith('{')))
                    Assert.Contains(part.Trim('{', '}'), parameters);
                foreach ((string status, JsonNode? response) in operation["responses"]!.AsObject())
                {
                    Assert.True(response!["description"]!.GetValue<string>().Length > 0, where + " " + status);
                    if (int.Parse(status) < 400)
                        continue;
                    string type = path.StartsWith("/v1/", StringComparison.Ordinal) ? "application/problem+json" : "application/json";
                    Assert.True(response["content"]?[type] is not null, where + " " + status);
                }
            }
        }

        Assert.Superset(
            new HashSet<string> { "GetKey", "PutKey", "DeleteKey", "ListKeys", "MultiGet", "Batch", "PutTable", "GetCluster" }, ids);
        Assert.Superset(
            new HashSet<string>
            {
                "CreateCollection", "UpsertPoints", "QueryPoints", "ExplainQuery", "SearchGroups", "CreateSnapshot", "GetTelemetry",
            },
            ids);
    }

    [Fact]
    public async Task Every_reference_in_the_document_leads_somewhere()
    {
        using JsonDocument document = JsonDocument.Parse(await gateway.Http.GetStringAsync("/openapi/v1.json"));
        Check(document.RootElement);

        void Check(JsonElement element)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement child in element.EnumerateArray())
                    Check(child);
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    if (property.Name == "$ref")
                        Assert.True(Resolves(property.Value.GetString()!), property.Value.GetString());
                    Check(property.Value);
                }
            }
        }

        bool Resolves(string reference)
        {
            JsonElement at = document.RootElement;
            foreach (string part in reference.TrimStart('#', '/').Split('/'))
            {
                if (!at.TryGetProperty(part, out at))
                    return false;
            }

            return true;
        }
    }
}
