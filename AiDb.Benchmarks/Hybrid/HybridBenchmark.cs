using System.Globalization;
using System.Text.Json;
using AiDb.Engine;
using AiDb.Engine.Collections;

namespace AiDb.Benchmarks.Hybrid;

/// <summary>How good full-text, dense and hybrid search of a database's collections are on the Cranfield
/// collection.</summary>
internal sealed class HybridBenchmark(string folder, int candidates, TextWriter output)
{
    private const int Ranks = 1000;
    private const string Collection = "cranfield";
    private static readonly float[] TextWeights = [1, 2, 3, 5, 7, 10, 20];

    /// <summary>Prints the table.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        CranfieldData data = CranfieldData.Read(folder);
        SentenceVectors sentences = new(data.Documents, data.Queries);
        await output.WriteLineAsync(Line(
            $"{data.Documents.Count} documents, {data.Queries.Count} questions, {sentences.Known:P1} of the words have a vector."));
        DirectoryInfo place = Directory.CreateTempSubdirectory("aidb-hybrid-");
        try
        {
            using Database database = Database.Open(place.FullName);
            await FillAsync(database, data, sentences, cancellationToken);
            await RankAsync(database, data, sentences, cancellationToken);
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    // The text is there twice: with the words as they are, and with stop words left out and endings cut off.
    private static async Task FillAsync(
        Database database, CranfieldData data, SentenceVectors sentences, CancellationToken cancellationToken)
    {
        TextIndexOptions english = new() { StopwordLanguages = ["english"], StemmerLanguage = "english" };
        CollectionOptions options = new()
        {
            Vectors = new Dictionary<string, VectorOptions>
            {
                [NamedVectors.Unnamed] = new() { Dimensions = WordVectors.Dimensions, Metric = VectorMetric.Cosine },
            },
            PayloadIndexes = new Dictionary<string, PayloadIndexOptions>
            {
                ["plain"] = new() { Kind = PayloadIndexKind.Text },
                ["text"] = new() { Kind = PayloadIndexKind.Text, Text = english },
            },
        };
        await database.Collections.CreateAsync(Collection, options, cancellationToken);
        Point[] points = [.. data.Documents.Select((text, at) => new Point
        {
            Id = new PointId((ulong)at),
            Vectors = NamedVectors.Of(sentences.Of(text)),
            Payload = Payload.FromElement(JsonSerializer.SerializeToElement(new { plain = text, text })),
        })];
        await database.Collections.WriteAsync(Collection, [new UpsertOperation(points)], null, cancellationToken);
    }

    private async Task RankAsync(
        Database database, CranfieldData data, SentenceVectors sentences, CancellationToken cancellationToken)
    {
        Query[] text = [.. data.Queries.Select(static query => new TextQuery("text", query))];
        Query[] dense = [.. data.Queries.Select(
            query => new NearestQuery(new VectorValueInput(new DenseVector(sentences.Of(query)))))];
        await output.WriteLineAsync("\n| ranking | MAP | nDCG@10 |\n|---|---|---|");
        await PrintAsync(
            "BM25, words as they are", data,
            await AllAsync(at => new QueryRequest { Query = new TextQuery("plain", data.Queries[at]) }));
        await PrintAsync("BM25, stop words and stemmer", data, await AllAsync(at => new QueryRequest { Query = text[at] }));
        await PrintAsync("dense: averages of word vectors", data, await AllAsync(at => new QueryRequest { Query = dense[at] }));
        await PrintAsync("DBSF", data, await FuseAsync(new DbsfQuery()));
        int[][][] byWeight = new int[TextWeights.Length][][];
        for (int at = 0; at < byWeight.Length; at++)
        {
            byWeight[at] = await FuseAsync(new RrfQuery(Weights: [TextWeights[at], 1]));
            await PrintAsync(Line($"RRF, weights {TextWeights[at]}:1"), data, byWeight[at]);
        }

        await PrintAsync("RRF, weights learnt from the other half of the questions", data, Learnt(data, byWeight));

        Task<int[][]> FuseAsync(Query fusion) => AllAsync(at => new QueryRequest
        {
            Prefetches = [new() { Query = text[at], Limit = candidates }, new() { Query = dense[at], Limit = candidates }],
            Query = fusion,
        });

        async Task<int[][]> AllAsync(Func<int, QueryRequest> request)
        {
            int[][] rankings = new int[data.Queries.Count][];
            for (int at = 0; at < rankings.Length; at++)
            {
                IReadOnlyList<ScoredPoint> found = await database.Collections.QueryAsync(
                    Collection, request(at) with { Limit = Ranks }, cancellationToken);
                rankings[at] = [.. found.Select(static point => (int)point.Id.Number)];
            }

            return rankings;
        }
    }

    // Each half of the questions is ranked with the weight that is best for the other half.
    private static int[][] Learnt(CranfieldData data, int[][][] byWeight)
    {
        int[][] rankings = new int[data.Queries.Count][];
        for (int half = 0; half < 2; half++)
        {
            int[][] best = byWeight.MaxBy(ranked => Measure(data, ranked, query => query % 2 != half).Ndcg)!;
            for (int query = half; query < rankings.Length; query += 2)
                rankings[query] = best[query];
        }

        return rankings;
    }

    private static RetrievalMeasures Measure(CranfieldData data, int[][] rankings, Func<int, bool> counts)
    {
        RetrievalMeasures measures = new();
        for (int query = 0; query < rankings.Length; query++)
        {
            if (counts(query))
                measures.Add(rankings[query], data.Relevant[query]);
        }

        return measures;
    }

    private async Task PrintAsync(string name, CranfieldData data, int[][] rankings)
    {
        RetrievalMeasures measures = Measure(data, rankings, static _ => true);
        await output.WriteLineAsync(Line($"| {name} | {measures.Map:F3} | {measures.Ndcg:F3} |"));
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
