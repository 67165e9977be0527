using System.Text.Json.Serialization;

namespace AiDb.Cluster.Metadata.Etcd;

// The messages of etcd's JSON gateway, as far as they are used. 64-bit numbers are strings, bytes are base64,
// and what is zero, false or empty is left out.

internal sealed record EtcdHeader(ulong ClusterId, long Revision);

internal sealed record EtcdKeyValue(
    byte[]? Key, byte[]? Value, long CreateRevision, long ModRevision, long Version, long Lease);

internal sealed record EtcdRangeRequest(byte[] Key, byte[]? RangeEnd = null, bool Serializable = false, bool CountOnly = false);

internal sealed record EtcdRangeResponse(EtcdHeader? Header, IReadOnlyList<EtcdKeyValue>? Kvs);

internal sealed record EtcdPutRequest(byte[] Key, byte[] Value, long Lease);

internal sealed record EtcdDeleteRequest(byte[] Key, byte[]? RangeEnd);

internal sealed record EtcdCompare(
    string Result, string Target, byte[] Key, long CreateRevision = 0, long ModRevision = 0, byte[]? Value = null);

internal sealed record EtcdOperation(
    EtcdRangeRequest? RequestRange = null, EtcdPutRequest? RequestPut = null, EtcdDeleteRequest? RequestDeleteRange = null);

internal sealed record EtcdTxnRequest(
    IReadOnlyList<EtcdCompare> Compare, IReadOnlyList<EtcdOperation> Success, IReadOnlyList<EtcdOperation> Failure);

internal sealed record EtcdOperationResponse(EtcdRangeResponse? ResponseRange);

internal sealed record EtcdTxnResponse(EtcdHeader? Header, bool Succeeded, IReadOnlyList<EtcdOperationResponse>? Responses);

internal sealed record EtcdLeaseGrantRequest([property: JsonPropertyName("TTL")] long Ttl);

internal sealed record EtcdLeaseRequest([property: JsonPropertyName("ID")] long Id);

internal sealed record EtcdLeaseResponse(
    [property: JsonPropertyName("ID")] long Id, [property: JsonPropertyName("TTL")] long Ttl);

internal sealed record EtcdEmpty;

internal sealed record EtcdKeepAliveResponse(EtcdLeaseResponse? Result, EtcdStreamError? Error);

internal sealed record EtcdAuthenticateRequest(string Name, string Password);

internal sealed record EtcdAuthenticateResponse(string? Token);

internal sealed record EtcdWatchRequest(EtcdWatchCreate CreateRequest);

internal sealed record EtcdWatchCreate(byte[] Key, byte[] RangeEnd, long StartRevision, bool ProgressNotify);

internal sealed record EtcdWatchResponse(EtcdWatchResult? Result, EtcdStreamError? Error);

internal sealed record EtcdWatchResult(
    EtcdHeader? Header, bool Created, bool Canceled, long CompactRevision, string? CancelReason, IReadOnlyList<EtcdEvent>? Events);

internal sealed record EtcdEvent(string? Type, EtcdKeyValue? Kv);

/// <summary>How a stream ends that cannot go on; later versions of etcd say <c>code</c>.</summary>
internal sealed record EtcdStreamError(int GrpcCode, int Code, string? Message);

/// <summary>The body of an answer other than 200.</summary>
internal sealed record EtcdError(string? Error, string? Message, int Code);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    NumberHandling = JsonNumberHandling.AllowReadingFromString | JsonNumberHandling.WriteAsString)]
[JsonSerializable(typeof(EtcdRangeRequest))]
[JsonSerializable(typeof(EtcdRangeResponse))]
[JsonSerializable(typeof(EtcdTxnRequest))]
[JsonSerializable(typeof(EtcdTxnResponse))]
[JsonSerializable(typeof(EtcdLeaseGrantRequest))]
[JsonSerializable(typeof(EtcdLeaseRequest))]
[JsonSerializable(typeof(EtcdLeaseResponse))]
[JsonSerializable(typeof(EtcdEmpty))]
[JsonSerializable(typeof(EtcdKeepAliveResponse))]
[JsonSerializable(typeof(EtcdAuthenticateRequest))]
[JsonSerializable(typeof(EtcdAuthenticateResponse))]
[JsonSerializable(typeof(EtcdWatchRequest))]
[JsonSerializable(typeof(EtcdWatchResponse))]
[JsonSerializable(typeof(EtcdError))]
internal sealed partial class EtcdJson : JsonSerializerContext;
