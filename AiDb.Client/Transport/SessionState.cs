using AiDb.Contracts;
using Wire = AiDb.Contracts.V1;

namespace AiDb.Client.Transport;

/// <summary>The positions that this client has seen, as the token that its reads carry.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Positions only grow. The token's text is
/// made when a read needs it, not for every answer.</remarks>
internal sealed class SessionState(bool track)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<uint, SessionPosition> _positions = [];
    private byte[] _buffer = new byte[256];
    private string? _token = "";

    public string Token
    {
        get
        {
            lock (_gate)
                return _token ??= SessionTokenFormat.Encode(_positions.Values);
        }
    }

    /// <summary>Joins the token of an answer.</summary>
    public void Observe(string? token)
    {
        if (track)
            Join(token);
    }

    /// <summary>Joins a token from elsewhere, whether or not answers are tracked.</summary>
    public void Join(ReadOnlySpan<char> token)
    {
        if (token.IsEmpty)
            return;
        lock (_gate)
        {
            ReadOnlySpan<byte> rest = SessionTokenFormat.Decode(token, ref _buffer);
            for (; !rest.IsEmpty; rest = rest[SessionTokenFormat.PartBytes..])
            {
                SessionPosition position = SessionTokenFormat.Read(rest);
                if (_positions.TryGetValue(position.Shard, out SessionPosition seen) && !position.IsAfter(seen))
                    continue;
                _positions[position.Shard] = position;
                _token = null;
            }
        }
    }

    public Wire.ReadOptions? ToWire(Consistency consistency, string? session)
    {
        string token = consistency is Consistency.Default or Consistency.Session ? TokenWith(session) : "";
        if (consistency == Consistency.Default && token.Length == 0)
            return null;
        return new Wire.ReadOptions { Consistency = WireMapping.ToWire(consistency), Session = token };
    }

    private string TokenWith(string? session)
    {
        string own = Token;
        if (string.IsNullOrEmpty(session))
            return own;
        if (own.Length == 0)
            return session;
        SessionState joined = new(track: true);
        joined.Join(own);
        joined.Join(session);
        return joined.Token;
    }
}
