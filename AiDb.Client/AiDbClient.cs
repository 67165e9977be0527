using AiDb.Client.Transport;
using AiDb.Contracts.V1;

namespace AiDb.Client;

/// <summary>The client of a single node or a cluster, over the gRPC port of its gateways. Make one for a
/// process and keep it: it holds the connections.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last. Errors
/// are <see cref="AiDbException"/>s, whose kind says what to do; a call whose token is cancelled throws
/// <see cref="OperationCanceledException"/>.</remarks>
public sealed class AiDbClient : IAsyncDisposable, IDisposable
{
    /// <summary>The name of the client's <c>ActivitySource</c> and <c>Meter</c>.</summary>
    public const string TelemetryName = "AiDb.Client";

    private readonly CallExecutor _calls;
    private int _disposed;

    /// <summary>Starts to connect.</summary>
    /// <param name="settings">Where, and how.</param>
    /// <param name="timeProvider">The clock of timeouts and pauses; null: the system's.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming every invalid
    /// setting.</exception>
    public AiDbClient(AiDbClientSettings settings, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.Validate();
        Settings = settings;
        _calls = new CallExecutor(settings, timeProvider ?? TimeProvider.System);
        Collections = new AiDbCollections(_calls);
    }

    /// <summary>Starts to connect to what a connection string names; see
    /// <see cref="AiDbClientSettings.FromConnectionString"/>.</summary>
    public AiDbClient(string connectionString)
        : this(AiDbClientSettings.FromConnectionString(connectionString))
    {
    }

    /// <summary>The settings that it was made with.</summary>
    public AiDbClientSettings Settings { get; }

    /// <summary>What this client has read and written so far, as a token for
    /// <see cref="ReadOptions.Session"/> or <see cref="JoinSession"/> of another client. Empty before the
    /// first answer, and when <see cref="AiDbClientSettings.TrackSession"/> is off.</summary>
    public string SessionToken => _calls.Session.Token;

    /// <summary>Makes reads of this client see what the token's owner saw and wrote.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not a
    /// token.</exception>
    public void JoinSession(string token) => _calls.Session.Join(token);

    /// <summary>A handle on a table. Nothing is sent; the first write makes the table where it is
    /// missing.</summary>
    public AiDbTable Table(string name)
    {
        WireMapping.CheckTable(name);
        return new AiDbTable(_calls, name);
    }

    /// <summary>Makes, shows and drops collections of points with vectors.</summary>
    public AiDbCollections Collections { get; }

    /// <summary>A handle on a collection, which must exist when it is used.</summary>
    /// <param name="name">Its name, or an alias.</param>
    public AiDbCollection Collection(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new AiDbCollection(_calls, name);
    }

    /// <summary>Writes a batch.</summary>
    /// <param name="batch">The operations.</param>
    /// <param name="options">Partition, durability, timeout; conditions and times to live belong to the
    /// operations.</param>
    /// <param name="cancellationToken">Gives up waiting; whether the batch took effect is then
    /// unknown.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: a condition does not
    /// hold and nothing was applied. <see cref="AiDbErrorKind.InvalidArgument"/>: an atomic batch names
    /// several partitions.</exception>
    public async ValueTask<BatchOutcome> BatchAsync(
        AiDbBatch batch, WriteOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Count == 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The batch is empty.");
        options?.Validate();
        WriteOptions write = options ?? new WriteOptions();
        BatchResponse response = await _calls
            .BatchAsync(batch.ToRequest(write), write, cancellationToken).ConfigureAwait(false);
        _calls.Session.Observe(response.Session);
        return WireMapping.ToOutcome(response);
    }

    /// <summary>Makes a table.</summary>
    /// <param name="name">1 to 255 letters, digits, <c>_ - .</c></param>
    /// <param name="settings">Null: defaults.</param>
    /// <param name="ifNotExists">No error when a table of that name and these settings exists.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: there is one.</exception>
    public async ValueTask<TableDescription> CreateTableAsync(
        string name, TableSettings? settings = null, bool ifNotExists = false, CancellationToken cancellationToken = default)
    {
        WireMapping.CheckTable(name);
        CreateTableRequest request = new()
        {
            Name = name,
            Options = WireMapping.ToWire(settings ?? new TableSettings()),
            IfNotExists = ifNotExists,
        };
        TableInfo table = await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, request, static (admin, message, options) => admin.CreateTableAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return WireMapping.ToDescription(table);
    }

