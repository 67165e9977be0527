namespace AiDb.Primary.Hosting;

/// <summary>A shard that a node keeps, in one of the ways to keep it.</summary>
internal interface IHostedShard : IAsyncDisposable
{
    /// <summary>Why it does not do yet what it is there for; null: it does.</summary>
    string? NotReady { get; }

    /// <summary>Keeps it until the map wants it otherwise; then it is closed, and opened in the way that the map wants.</summary>
    /// <exception cref="AiDbException">It cannot be kept, and trying again would not help.</exception>
    Task RunAsync(CancellationToken cancellationToken);
}
