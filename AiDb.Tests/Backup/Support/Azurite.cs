using AiDb.Backup.Blobs;
using AiDb.Tests.TestSupport;
using Azure.Storage.Blobs;

namespace AiDb.Tests.Backup.Support;

/// <summary>Microsoft's stand-in for Azure Blob storage, started once.</summary>
public sealed class Azurite : IAsyncLifetime
{
    /// <summary>The account that every installation of it has; public knowledge.</summary>
    public const string Account = "devstoreaccount1";
    public const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private const string Folder = "AiDb.Tests/Backup/azurite";
    private PeerProcess? _process;
    private readonly Lock _gate = new();
    private Task? _starting;
    private string? _problem;

    /// <summary>Its address, with the account.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>A store in a container of its own.</summary>
    public async Task<BlobStoreOptions> NewContainerAsync()
    {
        await RequireAsync();
        string container = "c" + Guid.NewGuid().ToString("N")[..20];
        await new BlobContainerClient(
            new Uri($"{Endpoint}/{container}"), new Azure.Storage.StorageSharedKeyCredential(Account, Key)).CreateAsync();
        return Options($"azure://{container}/some/prefix");
    }

    public BlobStoreOptions Options(string location) => new()
    {
        Location = location,
        Endpoint = Endpoint,
        AccessKey = Account,
        SecretKey = Key,
        RequestTimeout = TimeSpan.FromSeconds(20),
        MaxRetries = 1,
    };

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Starts it with the first test that needs it, or skips the test where it cannot run.</summary>
    public async Task RequireAsync()
    {
        Task starting;
        lock (_gate)
            starting = _starting ??= PrepareAsync();
        await starting;
        Peers.RequireThat(_problem is null, _problem ?? "");
    }

    private async Task PrepareAsync()
    {
        string program = Repository.PathOf($"{Folder}/node_modules/azurite/dist/src/blob/main.js");
        if (!File.Exists(program))
        {
            _problem = $"The packages of {Folder} are not installed: run 'npm ci' there.";
            return;
        }

        _process = PeerProcess.Start(
            Peers.Require("node"),
            [program, "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]);
        string address = await _process.ReadUntilAsync("successfully listens on", CancellationToken.None);
        _process.IgnoreOutput();
        Endpoint = $"{address.Trim()}/{Account}";
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
    }
}
