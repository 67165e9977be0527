using System.Text.Json.Nodes;
using AiDb.Samples.Words;

namespace AiDb.Samples.SemanticWords;

/// <summary>A word that a question found.</summary>
internal sealed record Answer(string Word, double Score);

/// <summary>The questions, as requests of Qdrant's REST API.</summary>
internal sealed class Questions(QdrantHttp http, string collection)
{
    private const int Limit = 10;

    private readonly string _points = $"/collections/{collection}/points";

    /// <summary>Words of a similar meaning.</summary>
    public async Task<IReadOnlyList<Answer>> NearestAsync(string word, CancellationToken cancellationToken)
    {
        (long id, _) = await FindAsync(word, cancellationToken);
        return await QueryAsync(new JsonObject { ["query"] = id }, cancellationToken);
    }

    /// <summary>What is to the last word as the first is to the second: king - man + woman.</summary>
    public async Task<IReadOnlyList<Answer>> AnalogyAsync(IReadOnlyList<string> terms, CancellationToken cancellationToken)
    {
        double[]? sum = null;
        JsonArray ids = [];
        for (int i = 0; i < terms.Count; i += 2)
        {
            int sign = i == 0 || terms[i - 1] == "+" ? 1 : terms[i - 1] == "-" ? -1 : throw new SampleFailedException(
                $"Between the words of an analogy stands + or -, not '{terms[i - 1]}'.");
            (long id, double[] vector) = await FindAsync(terms[i], cancellationToken);
            ids.Add(id);
            sum ??= new double[vector.Length];
            for (int d = 0; d < sum.Length; d++)
                sum[d] += sign * vector[d];
        }

        return await QueryAsync(
            new JsonObject
            {
                ["query"] = new JsonArray([.. sum!.Select(number => JsonValue.Create(number))]),
                ["filter"] = new JsonObject { ["must_not"] = new JsonArray(new JsonObject { ["has_id"] = ids }) },
            },
            cancellationToken);
    }

    /// <summary>Words of a similar meaning that begin with a letter and are longer than three.</summary>
    public async Task<IReadOnlyList<Answer>> FilteredAsync(string word, string first, CancellationToken cancellationToken)
    {
        (long id, _) = await FindAsync(word, cancellationToken);
        JsonObject filter = new()
        {
            ["must"] = new JsonArray(
                new JsonObject { ["key"] = "first", ["match"] = new JsonObject { ["value"] = first } },
                new JsonObject { ["key"] = "length", ["range"] = new JsonObject { ["gt"] = 3 } }),
        };
        return await QueryAsync(new JsonObject { ["query"] = id, ["filter"] = filter }, cancellationToken);
    }

    /// <summary>Words of a similar meaning and words of a similar spelling, fused by their ranks.</summary>
    public async Task<IReadOnlyList<Answer>> HybridAsync(string word, string part, CancellationToken cancellationToken)
    {
        (long id, _) = await FindAsync(word, cancellationToken);
        JsonObject spelling = new() { ["field"] = "parts", ["text"] = Loading.PartsOf(part) };
        return await QueryAsync(
            new JsonObject
            {
                ["prefetch"] = new JsonArray(
                    new JsonObject { ["query"] = id, ["limit"] = 200 },
                    new JsonObject { ["query"] = new JsonObject { ["bm25"] = spelling }, ["limit"] = 200 }),
                ["query"] = new JsonObject { ["fusion"] = "rrf" },
            },
            cancellationToken);
    }

    private async Task<IReadOnlyList<Answer>> QueryAsync(JsonObject request, CancellationToken cancellationToken)
    {
        request["limit"] = Limit;
        request["with_payload"] = new JsonArray("word");
        JsonNode result = await http.SendAsync(HttpMethod.Post, _points + "/query", request, cancellationToken);
        return
        [
            .. result["points"]!.AsArray().Select(static point =>
                new Answer(point!["payload"]!["word"]!.GetValue<string>(), point["score"]!.GetValue<double>())),
        ];
    }

    private async Task<(long Id, double[] Vector)> FindAsync(string word, CancellationToken cancellationToken)
    {
        JsonObject request = new()
        {
            ["filter"] = new JsonObject
            {
                ["must"] = new JsonArray(new JsonObject { ["key"] = "word", ["match"] = new JsonObject { ["value"] = word } }),
            },
            ["limit"] = 1,
            ["with_vector"] = true,
        };
        JsonNode page = await http.SendAsync(HttpMethod.Post, _points + "/scroll", request, cancellationToken);
        JsonArray points = page["points"]!.AsArray();
        return points.Count > 0
            ? (points[0]!["id"]!.GetValue<long>(), [.. points[0]!["vector"]!.AsArray().Select(static x => x!.GetValue<double>())])
            : throw new SampleFailedException($"'{word}' is not among the words that are loaded.");
    }
}
