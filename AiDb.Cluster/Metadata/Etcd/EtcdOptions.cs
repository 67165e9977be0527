using System.Globalization;

namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>How an etcd cluster is reached, and under which prefix this cluster's keys stand there.</summary>
public sealed record EtcdOptions
{
    /// <summary>The prefix of an address that names none.</summary>
    public const string DefaultPrefix = "aidb/";

    private const string Scheme = "etcd://";
    private const string SecureScheme = "etcds://";
    private const int DefaultPort = 2379;
    private const int MaxPrefixLength = 256;

    /// <summary>The members, in the order in which they are tried: <c>http</c> or <c>https</c>, all the
    /// same.</summary>
    public required IReadOnlyList<Uri> Endpoints { get; init; }

    /// <summary>What every key begins with; it ends with a slash.</summary>
    public string Prefix { get; init; } = DefaultPrefix;

    /// <summary>The user to authenticate as; null: nobody.</summary>
    public string? User { get; init; }

    /// <summary>The user's password.</summary>
    public string? Password { get; init; }

    /// <summary>A PEM file of the authorities that sign the members' certificates; null: those that the
    /// machine trusts.</summary>
    public string? CaCertificatePath { get; init; }

    /// <summary>A PEM file of the certificate to show; null: none.</summary>
    public string? ClientCertificatePath { get; init; }

    /// <summary>A PEM file of that certificate's key.</summary>
    public string? ClientKeyPath { get; init; }

    /// <summary>How long a call may take, with all its attempts. Longer: calls outlast a change of leader;
    /// shorter: an outage is told sooner. Default: 5 s.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long making a connection may take. Default: 2 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a watch that broke waits before it connects anew. Default: 250 ms.</summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Silence of a watch after which its member is asked for a sign of life. Longer: a member that
    /// hangs is noticed later. Default: 5 s.</summary>
    public TimeSpan WatchCheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether an address is meant for etcd.</summary>
    public static bool IsEtcd(string address) =>
        address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
        || address.StartsWith(SecureScheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads <c>etcd://host:2379,host2:2379/prefix</c>; <c>etcds://</c> means TLS. The port may be
    /// left out, and so may the prefix.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, saying what is
    /// wrong.</exception>
    public static EtcdOptions Parse(string address)
    {
        if (!IsEtcd(address))
            throw Invalid("it begins with etcd:// or etcds://");
        bool secure = address.StartsWith(SecureScheme, StringComparison.OrdinalIgnoreCase);
        string rest = address[(secure ? SecureScheme : Scheme).Length..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string hosts = slash < 0 ? rest : rest[..slash];
        string prefix = slash < 0 ? "" : rest[(slash + 1)..].Trim('/');

        // An address is shown in logs; a password in it would be, too.
        if (hosts.Contains('@', StringComparison.Ordinal))
            throw Invalid("user and password do not belong into the address; they are settings of their own");
        List<Uri> endpoints = [];
        foreach (string host in hosts.Split(',', StringSplitOptions.TrimEntries))
        {
            if (host.Length == 0
                || !Uri.TryCreate($"{(secure ? "https" : "http")}://{host}/", UriKind.Absolute, out Uri? uri)
                || uri is not { PathAndQuery: "/", Fragment: "", Host.Length: > 0 })
            {
                throw Invalid($"'{host}' is not a host with a port");
            }

            bool namesPort = host.LastIndexOf(':') > host.LastIndexOf(']');
            endpoints.Add(namesPort ? uri : new UriBuilder(uri) { Port = DefaultPort }.Uri);
        }

        EtcdOptions options = new()
        {
            Endpoints = endpoints,
            Prefix = prefix.Length == 0 ? DefaultPrefix : prefix + "/",
        };
        options.Validate();
        return options;

        static AiDbException Invalid(string problem) => new(
            AiDbErrorKind.InvalidArgument,
            $"The address of etcd must be like etcd://10.0.0.1:2379,10.0.0.2:2379/prefix: {problem}.");
    }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each
    /// setting.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (Endpoints.Count is 0 or > 32)
            errors.Add($"{nameof(Endpoints)} must be 1 to 32");
        else if (Endpoints.Any(uri => !uri.IsAbsoluteUri || uri.Scheme != Endpoints[0].Scheme || uri.Scheme is not ("http" or "https")))
            errors.Add($"{nameof(Endpoints)} must all be http, or all be https");
        if (!Prefix.EndsWith('/') || Prefix.Length is < 2 or > MaxPrefixLength || Prefix.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            errors.Add($"{nameof(Prefix)} must be printable ASCII, at most {MaxPrefixLength.ToString(CultureInfo.InvariantCulture)} "
                + "characters, and end with a slash");
        }

        if (User is null != Password is null)
            errors.Add($"{nameof(User)} and {nameof(Password)} need each other");
        if (ClientCertificatePath is null != ClientKeyPath is null)
            errors.Add($"{nameof(ClientCertificatePath)} and {nameof(ClientKeyPath)} need each other");
        if ((CaCertificatePath ?? ClientCertificatePath) is not null && Endpoints.Any(uri => uri.Scheme == "http"))
            errors.Add("certificates need etcds://");
        foreach ((string name, TimeSpan value) in (ReadOnlySpan<(string, TimeSpan)>)
            [
                (nameof(CallTimeout), CallTimeout), (nameof(ConnectTimeout), ConnectTimeout),
                (nameof(ReconnectDelay), ReconnectDelay), (nameof(WatchCheckInterval), WatchCheckInterval),
            ])
        {
            if (value <= TimeSpan.Zero)
                errors.Add($"{name} must be more than zero");
        }

        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid EtcdOptions: " + string.Join("; ", errors) + ".");
    }

    /// <summary>The address, without the password.</summary>
    public override string ToString() => $"{string.Join(',', Endpoints)} {Prefix} {User}".TrimEnd();
}
