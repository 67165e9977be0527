using System.Net.Sockets;
using AiDb.Backup.Blobs;
using AiDb.Tests.Backup.Support;

namespace AiDb.Tests.Backup.Blobs;

/// <summary>What stores do when the network fails or the settings are wrong: a clear error of the right kind, no secret in
/// it, and no half object.</summary>
public abstract class BlobStoreFaultTests
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 40_000).Select(static number => (byte)number)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(ProxyFault.Unavailable)]
    [InlineData(ProxyFault.Reset)]
    [InlineData(ProxyFault.Hang)]
    [InlineData(ProxyFault.LoseAnswer)]
    public async Task A_passing_fault_of_the_network_is_tried_again(ProxyFault fault)
    {
        BlobStoreOptions options = await NewPlaceAsync();
        await using var proxy = new FaultyProxy(options.Endpoint!);
        await using IBlobStore store = Patient(options with { Endpoint = proxy.Endpoint });
        await store.PutAsync("first", new MemoryStream(Content), Content.Length, Token);
        await using IBlobStore fresh = Patient(options with { Endpoint = proxy.Endpoint });
        proxy.FailNext(fault);
        await fresh.PutAsync("object", new MemoryStream(Content), Content.Length, Token);

        Assert.Equal(Content, await fresh.ReadAllAsync("object", 1 << 20, Token));
    }

    [Fact]
    public async Task A_store_that_stays_away_is_unavailable_and_nothing_is_written()
    {
        BlobStoreOptions options = await NewPlaceAsync();
        await using var proxy = new FaultyProxy(options.Endpoint!);
        await using IBlobStore store = (options with
        {
            Endpoint = proxy.Endpoint,
            MaxRetries = 0,
            RequestTimeout = TimeSpan.FromSeconds(2),
        }).Open();
        proxy.FailNext([.. Enumerable.Repeat(ProxyFault.Reset, 1000)]);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => store.PutAsync("half", new MemoryStream(Content), Content.Length, Token));

        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
        Check(error, options);
        await using IBlobStore direct = options.Open();
        Assert.Empty(await direct.ListNamesAsync("", Token));
    }

    [Fact]
    public async Task Wrong_credentials_a_missing_place_and_nobody_listening_are_told_apart()
    {
        BlobStoreOptions options = await NewPlaceAsync();
        await CheckAsync(
            options with { SecretKey = Convert.ToBase64String(new byte[64]) },
            AiDbErrorKind.Unauthenticated, AiDbErrorKind.PermissionDenied);
        string missing = options.Location.Replace("/some", "9/some", StringComparison.Ordinal);
        await CheckAsync(options with { Location = missing }, AiDbErrorKind.PreconditionFailed);
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        int port = ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await CheckAsync(options with { Endpoint = $"http://127.0.0.1:{port}/x", MaxRetries = 0 }, AiDbErrorKind.Unavailable);
    }

    protected abstract Task<BlobStoreOptions> NewPlaceAsync();

    private static async Task CheckAsync(BlobStoreOptions options, params AiDbErrorKind[] kinds)
    {
        await using IBlobStore store = options.Open();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => store.TryCreateAsync("object", Content, Token));
        Assert.Contains(error.Kind, kinds);
        Check(error, options);
    }

    private static void Check(AiDbException error, BlobStoreOptions options)
    {
        Assert.DoesNotContain(options.SecretKey!, error.ToString(), StringComparison.Ordinal);
        Assert.Contains(options.Parse().Container, error.Message, StringComparison.Ordinal);
    }

    private static IBlobStore Patient(BlobStoreOptions options) =>
        (options with { MaxRetries = 3, RequestTimeout = TimeSpan.FromSeconds(2) }).Open();
}

public sealed class S3BlobStoreFaultTests(Radosgw peer) : BlobStoreFaultTests
{
    protected override Task<BlobStoreOptions> NewPlaceAsync() => peer.NewBucketAsync();
}

public sealed class AzureBlobStoreFaultTests(Azurite peer) : BlobStoreFaultTests
{
    protected override Task<BlobStoreOptions> NewPlaceAsync() => peer.NewContainerAsync();
}
