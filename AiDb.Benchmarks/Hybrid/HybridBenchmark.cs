using System.Globalization;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Text;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Hybrid;

/// <summary>How good full-text, dense and hybrid search are on the Cranfield collection.</summary>
internal sealed class HybridBenchmark(string folder, int candidates, TextWriter output)
{
    private const int Ranks = 1000;
    private static readonly float[] TextWeights = [1, 2, 3, 5, 7, 10, 20];

    /// <summary>Prints the table.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        CranfieldData data = CranfieldData.Read(folder);
        SentenceVectors sentences = new(data.Documents, data.Queries);
        await output.WriteLineAsync(Line(
            $"{data.Documents.Count} documents, {data.Queries.Count} questions, {sentences.Known:P1} of the words have a vector."));
        using DenseIndex dense = new(new DenseIndexOptions { Dimensions = WordVectors.Dimensions });
        TextIndex plain = Index(data, new TextIndexOptions());
        TextIndex text = Index(data, new TextIndexOptions { StopwordLanguages = ["english"], StemmerLanguage = "english" });
        for (int at = 0; at < data.Documents.Count; at++)
            dense.Set((uint)at, sentences.Of(data.Documents[at]));
        cancellationToken.ThrowIfCancellationRequested();
        ScoredOffset[][] byText = [.. data.Queries.Select(query => Search(text, query))];
        ScoredOffset[][] byVector = [.. data.Queries.Select(query => Search(dense, sentences.Of(query)))];
        await output.WriteLineAsync("\n| ranking | MAP | nDCG@10 |\n|---|---|---|");
        await PrintAsync("BM25, words as they are", data, [.. data.Queries.Select(query => Offsets(Search(plain, query)))]);
        await PrintAsync("BM25, stop words and stemmer", data, [.. byText.Select(Offsets)]);
        await PrintAsync("dense: averages of word vectors", data, [.. byVector.Select(Offsets)]);
        IReadOnlyList<ScoredPoint>[][] both =
            [.. byText.Zip(byVector, (left, right) => (IReadOnlyList<ScoredPoint>[])[Points(left), Points(right)])];
        await PrintAsync("DBSF", data, [.. both.Select(static lists => Ids(Fusion.Dbsf(lists, [true, true])))]);
        foreach (float weight in TextWeights)
            await PrintAsync(Line($"RRF, weights {weight}:1"), data, Fuse(both, weight));
        await PrintAsync("RRF, weights learnt from the other half", data, Learnt(data, both));
    }

    // Each half of the questions is ranked with the weight that is best for the other half.
    private static int[][] Learnt(CranfieldData data, IReadOnlyList<ScoredPoint>[][] both)
    {
        int[][] rankings = new int[both.Length][];
        for (int half = 0; half < 2; half++)
        {
            float best = TextWeights.MaxBy(weight => Measure(data, Fuse(both, weight), query => query % 2 != half).Ndcg);
            int[][] fused = Fuse(both, best);
            for (int query = half; query < rankings.Length; query += 2)
                rankings[query] = fused[query];
        }

        return rankings;
    }

    private static int[][] Fuse(IReadOnlyList<ScoredPoint>[][] both, float weight) =>
        [.. both.Select(lists => Ids(Fusion.Rrf(lists, Fusion.DefaultK, [weight, 1])))];

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

    private static TextIndex Index(CranfieldData data, TextIndexOptions options)
    {
        TextIndex index = new(options);
        for (int at = 0; at < data.Documents.Count; at++)
            index.Set((uint)at, [data.Documents[at]]);
        return index;
    }

    private static ScoredOffset[] Search(TextIndex index, string text)
    {
        ScoredOffset[] best = new ScoredOffset[Ranks];
        return best[..index.Search(text, null, null, default, null, best, CancellationToken.None)];
    }

    private static ScoredOffset[] Search(DenseIndex index, float[] vector)
    {
        ScoredOffset[] best = new ScoredOffset[Ranks];
        return best[..index.Search(vector, new DenseSearch { Exact = true }, best)];
    }

    private ScoredPoint[] Points(ScoredOffset[] found) =>
        [.. found.Take(candidates).Select(static item => new ScoredPoint { Id = new PointId(item.Offset), Score = item.Score })];

    private static int[] Offsets(ScoredOffset[] found) => [.. found.Select(static item => (int)item.Offset)];

    private static int[] Ids(List<ScoredPoint> found) => [.. found.Select(static point => (int)point.Id.Number)];
}
