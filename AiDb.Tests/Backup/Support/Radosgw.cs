using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using AiDb.Backup.Blobs;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Backup.Support;

/// <summary>Ceph's S3 gateway with the least that it needs: one monitor, one disk in memory, no authentication inside.
/// Started once, with the first test that needs it; AIDB_TEST_S3 names one that runs already.</summary>
public sealed class Radosgw : IAsyncLifetime
{
    public const string AccessKey = "aidb-tests";
    public const string SecretKey = "a secret of tests only";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-rgw-" + Guid.NewGuid().ToString("N")[..8]);
    private readonly List<PeerProcess> _processes = [];
    private readonly Lock _gate = new();
    private Task? _starting;
    private string? _problem;

    /// <summary>Its address.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>A store in a bucket of its own.</summary>
    public async Task<BlobStoreOptions> NewBucketAsync()
    {
        await RequireAsync();
        string bucket = "b" + Guid.NewGuid().ToString("N")[..20];
        using var client = new Amazon.S3.AmazonS3Client(
            new Amazon.Runtime.BasicAWSCredentials(AccessKey, SecretKey),
            new Amazon.S3.AmazonS3Config { ServiceURL = Endpoint, ForcePathStyle = true });
        await client.PutBucketAsync(bucket);
        return Options($"s3://{bucket}/some/prefix");
    }

    public BlobStoreOptions Options(string location) => new()
    {
        Location = location,
        Endpoint = Endpoint,
        AccessKey = AccessKey,
        SecretKey = SecretKey,
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
        if (Environment.GetEnvironmentVariable("AIDB_TEST_S3") is { Length: > 0 } running)
        {
            Endpoint = running;
            return;
        }

        foreach (string program in (string[])["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"])
        {
            if (!Array.Exists(
                (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator),
                folder => File.Exists(Path.Combine(folder, program))))
            {
                _problem = $"'{program}' is not on the PATH (packages ceph-mon, ceph-osd, ceph-common, radosgw).";
                return;
            }
        }

        using var patience = new CancellationTokenSource(Patience);
        await StartAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        _processes.Reverse();
        foreach (PeerProcess process in _processes)
            await process.DisposeAsync();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        int port = FreePort();
        int monitorPort = FreePort();
        string clusterId = Guid.NewGuid().ToString();
        string diskId = Guid.NewGuid().ToString();
        foreach (string part in (string[])["mon", "osd", "run"])
            Directory.CreateDirectory(Path.Combine(_folder, part));
        string settings = Path.Combine(_folder, "ceph.conf");
        await File.WriteAllTextAsync(settings, Settings(clusterId, monitorPort, port), Encoding.ASCII, cancellationToken);
        string map = Path.Combine(_folder, "monmap");
        await RunAsync(
            "monmaptool", cancellationToken, "--create", "--addv", "a", $"[v2:127.0.0.1:{monitorPort}]", "--fsid", clusterId, map);
        await RunAsync("ceph-mon", cancellationToken, "--mkfs", "-i", "a", "--monmap", map, "-c", settings);
        Start("ceph-mon", "-f", "-i", "a", "-c", settings);
        await RunAsync("ceph", cancellationToken, "-c", settings, "osd", "new", diskId);
        await RunAsync("ceph-osd", cancellationToken, "-i", "0", "--mkfs", "--osd-uuid", diskId, "-c", settings);
        Start("ceph-osd", "-f", "-i", "0", "-c", settings);
        await RunAsync(
            "radosgw-admin", cancellationToken, "-c", settings, "user", "create", "--uid=t", "--display-name=t",
            "--access-key=" + AccessKey, "--secret=" + SecretKey);
        Start("radosgw", "-f", "-n", "client.rgw.a", "-c", settings);
        Endpoint = $"http://127.0.0.1:{port}";
        using var client = new HttpClient();
        while (true)
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(new Uri(Endpoint), cancellationToken);
                return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(100, cancellationToken);
            }
        }
    }

    private string Settings(string clusterId, int monitorPort, int port) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        [global]
        fsid = {clusterId}
        mon host = v2:127.0.0.1:{monitorPort}
        mon initial members = a
        auth cluster required = none
        auth service required = none
        auth client required = none
        run dir = {_folder}/run
        admin socket =
        log file =
        pid file =
        osd objectstore = memstore
        memstore device bytes = 2147483648
        osd pool default size = 1
        osd pool default min size = 1
        osd pool default pg num = 1
        osd pool default pgp num = 1
        osd pool default pg autoscale mode = off
        osd crush chooseleaf type = 0
        mon allow pool size one = true
        mon data avail crit = 1
        ms bind ipv6 = false
        ms mon client mode = crc
        public network = 127.0.0.0/8
        cluster network = 127.0.0.0/8
        [mon.a]
        host = localhost
        mon data = {_folder}/mon
        [osd.0]
        osd data = {_folder}/osd
        [client.rgw.a]
        rgw frontends = beast endpoint=127.0.0.1:{port}

        """);

    private void Start(string program, params string[] arguments)
    {
        PeerProcess process = PeerProcess.Start(program, arguments);
        process.IgnoreOutput();
        _processes.Add(process);
    }

    private static async Task RunAsync(string program, CancellationToken cancellationToken, params string[] arguments)
    {
        (int code, string output, string errors) = await PeerProcess.RunAsync(program, arguments, "", cancellationToken);
        Assert.True(code == 0, $"{program} ended with {code}: {output} {errors}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
