using System.Diagnostics;
using AiDb.Samples.Words;
using Spectre.Console;

namespace AiDb.Samples.SemanticWords;

/// <summary>Loads the words where they are missing, and asks.</summary>
internal sealed class SemanticWordsRun(QdrantHttp http, SemanticWordsOptions options, IAnsiConsole console)
{
    private const string Collection = "semantic-words";

    private readonly Questions _questions = new(http, Collection);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await new Loading(http, console).RunAsync(Collection, options.Count, cancellationToken);
        if (!options.IsTour)
        {
            await AskAsync(options.Question, cancellationToken);
            return;
        }

        Expect(await AskAsync(["nearest", "france"], cancellationToken), "belgium", "paris", "italy", "spain", "germany");
        Expect(await AskAsync(["analogy", "king", "-", "man", "+", "woman"], cancellationToken), "queen");
        IReadOnlyList<Answer> filtered = await AskAsync(["filtered", "ocean", "s"], cancellationToken);
        if (!filtered.All(static answer => answer.Word.StartsWith('s') && answer.Word.Length > 3))
            throw new SampleFailedException("A word that the filter excludes was found.");
        IReadOnlyList<Answer> hybrid = await AskAsync(["hybrid", "ocean", "water"], cancellationToken);
        if (!hybrid.Any(static answer => answer.Word.Contains("water", StringComparison.Ordinal)))
            throw new SampleFailedException("The spelling did not count.");
        Console.WriteLine("semantic-words: OK");
    }

    private async Task<IReadOnlyList<Answer>> AskAsync(IReadOnlyList<string> question, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<Answer> answers = question[0] switch
        {
            "nearest" => await _questions.NearestAsync(question[1], cancellationToken),
            "analogy" => await _questions.AnalogyAsync([.. question.Skip(1)], cancellationToken),
            "filtered" => await _questions.FilteredAsync(question[1], question[2], cancellationToken),
            _ => await _questions.HybridAsync(question[1], question[2], cancellationToken),
        };
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        console.MarkupLine($"[bold]{Markup.Escape(string.Join(' ', question))}[/] ({milliseconds:0.0} ms)");
        Table table = new Table().Border(TableBorder.Rounded);
        table.AddColumn("word").AddColumn(new TableColumn("score").RightAligned());
        foreach (Answer answer in answers)
            table.AddRow(Markup.Escape(answer.Word), $"{answer.Score:0.0000}");
        console.Write(table);
        return answers;
    }

    private static void Expect(IReadOnlyList<Answer> answers, params string[] words)
    {
        if (!answers.Any(answer => words.Contains(answer.Word)))
        {
            throw new SampleFailedException(
                $"None of {string.Join(", ", words)} was found, but {string.Join(", ", answers.Select(answer => answer.Word))}.");
        }
    }
}
