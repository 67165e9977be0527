using System.Globalization;

namespace AiDb.Benchmarks.Hybrid;

/// <summary>The Cranfield collection: abstracts on aerodynamics, questions, and which abstracts answer them.</summary>
internal sealed class CranfieldData
{
    private CranfieldData(IReadOnlyList<string> documents, IReadOnlyList<string> queries, IReadOnlyList<IReadOnlySet<int>> relevant)
    {
        Documents = documents;
        Queries = queries;
        Relevant = relevant;
    }

    /// <summary>Title and abstract of each document.</summary>
    public IReadOnlyList<string> Documents { get; }

    /// <summary>The questions that some document answers.</summary>
    public IReadOnlyList<string> Queries { get; }

    /// <summary>For each question the indices of the documents that answer it.</summary>
    public IReadOnlyList<IReadOnlySet<int>> Relevant { get; }

    /// <summary>Reads <c>cran.all.1400</c>, <c>cran.qry</c> and <c>cranqrel</c> of a folder.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: a file is missing.</exception>
    public static CranfieldData Read(string folder)
    {
        string[] documents = [.. Entries(folder, "cran.all.1400", 'T', 'W')];
        string[] questions = [.. Entries(folder, "cran.qry", 'W')];
        var relevant = new HashSet<int>[questions.Length];
        foreach (ref HashSet<int> set in relevant.AsSpan())
            set = [];

        // Judgements name questions by their order. From 1, a complete answer, to 4, of least interest, all count alike; -1
        // is none.
        foreach (string line in Lines(folder, "cranqrel"))
        {
            int[] numbers = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(static number => int.Parse(number, CultureInfo.InvariantCulture))];
            if (numbers is [int question, int document, > 0])
                relevant[question - 1].Add(document - 1);
        }

        int[] judged = [.. Enumerable.Range(0, questions.Length).Where(at => relevant[at].Count > 0)];
        return new CranfieldData(documents, [.. judged.Select(at => questions[at])], [.. judged.Select(at => relevant[at])]);
    }

    private static IEnumerable<string> Entries(string folder, string file, params char[] fields)
    {
        List<string>? entry = null;
        bool wanted = false;
        foreach (string line in Lines(folder, file))
        {
            if (line.StartsWith(".I ", StringComparison.Ordinal))
            {
                if (entry is not null)
                    yield return string.Join('\n', entry);
                entry = [];
                wanted = false;
            }
            else if (line is ['.', char field])
            {
                wanted = fields.Contains(field);
            }
            else if (wanted)
            {
                entry!.Add(line);
            }
        }

        if (entry is not null)
            yield return string.Join('\n', entry);
    }

    private static IEnumerable<string> Lines(string folder, string file)
    {
        string path = Path.Combine(folder, file);
        return File.Exists(path)
            ? File.ReadLines(path).Select(static line => line.TrimEnd()).Where(static line => line.Length > 0)
            : throw new AiDbException(AiDbErrorKind.NotFound, $"{path} does not exist; --cranfield names the folder of the collection.");
    }
}
