"""usage: client.py ADDRESS DESCRIPTOR - gRPC's interoperability cases against a server."""

import queue
import sys
import threading

import grpc

from wire import Wire, fails_with, run

ADDRESS, DESCRIPTOR = sys.argv[1:3]
WIRE = Wire(DESCRIPTOR)
CHANNEL = grpc.insecure_channel(ADDRESS)
CLIENT = WIRE.stub(CHANNEL, "TestService")
GZIP = grpc.Compression.Gzip
CODE = grpc.StatusCode
METADATA = (
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
)


def payload(size):
    return WIRE.Payload(body=bytes(size))


def large(**more):
    return WIRE.SimpleRequest(response_size=314159, payload=payload(271828), **more)


def flag(value):
    return WIRE.BoolValue(value=value)


def asks(*sizes):
    return [WIRE.ResponseParameters(size=size) for size in sizes]


def stream(sizes, **more):
    return iter([WIRE.StreamingInputCallRequest(payload=payload(size), **more) for size in sizes])


def sizes_of(messages):
    return [len(message.payload.body) for message in messages]


def empty_unary():
    assert CLIENT.EmptyCall(WIRE.Empty()) == WIRE.Empty()


def large_unary():
    assert len(CLIENT.UnaryCall(large()).payload.body) == 314159


def client_streaming():
    assert CLIENT.StreamingInputCall(stream([27182, 8, 1828, 45904])).aggregated_payload_size == 74922


def server_streaming():
    wanted = [31415, 9, 2653, 58979]
    request = WIRE.StreamingOutputCallRequest(response_parameters=asks(*wanted))
    assert sizes_of(CLIENT.StreamingOutputCall(request)) == wanted


def ping_pong():
    received = []

    def requests():
        for index, (sent, wanted) in enumerate([(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]):
            assert index == 0 or turn.acquire(timeout=30)
            yield WIRE.StreamingOutputCallRequest(response_parameters=asks(wanted), payload=payload(sent))

    turn = threading.Semaphore(0)
    for message in CLIENT.FullDuplexCall(requests()):
        received.append(len(message.payload.body))
        turn.release()
    assert received == [31415, 9, 2653, 58979]


def empty_stream():
    assert list(CLIENT.FullDuplexCall(iter([]))) == []


def custom_metadata():
    _, call = CLIENT.UnaryCall.with_call(large(), metadata=METADATA)
    assert dict(call.initial_metadata())["x-grpc-test-echo-initial"] == "test_initial_metadata_value"
    assert dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"] == b"\xab\xab\xab"


def status_code_and_message():
    status = WIRE.EchoStatus(code=2, message="test status message")
    error = fails_with(CODE.UNKNOWN, lambda: CLIENT.UnaryCall(WIRE.SimpleRequest(response_status=status)))
    assert error.details() == status.message
    request = WIRE.StreamingOutputCallRequest(response_status=status)
    error = fails_with(CODE.UNKNOWN, lambda: list(CLIENT.FullDuplexCall(iter([request]))))
    assert error.details() == status.message


def special_status_message():
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    status = WIRE.EchoStatus(code=2, message=message)
    error = fails_with(CODE.UNKNOWN, lambda: CLIENT.UnaryCall(WIRE.SimpleRequest(response_status=status)))
    assert error.details() == message


def unimplemented_method():
    fails_with(CODE.UNIMPLEMENTED, lambda: CLIENT.UnimplementedCall(WIRE.Empty()))


def unimplemented_service():
    other = WIRE.stub(CHANNEL, "UnimplementedService")
    fails_with(CODE.UNIMPLEMENTED, lambda: other.UnimplementedCall(WIRE.Empty()))


def cancel_after_begin():
    future = CLIENT.StreamingInputCall.future(stream([1]))
    future.cancel()
    assert future.cancelled() and future.code() == CODE.CANCELLED


def cancel_after_first_response():
    request = WIRE.StreamingOutputCallRequest(response_parameters=asks(31415), payload=payload(27182))
    requests = queue.Queue()
    requests.put(request)
    call = CLIENT.FullDuplexCall(iter(requests.get, None))
    next(call)
    call.cancel()
    fails_with(CODE.CANCELLED, lambda: next(call))
    requests.put(None)


def timeout_on_sleeping_server():
    slow = WIRE.ResponseParameters(size=1, interval_us=60_000_000)
    request = WIRE.StreamingOutputCallRequest(response_parameters=[slow])
    fails_with(CODE.DEADLINE_EXCEEDED, lambda: list(CLIENT.StreamingOutputCall(request, timeout=0.1)))


def client_compressed_unary():
    probe = large(expect_compressed=flag(True))
    fails_with(CODE.INVALID_ARGUMENT, lambda: CLIENT.UnaryCall(probe))
    CLIENT.UnaryCall(probe, compression=GZIP)
    CLIENT.UnaryCall(large(expect_compressed=flag(False)))


def server_compressed_unary():
    for value in (True, False):
        assert len(CLIENT.UnaryCall(large(response_compressed=flag(value))).payload.body) == 314159


def client_compressed_streaming():
    sizes = [27182, 45904]
    fails_with(
        CODE.INVALID_ARGUMENT, lambda: CLIENT.StreamingInputCall(stream(sizes, expect_compressed=flag(True))))
    response = CLIENT.StreamingInputCall(stream(sizes, expect_compressed=flag(True)), compression=GZIP)
    assert response.aggregated_payload_size == 73086


def server_compressed_streaming():
    parameters = [
        WIRE.ResponseParameters(size=31415, compressed=flag(True)),
        WIRE.ResponseParameters(size=92653, compressed=flag(False)),
    ]
    request = WIRE.StreamingOutputCallRequest(response_parameters=parameters)
    assert sizes_of(CLIENT.StreamingOutputCall(request)) == [31415, 92653]


def concurrent_large_unary():
    calls = [CLIENT.UnaryCall.future(large()) for _ in range(1000)]
    assert all(len(call.result().payload.body) == 314159 for call in calls)


run([
    empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, custom_metadata,
    status_code_and_message, special_status_message, unimplemented_method, unimplemented_service,
    cancel_after_begin, cancel_after_first_response, timeout_on_sleeping_server, client_compressed_unary,
    server_compressed_unary, client_compressed_streaming, server_compressed_streaming, concurrent_large_unary,
])
