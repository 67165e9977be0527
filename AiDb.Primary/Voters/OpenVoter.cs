using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;
using AiDb.Engine;
using AiDb.Primary.Hosting;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Voters;

/// <summary>An open copy of a shard: its database, its voter, and what serves it while it is the primary.</summary>
/// <remarks>Thread safety: the properties, <see cref="Wake"/> and the driver may be used concurrently; the rest belongs to
/// <see cref="ReplicatedShard"/>. It leads one epoch at most.</remarks>
internal sealed partial class OpenVoter : IAsyncDisposable
{
    private readonly NodeContext _context;
    private readonly uint _shardId;
    private readonly ILogger _logger;
    private readonly long _openedAt;
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly HashSet<Task> _uses = [];
    private Task _serving = Task.CompletedTask;
    private Task _moving = Task.CompletedTask;
    private Task _following = Task.CompletedTask;
    private Task? _waking;
    private Task<ClusterMap>? _newMap;
    private MapFollower? _follower;
    private ShardHost? _host;
    private ulong _configured;
    private ulong _epoch;

    /// <summary>Takes over an open database.</summary>
    public OpenVoter(NodeContext context, uint shardId, Database database)
    {
        _context = context;
        _shardId = shardId;
        _logger = context.Loggers.CreateLogger<OpenVoter>();
        _openedAt = context.Time.GetTimestamp();
        Database = database;
        Driver = new ReplicaDriver(
            shardId, context.Self, database, context.Transport, context.Options.Voters.Protocol, context.Time,
            context.Loggers.CreateLogger<ReplicaDriver>());
    }

    /// <summary>The data.</summary>
    public Database Database { get; }

    /// <summary>The voter, and the leader where it was elected.</summary>
    public ReplicaDriver Driver { get; }

    /// <summary>What serves requests; null: it does not.</summary>
    public ShardHost? Host => Volatile.Read(ref _host);

    /// <summary>Whether it was elected and has not stepped down.</summary>
    public bool IsLeading => _epoch > 0;

    /// <summary>The epoch that it leads or has led; 0: none.</summary>
    public ulong LedEpoch => Volatile.Read(ref _epoch);

    /// <summary>How long it has been open.</summary>
    public TimeSpan Age => _context.Time.GetElapsedTime(_openedAt);

    /// <summary>How long it has heard no primary.</summary>
    public TimeSpan Silence => Driver.SincePrimaryHeard ?? Age;

    /// <summary>What it does, for people.</summary>
    public string Phase => Driver.Phase switch
    {
        null => "follower",
        LeaderPhase.Leading when Host is not null => "primary",
        { } phase => phase.ToString().ToLowerInvariant(),
    };

    /// <summary>Takes in a later <c>conf</c>, and the slots where it serves.</summary>
    public void Configure(ShardDescriptor shard)
    {
        if (shard.Generation > _configured)
        {
            _configured = shard.Generation;
            Driver.Configure(shard.ToGroup());
        }

        if (_follower is { } follower && _following.IsCompleted)
        {
            // Dropping what was dropped meanwhile writes, and so waits for the quorum.
            ClusterMap map = _context.Map.Current;
            _following = Task.Run(() => follower.Follow(map), _closing.Token);
        }
    }

