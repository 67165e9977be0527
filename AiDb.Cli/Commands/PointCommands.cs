using System.CommandLine;
using System.Text.Json;
using AiDb.Cli.Collections;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>collection upsert|search|explain|scroll|count</c>.</summary>
internal static class PointCommands
{
    public static Command CreateUpsert(CommandContext context)
    {
        Argument<string> name = CollectionCommands.NameArgument();
        Argument<string> file = new("file") { Description = "A file of JSON Lines; '-': standard input." };
        Option<int> batch = Bounded("--batch", "Points of one write.", 256, 10_000);
        Option<int> concurrency = Bounded("--concurrency", "Writes under way at one time.", 4, 256);
        Option<long> skip = new("--skip-lines")
        {
            Description = "Lines to leave out at the start: an interrupted run tells how many.",
        };
        Command command = new("upsert", """
            Writes the points of a file. A line is {"id":1,"vector":[0.1,0.2],"payload":{...}}; named vectors are an object,
            a sparse one is {"indices":[...],"values":[...]}. Writing a file twice does no harm.
            """)
        {
            name, file, batch, concurrency, skip,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            // Patient: a primary that restarts is waited for, as repeating a batch does no harm.
            AiDbClientSettings settings = context.Settings(parsed);
            AiDbClient client = new(settings with
            {
                MaxRetries = 100,
                Timeout = settings.Timeout < TimeSpan.FromMinutes(2) ? TimeSpan.FromMinutes(2) : settings.Timeout,
            });
            await using (client.ConfigureAwait(false))
            {
                string path = parsed.GetRequiredValue(file);
                Stream input = path == "-" ? context.Console.OpenInput() : File.OpenRead(path);
                await using (input.ConfigureAwait(false))
                {
                    ProgressReport progress = new(
                        context.Console, context.Time, "upsert", path == "-" ? 0 : input.Length, "points");
                    PointImporter importer = new(
                        client.Collection(parsed.GetRequiredValue(name)), parsed.GetValue(batch),
                        parsed.GetValue(concurrency), progress);
                    try
                    {
                        await progress.RunAsync(() => importer.RunAsync(input, parsed.GetValue(skip), cancellationToken))
                            .ConfigureAwait(false);
                    }
                    catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
                    {
                        await context.Console.Error.WriteLineAsync(
                            $"aidb: {importer.CompleteLines} lines are written; continue with --skip-lines "
                            + $"{importer.CompleteLines}").ConfigureAwait(false);
                        throw;
                    }
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateSearch(CommandContext context)
    {
        Argument<string> name = CollectionCommands.NameArgument();
        Argument<string?> vector = VectorArgument();
        Option<string?> like = new("--like") { Description = "Searches near the vector of this point instead." };
        Option<string?> text = new("--text") { Description = "Searches for these words by BM25 in the field of --field." };
        Option<string?> field = new("--field") { Description = "The field of --text; it has a text index." };
        SearchFlags flags = new();
        Command command = new("search", "Prints the nearest points, best first, one line of JSON each.") { name, vector, like, text, field };
        flags.AddTo(command);
        command.SetAction((parsed, cancellationToken) => CollectionCommands.RunAsync(context, parsed, async client =>
        {
            AiDbCollection collection = client.Collection(parsed.GetRequiredValue(name));
            SearchOptions options = flags.Read(parsed);
            AiDbVector? wanted = parsed.GetValue(vector) is { } typed ? PointLine.ParseVector(typed) : null;
            IReadOnlyList<AiDbFoundPoint> found = (wanted, parsed.GetValue(like), parsed.GetValue(text)) switch
            {
                (null, { } id, null) => await collection.SearchLikeAsync(AiDbPointId.Parse(id), options, cancellationToken)
                    .ConfigureAwait(false),
                (null, null, { } words) => await collection.SearchTextAsync(
                    FieldOf(parsed.GetValue(field)), words, options, cancellationToken).ConfigureAwait(false),
                ({ } near, null, { } words) => await collection.SearchHybridAsync(
                    near, FieldOf(parsed.GetValue(field)), words, options, cancellationToken).ConfigureAwait(false),
                ({ } near, null, null) => await collection.SearchAsync(near, options, cancellationToken)
                    .ConfigureAwait(false),
                _ => throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, "Give a vector, --like, --text, or a vector and --text."),
            };
            foreach (AiDbFoundPoint point in found)
                await context.Console.Out.WriteLineAsync(PointLine.Write(point, withScore: true)).ConfigureAwait(false);
        }));
        return command;
    }

    public static Command CreateExplain(CommandContext context)
    {
        Argument<string> name = CollectionCommands.NameArgument();
        Argument<string?> vector = VectorArgument();
        SearchFlags flags = new();
        Command command = new("explain", "Tells how a search would be carried out, and what would make it faster.") { name, vector };
        flags.AddTo(command);
        command.SetAction((parsed, cancellationToken) => CollectionCommands.RunAsync(context, parsed, async client =>
        {
            QueryExplanation explanation = await client.Collection(parsed.GetRequiredValue(name)).ExplainAsync(
                PointLine.ParseVector(parsed.GetValue(vector) ?? ""), flags.Read(parsed), cancellationToken)
                .ConfigureAwait(false);
            if (context.Json(parsed))
            {
                await context.Console.Out.WriteLineAsync(
                    JsonSerializer.Serialize(new { steps = explanation.Steps, warnings = explanation.Warnings }))
                    .ConfigureAwait(false);
                return;
            }

            foreach (string step in explanation.Steps)
                await context.Console.Out.WriteLineAsync(step).ConfigureAwait(false);
            foreach (string warning in explanation.Warnings)
                await context.Console.Out.WriteLineAsync($"warning: {warning}").ConfigureAwait(false);
        }));
        return command;
    }

    public static Command CreateScroll(CommandContext context)
    {
        Argument<string> name = CollectionCommands.NameArgument();
        Option<string[]> where = WhereOption();
        Option<long?> limit = new("--limit", "-n") { Description = "How many points at most." };
        Option<bool> vectors = new("--with-vectors") { Description = "Prints vectors, too: 'upsert' reads the lines again." };
        Command command = new("scroll", "Prints points in the order of their ids, one line of JSON each.") { name, where, limit, vectors };
        command.SetAction((parsed, cancellationToken) => CollectionCommands.RunAsync(context, parsed, async client =>
        {
            long left = parsed.GetValue(limit) ?? long.MaxValue;
            if (left <= 0)
                return;
            await foreach (AiDbFoundPoint point in client.Collection(parsed.GetRequiredValue(name)).ScrollAsync(
                WhereClause.Parse(parsed.GetValue(where) ?? []), parsed.GetValue(vectors), withPayload: true,
                cancellationToken).ConfigureAwait(false))
            {
                await context.Console.Out.WriteLineAsync(PointLine.Write(point, withScore: false)).ConfigureAwait(false);
                if (--left == 0)
                    break;
            }
        }));
        return command;
    }

    public static Command CreateCount(CommandContext context)
    {
        Argument<string> name = CollectionCommands.NameArgument();
        Option<string[]> where = WhereOption();
        Command command = new("count", "Counts points.") { name, where };
        command.SetAction((parsed, cancellationToken) => CollectionCommands.RunAsync(context, parsed, async client =>
        {
            long count = await client.Collection(parsed.GetRequiredValue(name)).CountAsync(
                WhereClause.Parse(parsed.GetValue(where) ?? []), cancellationToken).ConfigureAwait(false);
            await context.Console.Out.WriteLineAsync(context.Json(parsed)
                ? JsonSerializer.Serialize(new { count })
                : CommandContext.Number(count, "F0")).ConfigureAwait(false);
        }));
        return command;
    }

    private static Argument<string?> VectorArgument() => new("vector")
    {
        Description = "The vector as JSON, for example [0.1,0.2].",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static Option<string[]> WhereOption() => new("--where", "-w") { Description = WhereClause.Help };

    private static Option<int> Bounded(string name, string description, int byDefault, int most)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => byDefault };
        option.Validators.Add(result =>
        {
            int value = result.GetValueOrDefault<int>();
            if (value < 1 || value > most)
                result.AddError($"{name} must be 1 to {most}.");
        });
        return option;
    }

    private static string FieldOf(string? field) =>
        field ?? throw new AiDbException(AiDbErrorKind.InvalidArgument, "--text needs --field, the field to look in.");

    /// <summary>The options of searches.</summary>
    private sealed class SearchFlags
    {
        private readonly Option<int> _limit = Bounded("--limit", "How many points at most.", 10, 1_000_000);
        private readonly Option<string[]> _where = WhereOption();
        private readonly Option<string> _using = new("--using")
        {
            Description = "Which vector, where they have names.",
            DefaultValueFactory = static _ => "",
        };

        private readonly Option<bool> _exact = new("--exact") { Description = "Looks at every point." };
        private readonly Option<int?> _ef = new("--ef") { Description = "Candidates of the graph search: more finds more, slower." };
        private readonly Option<bool> _vectors = new("--with-vectors") { Description = "Prints vectors, too." };
        private readonly Option<bool> _noPayload = new("--no-payload") { Description = "Leaves payloads out." };

        public void AddTo(Command command)
        {
            command.Add(_limit);
            command.Add(_where);
            command.Add(_using);
            command.Add(_exact);
            command.Add(_ef);
            command.Add(_vectors);
            command.Add(_noPayload);
        }

        public SearchOptions Read(ParseResult parsed) => new()
        {
            Limit = parsed.GetValue(_limit),
            Filter = WhereClause.Parse(parsed.GetValue(_where) ?? []),
            Using = parsed.GetValue(_using) ?? "",
            Exact = parsed.GetValue(_exact),
            Ef = parsed.GetValue(_ef),
            WithVectors = parsed.GetValue(_vectors),
            WithPayload = !parsed.GetValue(_noPayload),
        };
    }
}
