using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>collection list|create|info|delete|index|alias</c>, and the commands on points.</summary>
internal static class CollectionCommands
{
    public static Command Create(CommandContext context) =>
        new("collection", "Makes, shows and drops collections, and works with their points.")
        {
            CreateList(context),
            CreateCreate(context),
            CreateInfo(context),
            CreateDelete(context),
            CreateIndex(context),
            CreateAlias(context),
            PointCommands.CreateUpsert(context),
            PointCommands.CreateSearch(context),
            PointCommands.CreateExplain(context),
            PointCommands.CreateScroll(context),
            PointCommands.CreateCount(context),
        };

    /// <summary>The argument that names a collection.</summary>
    public static Argument<string> NameArgument() => new("collection") { Description = "The collection, or an alias of it." };

    /// <summary>Runs with a client.</summary>
    public static async Task<int> RunAsync(
        CommandContext context, ParseResult parsed, Func<AiDbClient, Task> work)
    {
        AiDbClient client = context.Connect(parsed);
        await using (client.ConfigureAwait(false))
            await work(client).ConfigureAwait(false);
        return ExitCodes.Success;
    }

    private static Command CreateList(CommandContext context)
    {
        Command command = new("list", "Lists the collections.");
        command.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            foreach (string name in await client.Collections.ListAsync(cancellationToken).ConfigureAwait(false))
            {
                await context.Console.Out.WriteLineAsync(
                    context.Json(parsed) ? JsonSerializer.Serialize(new { name }) : name).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static Command CreateCreate(CommandContext context)
    {
        Argument<string> name = NameArgument();
        Option<int?> size = new("--size", "-s") { Description = "Dimensions of the vectors, which then have no names." };
        Option<VectorDistance> distance = new("--distance", "-d")
        {
            Description = "How nearness is measured.",
            DefaultValueFactory = static _ => VectorDistance.Cosine,
        };
        Option<VectorQuantization> quantization = new("--quantization") { Description = "Smaller codes beside the vectors." };
        Option<string[]> vectors = new("--vector") { Description = "A named vector: NAME:SIZE or NAME:SIZE:DISTANCE; may be repeated." };
        Option<string[]> sparse = new("--sparse") { Description = "A sparse vector: NAME, or NAME:idf to weigh rare dimensions; may be repeated." };
        Option<double?> ttl = new("--ttl") { Description = "Seconds that points live where their write does not say." };
        Command command = new("create", "Makes a collection.") { name, size, distance, quantization, vectors, sparse, ttl };
        command.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            VectorQuantization codes = parsed.GetValue(quantization);
            CollectionSettings settings = new()
            {
                Vector = parsed.GetValue(size) is { } dimensions
                    ? new VectorSettings(dimensions, parsed.GetValue(distance), codes)
                    : null,
                Vectors = (parsed.GetValue(vectors) ?? []).Select(text => ParseVector(text, codes))
                    .ToDictionary(static pair => pair.Key, static pair => pair.Value, StringComparer.Ordinal),
                SparseVectors = (parsed.GetValue(sparse) ?? []).Select(static text => text.Split(':')).ToDictionary(
                    static parts => parts[0], static parts => parts is [_, "idf"], StringComparer.Ordinal),
                TimeToLive = parsed.GetValue(ttl) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            };
            await client.Collections.CreateAsync(parsed.GetRequiredValue(name), settings, cancellationToken)
                .ConfigureAwait(false);
            await context.Console.Error.WriteLineAsync($"made {parsed.GetRequiredValue(name)}").ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateInfo(CommandContext context)
    {
        Argument<string> name = NameArgument();
        Command command = new("info", "Shows a collection.") { name };
        command.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            CollectionDetails details =
                await client.Collections.GetAsync(parsed.GetRequiredValue(name), cancellationToken).ConfigureAwait(false);
            await context.Console.Out.WriteLineAsync(context.Json(parsed) ? ToJson(details) : ToText(details))
                .ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateDelete(CommandContext context)
    {
        Argument<string> name = NameArgument();
        Command command = new("delete", "Deletes a collection, its points and aliases.") { name };
        command.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            string collection = parsed.GetRequiredValue(name);
            if (!await client.Collections.DeleteAsync(collection, cancellationToken).ConfigureAwait(false))
                throw new AiDbException(AiDbErrorKind.NotFound, $"There is no collection '{collection}'.");
            await context.Console.Error.WriteLineAsync($"deleted {collection}").ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateIndex(CommandContext context)
    {
        Argument<string> name = NameArgument();
        Argument<string> field = new("field") { Description = "A payload field, for example city or a.b." };
        Argument<PayloadIndex> kind = new("kind")
        {
            Description = "What it holds.",
            DefaultValueFactory = static _ => PayloadIndex.Keyword,
        };
        Option<bool> drop = new("--drop") { Description = "Removes the index instead." };
        Command command = new("index", "Makes or removes an index over a payload field.") { name, field, kind, drop };
        command.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            AiDbCollection collection = client.Collection(parsed.GetRequiredValue(name));
            string path = parsed.GetRequiredValue(field);
            if (parsed.GetValue(drop))
                await collection.DropIndexAsync(path, cancellationToken).ConfigureAwait(false);
            else
                await collection.CreateIndexAsync(path, parsed.GetValue(kind), cancellationToken).ConfigureAwait(false);
            string done = parsed.GetValue(drop) ? "removed the index over" : "indexed";
            await context.Console.Error.WriteLineAsync($"{done} {path}").ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateAlias(CommandContext context)
    {
        Argument<string> alias = new("alias") { Description = "The alias." };
        Argument<string> target = NameArgument();
        Command list = new("list", "Lists the aliases.");
        list.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, async client =>
        {
            foreach ((string name, string collection) in
                await client.Collections.ListAliasesAsync(cancellationToken).ConfigureAwait(false))
            {
                await context.Console.Out.WriteLineAsync(context.Json(parsed)
                    ? JsonSerializer.Serialize(new { alias = name, collection })
                    : $"{name} -> {collection}").ConfigureAwait(false);
            }
        }));
        Command set = new("set", "Makes an alias name a collection, from one moment to the next.") { alias, target };
        set.SetAction((parsed, cancellationToken) => RunAsync(context, parsed, client => client.Collections.SetAliasAsync(
            parsed.GetRequiredValue(alias), parsed.GetRequiredValue(target), cancellationToken).AsTask()));
        Command delete = new("delete", "Takes an alias away.") { alias };
        delete.SetAction((parsed, cancellationToken) => RunAsync(
            context, parsed,
            client => client.Collections.DeleteAliasAsync(parsed.GetRequiredValue(alias), cancellationToken).AsTask()));
        return new Command("alias", "Lists, sets and deletes aliases.") { list, set, delete };
    }

    private static KeyValuePair<string, VectorSettings> ParseVector(string text, VectorQuantization quantization)
    {
        string[] parts = text.Split(':');
        VectorDistance distance = VectorDistance.Cosine;
        if (parts.Length is not (2 or 3)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int size)
            || (parts.Length == 3 && !Enum.TryParse(parts[2], ignoreCase: true, out distance)))
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"--vector {text}: write NAME:SIZE or NAME:SIZE:DISTANCE, for example title:384:Dot.");
        }

        return new(parts[0], new VectorSettings(size, distance, quantization));
    }

    private static string ToJson(CollectionDetails details) => JsonSerializer.Serialize(new
    {
        name = details.Name,
        status = details.Status,
        problem = details.Problem,
        points = details.Points,
        indexedVectors = details.IndexedVectors,
        memoryBytes = details.MemoryBytes,
        vectors = AllVectors(details.Settings).ToDictionary(
            static pair => pair.Key,
            static pair => new
            {
                size = pair.Value.Dimensions,
                distance = pair.Value.Distance.ToString(),
                quantization = pair.Value.Quantization.ToString(),
            }),
        sparseVectors = details.Settings.SparseVectors.Keys,
        indexes = details.Indexes.ToDictionary(
            static pair => pair.Key, static pair => new { kind = pair.Value.Kind.ToString(), points = pair.Value.Points }),
    });

    private static string ToText(CollectionDetails details)
    {
        List<string> lines =
        [
            $"{details.Name}: {details.Status}, {CommandContext.Number(details.Points)} points, "
                + $"{CommandContext.Number(details.IndexedVectors)} indexed vectors, "
                + $"{CommandContext.Number(details.MemoryBytes / 1048576.0, "N1")} MiB of indexes",
        ];
        if (details.Problem is { } problem)
            lines.Add($"  problem: {problem}");
        foreach ((string name, VectorSettings vector) in AllVectors(details.Settings))
            lines.Add($"  vector {(name.Length == 0 ? "(no name)" : name)}: {vector.Dimensions} x {vector.Distance}");
        foreach (string name in details.Settings.SparseVectors.Keys)
            lines.Add($"  sparse vector {name}");
        foreach ((string path, (PayloadIndex kind, long points)) in details.Indexes)
            lines.Add($"  index {path}: {kind}, {CommandContext.Number(points)} points");
        return string.Join(Environment.NewLine, lines);
    }

    private static IEnumerable<KeyValuePair<string, VectorSettings>> AllVectors(CollectionSettings settings) =>
        settings.Vector is { } only ? [new("", only)] : settings.Vectors;
}