    /// <summary>Begins to lead an epoch.</summary>
    public void Lead(ShardDescriptor elected, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _epoch, elected.Epoch);
        Driver.Elect(elected.ToGroup());
        _serving = ServeAsync(elected, cancellationToken);
    }

    /// <summary>Ends a wait early.</summary>
    public void Wake()
    {
        try
        {
            if (_wake.CurrentCount == 0)
                _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another has woken it.
        }
    }

    /// <summary>Waits for a newer map, the end of its epoch, or a while.</summary>
    public async Task WaitAsync(long version, TimeSpan longest, CancellationToken cancellationToken)
    {
        _waking ??= _wake.WaitAsync(_closing.Token);
        _newMap ??= _context.Map.WaitForNewerAsync(version, _closing.Token).AsTask();
        Task first = await Task.WhenAny(
            _waking, _newMap, Driver.SteppedDown, Task.Delay(longest, _context.Time, cancellationToken)).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (first == _waking)
            _waking = null;
        if (_newMap.IsCompleted)
            _newMap = null;
    }

    /// <summary>Fails where its disk or its data has failed: opening it again would not help, and would be tried for
    /// ever.</summary>
    /// <exception cref="AiDbException">The failure.</exception>
    public Task ThrowIfBrokenAsync() => Driver.Failure is { } failure
        ? Task.FromException(new AiDbException(failure.Kind, $"The copy of shard {_shardId} has failed: {failure.Message}", failure))
        : Task.CompletedTask;

    /// <summary>Does something with the database that must have ended before it is closed.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: it is being closed.</exception>
    public async Task UseAsync(Func<Database, CancellationToken, Task> use, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        CancellationTokenSource ended;
        lock (_uses)
        {
            if (_closing.IsCancellationRequested)
                throw new AiDbException(AiDbErrorKind.Unavailable, $"The copy of shard {_shardId} is being closed.");
            _uses.Add(done.Task);
            ended = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token, cancellationToken);
        }

        try
        {
            await use(Database, ended.Token).ConfigureAwait(false);
        }
        finally
        {
            ended.Dispose();
            lock (_uses)
                _uses.Remove(done.Task);
            done.SetResult();
        }
    }

    /// <summary>Closes everything; writes that wait end as of unknown outcome.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] uses;
        lock (_uses)
        {
            _closing.Cancel();
            uses = [.. _uses];
        }

        await Task.WhenAll(uses).ConfigureAwait(false);
        await Driver.DisposeAsync().ConfigureAwait(false);
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_following, _moving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Interlocked.Exchange(ref _host, null) is { } host)
        {
            _context.Hosts.TryRemove(new KeyValuePair<uint, ShardHost>(_shardId, host));
            await host.DisposeAsync().ConfigureAwait(false);
        }
        else
        {
            await Database.DisposeAsync().ConfigureAwait(false);
        }

        _closing.Dispose();
    }

    private async Task ServeAsync(ShardDescriptor elected, CancellationToken cancellationToken)
    {
        try
        {
            await Driver.WhenActiveAsync(cancellationToken).ConfigureAwait(false);
            ClusterMap map = _context.Map.Current;
            var host = new ShardHost(
                _shardId, Database, MapFollower.OwnershipOf(map, _shardId), _context.Options.Shards, _context.Time,
                _context.Loggers.CreateLogger<ShardHost>(), _context.Map)
            {
                ConfirmRead = Driver.ReadIndexAsync,
                Archive = _context.Backup?.Start(_shardId, Database),
            };
            Volatile.Write(ref _host, host);
            _context.Hosts[_shardId] = host;
            _moving = new MoveRunner(
                host, _context.Map, _context.Store, _context.Options.Node.ClusterSecret, _context.Time, _logger).RunAsync(_closing.Token);
            _follower = new MapFollower(host, _context.Loggers.CreateLogger<MapFollower>());
            LogServing(_context.Node.Id, _shardId, elected.Epoch, Age);

            // It serves already: the record is for those who look, and for the coordinator's patience.
            var election = new ShardElection(_context.Store, _context.Node);
            await StoreRetry.RunAsync(
                () => election.ActivateAsync(elected, cancellationToken), reason => LogStoreUnreachable(_shardId, reason),
                _context.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            // It stepped down, another was elected, or it could not be served, whatever the reason: a primary that serves
            // nobody and keeps its followers quiet would be worse than none.
            if (!_closing.IsCancellationRequested)
                LogNotServing(_shardId, elected.Epoch, error.Message);
            await Driver.DisposeAsync().ConfigureAwait(false);
        }
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Primary {Node} serves shard {Shard} in epoch {Epoch}, {Age} after its copy was opened")]
    private partial void LogServing(string node, uint shard, ulong epoch, TimeSpan age);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard}: epoch {Epoch} is given up: {Reason}")]
    private partial void LogNotServing(uint shard, ulong epoch, string reason);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Warning,
        Message = "Shard {Shard} is served, but the metadata store cannot be told yet: {Reason}")]
    private partial void LogStoreUnreachable(uint shard, string reason);
}
