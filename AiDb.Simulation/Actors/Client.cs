using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Actors;

/// <summary>A client: one operation after the other, repeated under the same number until it is answered or given
/// up.</summary>
internal sealed class Client
{
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromMilliseconds(700);
    private const int MaxAttempts = 12;
    private readonly SimulatedCluster _cluster;
    private readonly History _history;
    private readonly Scenario _scenario;
    private readonly Func<bool> _goesOn;
    private readonly string _place;
    private readonly int _id;
    private readonly Dictionary<int, long> _seen = [];
    private readonly double _reads;
    private int _sequence;
    private int _attempt;
    private string? _primary;

    public Client(SimulatedCluster cluster, Scenario scenario, History history, int id, Func<bool> goesOn)
    {
        _cluster = cluster;
        _scenario = scenario;
        _history = history;
        _id = id;
        _goesOn = goesOn;
        _place = $"c{id}";
        _reads = cluster.Random.Next(3) == 0 ? 1 : scenario.Reads;
        cluster.Scheduler.After(TimeSpan.FromMilliseconds(cluster.Random.Next(1000)), Next);
    }

    /// <summary>Whether it has ended.</summary>
    public bool IsDone { get; private set; }

    private void Next()
    {
        if (!_goesOn())
        {
            IsDone = true;
            return;
        }

        Random random = _cluster.Random;
        int key = random.Next(_scenario.Keys);
        long value = ((long)_id << 32) + ++_sequence;
        Operation operation = random.NextDouble() switch
        {
            double drawn when drawn < _reads => new Operation(OperationKind.Read, key, 0, 0, _id, _sequence),
            double drawn when drawn < (_reads + 2) / 3 => new Operation(OperationKind.Put, key, 0, value, _id, _sequence),
            _ => new Operation(OperationKind.CompareAndSet, key, _seen.GetValueOrDefault(key), value, _id, _sequence),
        };
        int index = _history.Invoke(operation, _cluster.Scheduler.Now);
        _attempt = 0;
        Attempt(operation, index);
    }

    private void Attempt(Operation operation, int index)
    {
        int attempt = ++_attempt;
        SimulatedNode node = Choose(operation);
        _cluster.Network.Send(_place, node.Id, () => node.OnArrival(() => node.Process?.Serve(
            operation,
            result => _cluster.Network.Send(node.Id, _place, () => Answered(operation, index, attempt, node.Id, result)))));
        _cluster.Scheduler.After(AttemptTimeout, () =>
        {
            if (attempt == _attempt && _sequence == operation.Sequence && !_history.IsAnswered(index))
                Again(operation, index);
        });
    }

    private void Answered(Operation operation, int index, int attempt, string node, OperationResult? result)
    {
        if (_sequence != operation.Sequence || _history.IsAnswered(index))
            return;
        if (result is { } answer)
        {
            _primary = node;
            if (operation.Kind == OperationKind.Read)
                _seen[operation.Key] = answer.Value;
            _history.Answer(index, answer, _cluster.Scheduler.Now);
            _cluster.Scheduler.After(TimeSpan.FromMilliseconds(_cluster.Random.Next(1, (int)_scenario.ThinkTime.TotalMilliseconds)), Next);
        }
        else if (attempt == _attempt)
        {
            _primary = null;
            _cluster.Scheduler.After(TimeSpan.FromMilliseconds(50), () =>
            {
                if (attempt == _attempt && _sequence == operation.Sequence && !_history.IsAnswered(index))
                    Again(operation, index);
            });
        }
    }

    private void Again(Operation operation, int index)
    {
        if (_attempt < MaxAttempts)
        {
            _primary = null;
            Attempt(operation, index);
            return;
        }

        // Its outcome stays unknown; the next operation's number ends it.
        Next();
    }

    private SimulatedNode Choose(Operation operation)
    {
        Random random = _cluster.Random;
        if (operation.Kind == OperationKind.Read && random.Next(3) == 0)
            return _cluster.Nodes[random.Next(_cluster.Nodes.Count)];
        if (_primary is not null)
            return _cluster.Node(_primary);
        string known = _cluster.Store.Conf.PrimaryNodeId;
        return known.Length > 0 && random.Next(4) > 0
            ? _cluster.Node(known)
            : _cluster.Nodes[random.Next(_cluster.Nodes.Count)];
    }
}
