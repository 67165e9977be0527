namespace AiDb.Engine.Collections.Queries;

/// <summary>Puts vectors in the place of the points that a query names.</summary>
internal sealed class ReferenceResolver
{
    private readonly IQuerySource _source;
    private readonly Dictionary<(string Collection, string Vector), Dictionary<PointId, VectorValue?>> _found = [];
    private readonly HashSet<PointId> _own = [];

    private ReferenceResolver(IQuerySource source) => _source = source;

    /// <summary>Resolves a request and its prefetches. Points of the searched collection that any of them names are left
    /// out of all results.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: a point, its vector or the collection of a
    /// look-up does not exist; <see cref="AiDbErrorKind.InvalidArgument"/>: a vector does not fit.</exception>
    public static async ValueTask<QueryStage> ResolveAsync(
        IQuerySource source, QueryStage root, CancellationToken cancellationToken)
    {
        ReferenceResolver resolver = new(source);
        Dictionary<(string Collection, string Vector), HashSet<PointId>> wanted = [];
        foreach (QueryStage stage in root.All())
        {
            foreach (PointId id in Inputs(stage.Query).OfType<PointIdInput>().Select(static input => input.Id))
            {
                (string, string) place = PlaceOf(stage);
                if (!wanted.TryGetValue(place, out HashSet<PointId>? ids))
                    wanted.Add(place, ids = []);
                ids.Add(id);
            }
        }

        foreach (((string collection, string vector), HashSet<PointId> ids) in wanted)
            await resolver.FetchAsync(collection, vector, [.. ids.Order()], cancellationToken).ConfigureAwait(false);
        QueryStage resolved = resolver.Resolve(root);
        Filter? filter = resolver._own.Count == 0
            ? null
            : FilterMerge.AndMustNot(null, new HasIdCondition([.. resolver._own.Order()]));
        return resolved.WithFilter(filter);
    }

    private static (string Collection, string Vector) PlaceOf(QueryStage stage) =>
        (stage.LookupFrom?.Collection ?? "", stage.LookupFrom?.Vector ?? stage.Using);

    private static IEnumerable<VectorInput> Inputs(Query? query) => query switch
    {
        NearestQuery nearest => [nearest.Vector],
        RecommendQuery recommend => [.. recommend.Positive, .. recommend.Negative],
        DiscoverQuery discover => [discover.Target, .. discover.Context.SelectMany(PairOf)],
        ContextQuery context => context.Context.SelectMany(PairOf),
        _ => [],
    };

    private static VectorInput[] PairOf(ContextPair pair) => [pair.Positive, pair.Negative];

    private async ValueTask FetchAsync(
        string collection, string vector, IReadOnlyList<PointId> ids, CancellationToken cancellationToken)
    {
        IQuerySource place = collection.Length == 0
            ? _source
            : await _source.FindAsync(collection, cancellationToken).ConfigureAwait(false);
        if (place.Name == _source.Name)
            _own.UnionWith(ids);
        IReadOnlyList<PointRecord> records = await place.RetrieveAsync(
            ids, PayloadSelector.None, new VectorSelector { Enabled = true, Names = [vector] }, cancellationToken).ConfigureAwait(false);
        _found[(collection, vector)] = records.ToDictionary(
            static record => record.Id, record => record.Vectors?.GetValueOrDefault(vector));
    }

    private QueryStage Resolve(QueryStage stage) => stage with
    {
        Query = ResolveQuery(stage),
        Prefetches = [.. stage.Prefetches.Select(Resolve)],
    };

    private Query? ResolveQuery(QueryStage stage)
    {
        string field = $"{stage.Path}query";
        switch (stage.Query)
        {
            case NearestQuery nearest:
                return nearest with { Vector = Resolve(stage, nearest.Vector, $"{field}.nearest") };
            case RecommendQuery recommend:
                VectorInput[] positive = ResolveAll(stage, recommend.Positive, $"{field}.recommend.positive");
                VectorInput[] negative = ResolveAll(stage, recommend.Negative, $"{field}.recommend.negative");
                return recommend.Strategy == RecommendStrategy.AverageVector
                    ? new NearestQuery(new VectorValueInput(ExampleAverage.Of(Values(positive), Values(negative))))
                    : recommend with { Positive = positive, Negative = negative };
            case DiscoverQuery discover:
                return new DiscoverQuery(
                    Resolve(stage, discover.Target, $"{field}.discover.target"),
                    ResolvePairs(stage, discover.Context, $"{field}.discover.context"));
            case ContextQuery context:
                return new ContextQuery(ResolvePairs(stage, context.Context, $"{field}.context"));
            default:
                return stage.Query;
        }
    }

    private static VectorValue[] Values(VectorInput[] inputs) =>
        [.. inputs.Select(static input => ((VectorValueInput)input).Vector)];

    private VectorInput[] ResolveAll(QueryStage stage, IReadOnlyList<VectorInput> inputs, string field) =>
        [.. inputs.Select((input, at) => Resolve(stage, input, $"{field}[{at}]"))];

    private ContextPair[] ResolvePairs(QueryStage stage, IReadOnlyList<ContextPair> pairs, string field) =>
    [
        .. pairs.Select((pair, at) => new ContextPair(
            Resolve(stage, pair.Positive, $"{field}[{at}].positive"),
            Resolve(stage, pair.Negative, $"{field}[{at}].negative"))),
    ];

    private VectorValueInput Resolve(QueryStage stage, VectorInput input, string field)
    {
        VectorValue vector = input is PointIdInput point ? Lookup(stage, point.Id, field) : ((VectorValueInput)input).Vector;
        return new VectorValueInput(VectorShape.Fit(_source.Options, stage.Using, vector, field));
    }

    private VectorValue Lookup(QueryStage stage, PointId id, string field)
    {
        (string Collection, string Vector) place = PlaceOf(stage);
        string where = place.Collection.Length == 0 ? "" : $" in the collection {place.Collection}";
        if (!_found[place].TryGetValue(id, out VectorValue? vector))
            throw new AiDbException(AiDbErrorKind.NotFound, $"{field}: no point with id {id} was found{where}.");
        return vector ?? throw new AiDbException(
            AiDbErrorKind.NotFound, $"{field}: the point with id {id}{where} has no vector \"{place.Vector}\".");
    }
}
