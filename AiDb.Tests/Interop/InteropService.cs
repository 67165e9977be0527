using AiDb.Tests.Interop.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Tests.Interop;

/// <summary>The server half of gRPC's interoperability tests, on the official packages.</summary>
internal sealed class InteropService(InteropObserver observer) : TestService.TestServiceBase
{
    private const string EchoInitial = "x-grpc-test-echo-initial";
    private const string EchoTrailing = "x-grpc-test-echo-trailing-bin";

    public override async Task<Empty> EmptyCall(Empty request, ServerCallContext context)
    {
        await EchoMetadataAsync(context);

        // GZipStream writes nothing at all for an empty message, which grpc-js takes for a torn one.
        Compress(context, asked: null);
        return request;
    }

    public override async Task<SimpleResponse> UnaryCall(SimpleRequest request, ServerCallContext context)
    {
        await EchoMetadataAsync(context);
        ThrowIfAsked(request.ResponseStatus);
        Compress(context, request.ResponseCompressed);
        RequireCompressed(request.ExpectCompressed);
        return new SimpleResponse { Payload = Zeros(request.ResponseSize) };
    }

    public override async Task<StreamingInputCallResponse> StreamingInputCall(
        IAsyncStreamReader<StreamingInputCallRequest> requestStream, ServerCallContext context)
    {
        Compress(context, asked: null);
        var sum = 0;
        await observer.WatchAsync(context, async () =>
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                RequireCompressed(request.ExpectCompressed);
                sum += request.Payload.Body.Length;
            }
        });

        return new StreamingInputCallResponse { AggregatedPayloadSize = sum };
    }

    public override Task StreamingOutputCall(
        StreamingOutputCallRequest request,
        IServerStreamWriter<StreamingOutputCallResponse> responseStream,
        ServerCallContext context) =>
        observer.WatchAsync(context, () => AnswerAsync(request, responseStream, context));

    public override async Task FullDuplexCall(
        IAsyncStreamReader<StreamingOutputCallRequest> requestStream,
        IServerStreamWriter<StreamingOutputCallResponse> responseStream,
        ServerCallContext context)
    {
        await EchoMetadataAsync(context);
        await observer.WatchAsync(context, async () =>
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                ThrowIfAsked(request.ResponseStatus);
                await AnswerAsync(request, responseStream, context);
            }
        });
    }

    private static async Task AnswerAsync(
        StreamingOutputCallRequest request,
        IServerStreamWriter<StreamingOutputCallResponse> responseStream,
        ServerCallContext context)
    {
        foreach (var parameters in request.ResponseParameters)
        {
            if (parameters.IntervalUs > 0)
            {
                await Task.Delay(TimeSpan.FromMicroseconds(parameters.IntervalUs), context.CancellationToken);
            }

            Compress(context, parameters.Compressed);
            await responseStream.WriteAsync(
                new StreamingOutputCallResponse { Payload = Zeros(parameters.Size) }, context.CancellationToken);
        }
    }

    private static Payload Zeros(int size) => new() { Body = UnsafeByteOperations.UnsafeWrap(new byte[size]) };

    private static void Compress(ServerCallContext context, BoolValue? asked) =>
        context.WriteOptions = asked is { Value: true } ? new WriteOptions() : new WriteOptions(WriteFlags.NoCompress);

    private void RequireCompressed(BoolValue? expected)
    {
        if (expected is not null && observer.Gzip.TakeDecompressed() > 0 != expected.Value)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "The compression flag is not as announced."));
        }
    }

    private static void ThrowIfAsked(EchoStatus? status)
    {
        if (status is not null && status.Code != 0)
        {
            throw new RpcException(new Status((StatusCode)status.Code, status.Message));
        }
    }

    private static async Task EchoMetadataAsync(ServerCallContext context)
    {
        if (context.RequestHeaders.GetValueBytes(EchoTrailing) is { } trailer)
        {
            context.ResponseTrailers.Add(EchoTrailing, trailer);
        }

        if (context.RequestHeaders.GetValue(EchoInitial) is { } initial)
        {
            await context.WriteResponseHeadersAsync(new Metadata { { EchoInitial, initial } });
        }
    }
}
