using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Text;

namespace AiDb.Benchmarks.Hybrid;

/// <summary>Vectors of texts without a model of texts: weighted averages of the vectors of their words, less what all texts
/// have in common.</summary>
/// <remarks>Source: Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017, with
/// inverse document frequency in the place of the words' probability, three common directions instead of one, and
/// frequencies to the power of 1.5: repeated words are what a text is about.</remarks>
internal sealed class SentenceVectors
{
    private const int CommonDirections = 3;
    private const float FrequencyPower = 1.5f;
    private readonly Dictionary<string, float[]> _words;
    private readonly Dictionary<string, float> _weights = [];
    private readonly List<float[]> _common = [];

    /// <summary>Learns the weights and the common direction of some texts.</summary>
    public SentenceVectors(IReadOnlyList<string> texts, IEnumerable<string> others)
    {
        string[][] words = [.. texts.Select(WordsOf)];
        foreach (string word in words.SelectMany(static text => text.Distinct()))
            _weights[word] = _weights.GetValueOrDefault(word) + 1;
        foreach (string word in _weights.Keys.ToArray())
            _weights[word] = MathF.Log(1 + ((texts.Count - _weights[word] + 0.5f) / (_weights[word] + 0.5f)));
        _words = WordVectors.Read(words.Concat(others.Select(WordsOf)).SelectMany(static text => text).ToHashSet());
        float[][] averages = [.. texts.Select(Average)];
        for (int direction = 0; direction < CommonDirections; direction++)
        {
            _common.Add(CommonDirection(averages));
            foreach (float[] vector in averages)
                TakeOut(vector, _common[direction]);
        }
    }

    /// <summary>The share of the words that have a vector.</summary>
    public double Known => (double)_weights.Keys.Count(_words.ContainsKey) / _weights.Count;

    /// <summary>The vector of a text, of length 1.</summary>
    public float[] Of(string text)
    {
        float[] vector = Average(text);
        foreach (float[] direction in _common)
            TakeOut(vector, direction);
        return Normalise(vector);
    }

    private static void TakeOut(float[] vector, float[] direction)
    {
        float share = Dot(vector, direction);
        for (int at = 0; at < vector.Length; at++)
            vector[at] -= share * direction[at];
    }

    private static string[] WordsOf(string text)
    {
        WordList words = new();
        new TextAnalyzer(new TextIndexOptions { StopwordLanguages = ["english"] }).Index(text, words);
        return [.. words.Words];
    }

    private float[] Average(string text)
    {
        float[] sum = new float[WordVectors.Dimensions];
        foreach ((string word, int frequency) in WordsOf(text).CountBy(static word => word))
        {
            if (!_words.TryGetValue(word, out float[]? vector))
                continue;
            float weight = _weights.GetValueOrDefault(word) * MathF.Pow(frequency, FrequencyPower);
            for (int at = 0; at < sum.Length; at++)
                sum[at] += weight * vector[at];
        }

        return Normalise(sum);
    }

    // The first principal component, by power iteration from a fixed start that is in none of the others'
    // way.
    private static float[] CommonDirection(float[][] vectors)
    {
        const int Iterations = 50;
        float[] direction = Normalise([.. Enumerable.Range(1, WordVectors.Dimensions).Select(static at => MathF.Sin(at))]);
        for (int iteration = 0; iteration < Iterations; iteration++)
        {
            float[] next = new float[direction.Length];
            foreach (float[] vector in vectors)
            {
                float share = Dot(vector, direction);
                for (int at = 0; at < next.Length; at++)
                    next[at] += share * vector[at];
            }

            direction = Normalise(next);
        }

        return direction;
    }

    private static float[] Normalise(float[] vector)
    {
        float length = MathF.Sqrt(Dot(vector, vector));
        return length > 0 ? [.. vector.Select(value => value / length)] : vector;
    }

    private static float Dot(float[] left, float[] right)
    {
        float sum = 0;
        for (int at = 0; at < left.Length; at++)
            sum += left[at] * right[at];
        return sum;
    }

    private sealed class WordList : ITokenSink
    {
        public List<string> Words { get; } = [];

        public void Take(ReadOnlySpan<char> word, int position) => Words.Add(word.ToString());
    }
}
