using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>TLS with certificates on both sides, and users.</summary>
public sealed class EtcdSecurityTests : IDisposable
{
    private const string Password = "a pass:word, secret";

    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-etcd-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Both_sides_show_certificates_and_strangers_are_refused()
    {
        Peers.Require("etcd");
        WriteCertificates();
        using X509Certificate2 client = X509Certificate2.CreateFromPemFile(File("client.pem"), File("client.key"));
        X509ChainPolicy trust = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(File("ca.pem"));
        using SocketsHttpHandler handler = new()
        {
            SslOptions = new SslClientAuthenticationOptions { ClientCertificates = [client], CertificateChainPolicy = trust },
        };
        await using EtcdCluster etcd = await EtcdCluster.StartAsync(
            1, "https", handler,
            "--cert-file", File("server.pem"), "--key-file", File("server.key"),
            "--client-cert-auth", "--trusted-ca-file", File("ca.pem"));
        EtcdOptions options = EtcdOptions.Parse(etcd.Address) with
        {
            CaCertificatePath = File("ca.pem"),
            ClientCertificatePath = File("client.pem"),
            ClientKeyPath = File("client.key"),
        };

        await using (EtcdMetadataStore store = new(options, TimeProvider.System))
        {
            await store.PutAsync("a", "1");
            await using Watching watching = new(store, "", 1);
            Assert.Equal("a=1", (await watching.NextAsync()).Events);
        }

        await AssertUnavailableAsync(options with { CaCertificatePath = null });
        await AssertUnavailableAsync(options with { ClientCertificatePath = null, ClientKeyPath = null });
    }

    [Fact]
    public async Task Users_authenticate_and_get_a_new_token_when_theirs_is_gone()
    {
        Peers.Require("etcd");
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await EnableUsersAsync(etcd);
        EtcdOptions options = EtcdOptions.Parse(etcd.Address) with { User = "aidb", Password = Password };
        await using EtcdMetadataStore store = new(options, TimeProvider.System);
        long first = await store.PutAsync("a", "1");
        await using Watching watching = new(store, "", first);
        Assert.Equal("a=1", (await watching.NextAsync()).Events);
        long lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        Assert.True(await store.KeepLeaseAliveAsync(lease));

        // A token lives in the memory of the members.
        await etcd.KillAsync(0);
        await etcd.StartAgainAsync(0);
        Assert.Equal(first + 1, await store.PutAsync("a", "2"));
        Assert.Equal((first + 1, "a=2"), await watching.NextAsync());
        Assert.True(await store.KeepLeaseAliveAsync(lease));
    }

    [Fact]
    public async Task A_wrong_password_nobody_and_a_foreign_prefix_are_told_apart_without_the_secret()
    {
        Peers.Require("etcd");
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await EnableUsersAsync(etcd);
        EtcdOptions options = EtcdOptions.Parse(etcd.Address) with { User = "aidb", Password = Password };
        AiDbException wrong = await FailAsync(options with { Password = "no" + Password });
        Assert.Equal(AiDbErrorKind.Unauthenticated, wrong.Kind);
        AiDbException nobody = await FailAsync(options with { User = null, Password = null });
        Assert.Equal(AiDbErrorKind.Unauthenticated, nobody.Kind);
        AiDbException foreign = await FailAsync(options with { Prefix = "others/" });
        Assert.Equal(AiDbErrorKind.PermissionDenied, foreign.Kind);
        Assert.All(
            new[] { wrong, nobody, foreign }.Select(error => error.ToString()).Append($"{options}"),
            text => Assert.DoesNotContain(Password, text, StringComparison.Ordinal));

        await using EtcdMetadataStore store = new(options with { Prefix = "others/" }, TimeProvider.System);
        await using Watching watching = new(store, "", 1);
        AiDbException watch = await Assert.ThrowsAsync<AiDbException>(() => watching.NextAsync());
        Assert.Equal(AiDbErrorKind.PermissionDenied, watch.Kind);
    }

    private static async Task EnableUsersAsync(EtcdCluster etcd)
    {
        string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));
        foreach ((string method, string body) in ((string, string)[])
            [
                ("auth/user/add", """{"name":"root","password":"root"}"""),
                ("auth/role/add", """{"name":"root"}"""),
                ("auth/user/grant", """{"user":"root","role":"root"}"""),
                ("auth/user/add", $$"""{"name":"aidb","password":"{{Password}}"}"""),
                ("auth/role/add", """{"name":"aidb"}"""),
                ("auth/role/grant", $$"""
                    {"name":"aidb","perm":{"permType":"READWRITE","key":"{{Base64("aidb/")}}","range_end":"{{Base64("aidb0")}}"} }
                    """),
                ("auth/user/grant", """{"user":"aidb","role":"aidb"}"""),
                ("auth/enable", "{}"),
            ])
        {
            (await etcd.CallAsync(method, body)).Dispose();
        }
    }

    private static async Task AssertUnavailableAsync(EtcdOptions options) =>
        Assert.Equal(AiDbErrorKind.Unavailable, (await FailAsync(options)).Kind);

    private static async Task<AiDbException> FailAsync(EtcdOptions options)
    {
        await using EtcdMetadataStore store = new(options, TimeProvider.System);
        return await Assert.ThrowsAsync<AiDbException>(async () => await store.RangeAsync("a"));
    }

    private string File(string name) => Path.Combine(_folder, name);

    private void WriteCertificates()
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddDays(-1);
        DateTimeOffset to = from.AddDays(3);
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authority = new("CN=the authority of this test", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authority.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using X509Certificate2 root = authority.CreateSelfSigned(from, to);
        System.IO.File.WriteAllText(File("ca.pem"), root.ExportCertificatePem());
        foreach (string name in (string[])["server", "client"])
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
            SubjectAlternativeNameBuilder names = new();
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());

            // etcd's own gateway is a client of etcd, with the server's certificate.
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(
                [new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
            using X509Certificate2 certificate = request.Create(root, from, to, Guid.NewGuid().ToByteArray());
            System.IO.File.WriteAllText(File($"{name}.pem"), certificate.ExportCertificatePem());
            System.IO.File.WriteAllText(File($"{name}.key"), key.ExportPkcs8PrivateKeyPem());
        }
    }
}
