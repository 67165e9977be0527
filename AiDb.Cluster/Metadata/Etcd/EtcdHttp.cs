using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>The HTTP side of an etcd client: time-outs and TLS.</summary>
internal static class EtcdHttp
{
    /// <summary>Makes the sender of requests.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a certificate cannot be
    /// read.</exception>
    public static HttpMessageInvoker Open(EtcdOptions options)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectTimeout = options.ConnectTimeout,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),

            // A name may come to mean another machine.
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        };
        try
        {
            SetTls(handler.SslOptions, options);
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            handler.Dispose();
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "The certificates for etcd cannot be read: " + error.Message, error);
        }

        return new HttpMessageInvoker(handler, disposeHandler: true);
    }

    private static void SetTls(SslClientAuthenticationOptions tls, EtcdOptions options)
    {
        if (options.CaCertificatePath is { } authorities)
        {
            X509ChainPolicy policy = new()
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.ImportFromPemFile(authorities);
            if (policy.CustomTrustStore.Count == 0)
                throw new CryptographicException($"'{authorities}' holds no certificate in PEM form");
            tls.CertificateChainPolicy = policy;
        }

        if (options.ClientCertificatePath is { } certificate)
        {
            using X509Certificate2 read = X509Certificate2.CreateFromPemFile(certificate, options.ClientKeyPath);

            // Not every system's TLS takes a key that was never in a store; one that came from PKCS 12 works
            // everywhere.
            tls.ClientCertificates = [X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null)];
        }
    }
}
