using AiDb.Cluster.Collections;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Collections;

/// <summary>Tells how a query is carried out: what goes to the shards, what each of them would do, and what is done with
/// their answers.</summary>
internal static class QueryPlan
{
    public static async ValueTask<QueryExplanation> ExplainAsync(
        CollectionCaller caller, CollectionDescriptor collection, ShardedSource source, QueryRequest request,
        CancellationToken cancellationToken)
    {
        List<string> steps = [];
        HashSet<string> warnings = new(StringComparer.Ordinal);
        Explainer explainer = new(caller, collection, source, steps, warnings, cancellationToken);
        await explainer.AddAsync("", request.Prefetches, new LeafQuery
        {
            Query = request.Query,
            Using = request.Using,
            Filter = request.Filter,
            ScoreThreshold = request.ScoreThreshold,
            Parameters = request.Parameters,
            Limit = Math.Max(1, request.Limit),
        });
        return new QueryExplanation(steps, [.. warnings]);
    }

    private sealed class Explainer(
        CollectionCaller caller, CollectionDescriptor collection, ShardedSource source, List<string> steps,
        HashSet<string> warnings, CancellationToken cancellationToken)
    {
        public async ValueTask AddAsync(string name, IReadOnlyList<Prefetch> prefetches, LeafQuery query)
        {
            for (int i = 0; i < prefetches.Count; i++)
            {
                Prefetch prefetch = prefetches[i];
                await AddAsync($"{name}prefetch[{i}] ", prefetch.Prefetches, new LeafQuery
                {
                    Query = prefetch.Query,
                    Using = prefetch.Using,
                    Filter = prefetch.Filter,
                    ScoreThreshold = prefetch.ScoreThreshold,
                    Parameters = prefetch.Parameters,
                    Limit = Math.Max(1, prefetch.Limit),
                });
            }

            switch (query.Query)
            {
                case RrfQuery or DbsfQuery:
                    string method = query.Query is RrfQuery ? "reciprocal rank fusion" : "distribution-based fusion";
                    steps.Add($"{name}fuses the results of {prefetches.Count} prefetches by {method}");
                    break;
                case FormulaQuery:
                    steps.Add($"{name}scores the results of {prefetches.Count} prefetches anew by a formula");
                    break;
                default:
                    await AddLeafAsync(name, prefetches.Count, query);
                    break;
            }
        }

        // A shard cannot look up points that another one holds.
        private async ValueTask<Query?> ResolveAsync(LeafQuery query)
        {
            if (query.Query is not NearestQuery { Vector: PointIdInput { Id: var id } })
                return query.Query;
            IReadOnlyList<PointRecord> found = await source.RetrieveAsync(
                [id], PayloadSelector.None, VectorSelector.All with { Names = [query.Using] }, cancellationToken);
            return found is [{ Vectors: { } vectors }] && vectors.TryGetValue(query.Using, out VectorValue? vector)
                ? new NearestQuery(new VectorValueInput(vector))
                : throw new AiDbException(
                    AiDbErrorKind.NotFound, $"There is no point {id} with a vector '{query.Using}' to search near.");
        }

        private async ValueTask AddLeafAsync(string name, int prefetches, LeafQuery query)
        {
            if (prefetches > 0)
                steps.Add($"{name}looks only at the results of {prefetches} prefetches");
            LeafQuery sent = query.Query switch
            {
                NearestQuery nearest => query with { Query = nearest with { Mmr = null } },
                RecommendQuery { Strategy: RecommendStrategy.AverageVector, Positive: [var first, ..] } =>
                    query with { Query = new NearestQuery(first) },
                _ => query,
            };
            Wire.QueryPoints leaf = WireQueries.ToWire(sent with { Query = await ResolveAsync(sent) });
            uint[] shards = caller.Shards;
            CollectionAnswer[] answers = await caller.AskAllAsync(
                ShardedSource.CallOf(collection, call => call.Explain = leaf), isRead: true, caller.NewDeadline(),
                cancellationToken);
            for (int i = 0; i < answers.Length; i++)
            {
                string shard = answers.Length == 1 ? name : $"{name}shard {shards[i]}: ";
                steps.AddRange(answers[i].Explain.Steps.Select(step => shard + step));
                warnings.UnionWith(answers[i].Explain.Warnings);
            }

            if (answers.Length > 1)
                steps.Add($"{name}merges the best {query.Limit} of each of {answers.Length} shards");
            if (query.Query is NearestQuery { Mmr: not null })
                steps.Add($"{name}spreads the results out by maximal marginal relevance");
        }
    }
}
