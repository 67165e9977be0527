using AiDb.Contracts.Internal.V1;
using Google.Protobuf.Collections;

namespace AiDb.Contracts.Multiplexing;

/// <summary>The frames of <c>Shard.Exchange</c>.</summary>
public sealed class ExchangeProtocol : MultiplexProtocol<Request, Response, RequestFrame, ResponseFrame>
{
    private const int FixedBytes = 48;

    private ExchangeProtocol()
    {
    }

    /// <summary>The one instance.</summary>
    public static ExchangeProtocol Instance { get; } = new();

    /// <inheritdoc/>
    public override RepeatedField<Request> Requests(RequestFrame frame) => frame.Requests;

    /// <inheritdoc/>
    public override RepeatedField<Response> Responses(ResponseFrame frame) => frame.Responses;

    /// <inheritdoc/>
    public override ulong IdOf(Request request) => request.Id;

    /// <inheritdoc/>
    public override ulong IdOf(Response response) => response.Id;

    /// <inheritdoc/>
    public override void SetId(Request request, ulong id) => request.Id = id;

    /// <inheritdoc/>
    public override void SetId(Response response, ulong id) => response.Id = id;

    /// <inheritdoc/>
    public override uint TimeoutMs(Request request) => request.TimeoutMs;

    /// <inheritdoc/>
    public override bool ChangesState(Request request) =>
        request.OperationCase is Request.OperationOneofCase.Write or Request.OperationOneofCase.DropTable
        || request.Collection?.OperationCase is CollectionCall.OperationOneofCase.Write;

    /// <inheritdoc/>
    public override Response Failure(Exception exception) => new() { Error = ErrorMapping.ToError(exception) };

    /// <inheritdoc/>
    public override int SizeOf(Request request)
    {
        long bytes = FixedBytes + request.Traceparent.Length;
        switch (request.OperationCase)
        {
            case Request.OperationOneofCase.Get:
                bytes += request.Get.Key.Length;
                break;
            case Request.OperationOneofCase.MultiGet:
                foreach (Google.Protobuf.ByteString key in request.MultiGet.Keys)
                    bytes += 8 + key.Length;
                break;
            case Request.OperationOneofCase.Write:
                foreach (WriteOperation operation in request.Write.Operations)
                    bytes += 32 + operation.Key.Length + operation.Value.Length;
                break;
            case Request.OperationOneofCase.Scan:
                bytes += request.Scan.Start.Length + request.Scan.End.Length;
                break;
        }

        return (int)Math.Min(bytes, int.MaxValue);
    }

    /// <inheritdoc/>
    public override int SizeOf(Response response)
    {
        long bytes = FixedBytes;
        switch (response.ResultCase)
        {
            case Response.ResultOneofCase.Get:
                bytes += response.Get.Value_.Length;
                break;
            case Response.ResultOneofCase.MultiGet:
                foreach (Value value in response.MultiGet.Values_)
                    bytes += FixedBytes + value.Value_.Length;
                break;
            case Response.ResultOneofCase.Scan:
                foreach (V1.ScanItem item in response.Scan.Items)
                    bytes += FixedBytes + item.Key.Length + item.Value.Length;
                break;
        }

        if (response.Error is { } error)
            bytes += error.Message.Length;
        return (int)Math.Min(bytes, int.MaxValue);
    }
}
