using AiDb.Contracts.V1;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace AiDb.Contracts.Multiplexing;

/// <summary>The frames of <c>KeyValue.Pipeline</c>.</summary>
public sealed class PipelineProtocol
    : MultiplexProtocol<PipelineRequest, PipelineResponse, PipelineRequests, PipelineResponses>
{
    private const int FixedBytes = 64;

    private PipelineProtocol()
    {
    }

    /// <summary>The one instance.</summary>
    public static PipelineProtocol Instance { get; } = new();

    /// <inheritdoc/>
    public override RepeatedField<PipelineRequest> Requests(PipelineRequests frame) => frame.Requests;

    /// <inheritdoc/>
    public override RepeatedField<PipelineResponse> Responses(PipelineResponses frame) => frame.Responses;

    /// <inheritdoc/>
    public override ulong IdOf(PipelineRequest request) => request.Id;

    /// <inheritdoc/>
    public override ulong IdOf(PipelineResponse response) => response.Id;

    /// <inheritdoc/>
    public override void SetId(PipelineRequest request, ulong id) => request.Id = id;

    /// <inheritdoc/>
    public override void SetId(PipelineResponse response, ulong id) => response.Id = id;

    /// <inheritdoc/>
    public override uint TimeoutMs(PipelineRequest request) => request.TimeoutMs;

    /// <inheritdoc/>
    public override bool ChangesState(PipelineRequest request) =>
        request.CallCase is not (PipelineRequest.CallOneofCase.Get or PipelineRequest.CallOneofCase.MultiGet);

    /// <inheritdoc/>
    public override PipelineResponse Failure(Exception exception) => new() { Error = ErrorMapping.ToError(exception) };

    /// <inheritdoc/>
    public override int SizeOf(PipelineRequest request)
    {
        long bytes = FixedBytes + request.Traceparent.Length;
        switch (request.CallCase)
        {
            case PipelineRequest.CallOneofCase.Get:
                bytes += Address(request.Get.Table, request.Get.Partition, request.Get.Options) + request.Get.Key.Length;
                break;
            case PipelineRequest.CallOneofCase.MultiGet:
                bytes += Address(request.MultiGet.Table, request.MultiGet.Partition, request.MultiGet.Options);
                foreach (ByteString key in request.MultiGet.Keys)
                    bytes += 8 + key.Length;
                break;
            case PipelineRequest.CallOneofCase.Put:
                bytes += Address(request.Put.Table, request.Put.Partition) + request.Put.Key.Length + request.Put.Value.Length;
                break;
            case PipelineRequest.CallOneofCase.Delete:
                bytes += Address(request.Delete.Table, request.Delete.Partition) + request.Delete.Key.Length;
                break;
            case PipelineRequest.CallOneofCase.Batch:
                bytes += request.Batch.Partition.Length;
                foreach (BatchOperation operation in request.Batch.Operations)
                {
                    bytes += FixedBytes + operation.Table.Length + operation.Key.Length
                        + (operation.Put?.Value.Length ?? 0);
                }

                break;
        }

        return (int)Math.Min(bytes, int.MaxValue);
    }

    /// <inheritdoc/>
    public override int SizeOf(PipelineResponse response)
    {
        long bytes = FixedBytes;
        switch (response.ResultCase)
        {
            case PipelineResponse.ResultOneofCase.Error:
                bytes += response.Error.Message.Length;
                break;
            case PipelineResponse.ResultOneofCase.Get:
                bytes += response.Get.Value.Length + (response.Get.Info?.Session.Length ?? 0);
                break;
            case PipelineResponse.ResultOneofCase.MultiGet:
                foreach (GetResponse value in response.MultiGet.Values)
                    bytes += FixedBytes + value.Value.Length;
                break;
            case PipelineResponse.ResultOneofCase.Batch:
                bytes += 16L * response.Batch.Results.Count;
                break;
        }

        return (int)Math.Min(bytes, int.MaxValue);
    }

    private static long Address(string table, ByteString partition, ReadOptions? options = null) =>
        table.Length + partition.Length + (options?.Session.Length ?? 0);
}