    /// <summary>Describes a table.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that
    /// name.</exception>
    public async ValueTask<TableDescription> GetTableAsync(string name, CancellationToken cancellationToken = default)
    {
        WireMapping.CheckTable(name);
        TableInfo table = await _calls.AdministerAsync(
            CallKind.Administer, new GetTableRequest { Name = name },
            static (admin, message, options) => admin.GetTableAsync(message, options), cancellationToken).ConfigureAwait(false);
        return WireMapping.ToDescription(table);
    }

    /// <summary>Describes all tables, by name.</summary>
    public async ValueTask<IReadOnlyList<TableDescription>> ListTablesAsync(CancellationToken cancellationToken = default)
    {
        ListTablesResponse response = await _calls.AdministerAsync(
            CallKind.Administer, new ListTablesRequest(),
            static (admin, message, options) => admin.ListTablesAsync(message, options), cancellationToken).ConfigureAwait(false);
        return [.. response.Tables.Select(WireMapping.ToDescription).OrderBy(static table => table.Name, StringComparer.Ordinal)];
    }

    /// <summary>Splits a range of a table that is partitioned by ranges; nothing moves by that. No error where a range begins there
    /// already.</summary>
    /// <param name="name">The table.</param>
    /// <param name="at">The first key of the new range; 1 to 1,024 bytes.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<TableDescription> SplitTableAsync(
        string name, AiDbKey at, CancellationToken cancellationToken = default)
    {
        WireMapping.CheckTable(name);
        TableInfo table = await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new SplitTableRequest { Name = name, At = WireMapping.Bytes(at.Bytes) },
            static (admin, message, options) => admin.SplitTableAsync(message, options), cancellationToken).ConfigureAwait(false);
        return WireMapping.ToDescription(table);
    }

    /// <summary>Drops a table and its keys.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that
    /// name.</exception>
    public async ValueTask DropTableAsync(string name, CancellationToken cancellationToken = default)
    {
        WireMapping.CheckTable(name);
        await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new DropTableRequest { Name = name },
            static (admin, message, options) => admin.DropTableAsync(message, options), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Describes the nodes and the shards.</summary>
    public async ValueTask<ClusterDescription> GetClusterAsync(CancellationToken cancellationToken = default)
    {
        ClusterInfo cluster = await _calls.AdministerAsync(
            CallKind.Administer, new GetClusterRequest(),
            static (admin, message, options) => admin.GetClusterAsync(message, options), cancellationToken).ConfigureAwait(false);
        return WireMapping.ToDescription(cluster);
    }

    /// <summary>Makes another voter of a shard its primary, without a lost write.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="toNode">The node; null: the voter that has most.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The node of the new primary, and its epoch.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: it cannot be done, and why.</exception>
    public async ValueTask<(string Primary, ulong Epoch)> SwitchOverAsync(
        uint shard, string? toNode = null, CancellationToken cancellationToken = default)
    {
        SwitchOverResponse answer = await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new SwitchOverRequest { Shard = shard, To = toNode ?? "" },
            static (admin, message, options) => admin.SwitchOverAsync(message, options), cancellationToken).ConfigureAwait(false);
        return (answer.Primary, answer.Epoch);
    }

    /// <summary>Gives a voter's place in a shard to another node, which copies the shard first; returns when that has begun.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="outNode">The node whose voter goes.</param>
    /// <param name="inNode">The node that takes its place; the same one: with its present, other disk.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The nodes whose voters the shard shall have.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: it cannot be done, and why.</exception>
    public async ValueTask<IReadOnlyList<string>> ReplaceVoterAsync(
        uint shard, string outNode, string inNode, CancellationToken cancellationToken = default)
    {
        ReplaceVoterResponse answer = await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new ReplaceVoterRequest { Shard = shard, OutNode = outNode, InNode = inNode },
            static (admin, message, options) => admin.ReplaceVoterAsync(message, options), cancellationToken).ConfigureAwait(false);
        return [.. answer.Voters];
    }

    /// <summary>Where the slots of the cluster are, and where they should be.</summary>
    public AiDbPlacement Placement => new(_calls);

    /// <summary>Waits for answers that are under way, a short while, and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            await _calls.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>As <see cref="DisposeAsync"/>, without waiting for it to end.</summary>
    public void Dispose() => _ = DisposeAsync().AsTask();
}
