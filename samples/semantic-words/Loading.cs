using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AiDb.Samples.Words;
using Spectre.Console;

namespace AiDb.Samples.SemanticWords;

/// <summary>Fills the collection: a point per word, its rank by frequency as the id.</summary>
internal sealed class Loading(QdrantHttp http, IAnsiConsole console)
{
    private const int BatchSize = 1000;
    private const int Concurrency = 4;
    private const int Dimensions = 100;

    /// <summary>Loads the words, unless they are there.</summary>
    public async Task RunAsync(string collection, int count, CancellationToken cancellationToken)
    {
        string path = "/collections/" + collection;
        JsonNode existence = await http.SendAsync(HttpMethod.Get, path + "/exists", (byte[]?)null, cancellationToken);
        if (existence["exists"]!.GetValue<bool>())
        {
            JsonNode counted = await http.SendAsync(HttpMethod.Post, path + "/points/count", new JsonObject(), cancellationToken);
            if (counted["count"]!.GetValue<long>() == count)
                return;
            await http.SendAsync(HttpMethod.Delete, path, (byte[]?)null, cancellationToken);
        }

        string file = await WordsFile.GetAsync(count, cancellationToken);
        await http.SendAsync(HttpMethod.Put, path, Settings(), cancellationToken);
        foreach ((string field, JsonNode schema) in Indexes())
        {
            await http.SendAsync(
                HttpMethod.Put, path + "/index?wait=true",
                new JsonObject { ["field_name"] = field, ["field_schema"] = schema }, cancellationToken);
        }

        await FillAsync(path, file, count, cancellationToken);
    }

    private static JsonObject Settings() => new()
    {
        ["vectors"] = new JsonObject { ["size"] = Dimensions, ["distance"] = "Cosine" },
    };

    private static IEnumerable<(string Field, JsonNode Schema)> Indexes() =>
    [
        ("word", "keyword"),
        ("first", "keyword"),
        ("length", "integer"),
        ("parts", new JsonObject { ["type"] = "text", ["tokenizer"] = "whitespace" }),
    ];

    private Task FillAsync(string path, string file, int count, CancellationToken cancellationToken)
    {
        Progress progress = console.Progress().Columns(
            new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(),
            new SpinnerColumn());
        return progress.StartAsync(async context =>
        {
            ProgressTask task = context.AddTask($"loading {count:N0} words", maxValue: count);
            await Parallel.ForEachAsync(
                BatchesAsync(file),
                new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken },
                async (batch, token) =>
                {
                    await http.SendAsync(HttpMethod.Put, path + "/points?wait=true", batch.Body, token);
                    task.Increment(batch.Points);
                });
        });
    }

    // The vectors go from the file into the request as the text that they are.
    private static async IAsyncEnumerable<(byte[] Body, int Points)> BatchesAsync(string file)
    {
        ArrayBufferWriter<byte> body = new();
        int rank = 0;
        int points = 0;
        Utf8JsonWriter json = new(body);
        await foreach (string line in File.ReadLinesAsync(file))
        {
            if (points == 0)
            {
                json.WriteStartObject();
                json.WriteStartArray("points"u8);
            }

            using JsonDocument document = JsonDocument.Parse(line);
            WritePoint(json, ++rank, document.RootElement);
            if (++points < BatchSize)
                continue;
            yield return (End(json, body), points);
            points = 0;
        }

        if (points > 0)
            yield return (End(json, body), points);
        await json.DisposeAsync();
    }

    private static byte[] End(Utf8JsonWriter json, ArrayBufferWriter<byte> body)
    {
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        byte[] bytes = body.WrittenSpan.ToArray();
        body.ResetWrittenCount();
        json.Reset();
        return bytes;
    }

    private static void WritePoint(Utf8JsonWriter json, int rank, JsonElement line)
    {
        string word = line.GetProperty("key").GetString()!;
        json.WriteStartObject();
        json.WriteNumber("id"u8, rank);
        json.WritePropertyName("vector"u8);
        line.GetProperty("value").WriteTo(json);
        json.WriteStartObject("payload"u8);
        json.WriteString("word"u8, word);
        json.WriteString("first"u8, word[..1]);
        json.WriteNumber("length"u8, word.Length);
        json.WriteString("parts"u8, PartsOf(word));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The pieces of three letters that a word has, for searches by spelling: "kin ing" of "king".</summary>
    public static string PartsOf(string word)
    {
        if (word.Length <= 3)
            return word;
        StringBuilder parts = new();
        for (int i = 0; i + 3 <= word.Length; i++)
            parts.Append(i == 0 ? "" : " ").Append(word, i, 3);
        return parts.ToString();
    }
}
