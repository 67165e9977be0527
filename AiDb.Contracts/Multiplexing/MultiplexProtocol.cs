using Google.Protobuf.Collections;

namespace AiDb.Contracts.Multiplexing;

/// <summary>How numbered requests and responses travel in frames: what <see cref="StreamMultiplexer{TRequest,
/// TResponse, TRequestFrame, TResponseFrame}"/> and see cref="FrameServer{TRequest, TResponse, TRequestFrame,
/// TResponseFrame}"/> need to know of their messages.</summary>
/// <remarks>Sizes are estimates that bound memory and frames; they need not be exact, only
/// proportional.</remarks>
public abstract class MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame>
    where TRequest : class
    where TResponse : class
    where TRequestFrame : class, new()
    where TResponseFrame : class, new()
{
    /// <summary>The requests of a frame.</summary>
    public abstract RepeatedField<TRequest> Requests(TRequestFrame frame);

    /// <summary>The responses of a frame.</summary>
    public abstract RepeatedField<TResponse> Responses(TResponseFrame frame);

    /// <summary>The number that pairs a request with its response.</summary>
    public abstract ulong IdOf(TRequest request);

    /// <summary>The number that pairs a response with its request.</summary>
    public abstract ulong IdOf(TResponse response);

    /// <summary>Numbers a request.</summary>
    public abstract void SetId(TRequest request, ulong id);

    /// <summary>Numbers a response.</summary>
    public abstract void SetId(TResponse response, ulong id);

    /// <summary>About how many bytes a request takes in a frame.</summary>
    public abstract int SizeOf(TRequest request);

    /// <summary>About how many bytes a response takes in a frame.</summary>
    public abstract int SizeOf(TResponse response);

    /// <summary>How long the sender waits, in milliseconds; 0: as the multiplexer's options say.</summary>
    public abstract uint TimeoutMs(TRequest request);

    /// <summary>Whether the request changes something: then a lost answer leaves the outcome
    /// unknown.</summary>
    public abstract bool ChangesState(TRequest request);

    /// <summary>The response that says that the request failed.</summary>
    public abstract TResponse Failure(Exception exception);
}
