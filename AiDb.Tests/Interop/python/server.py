"""usage: server.py DESCRIPTOR - serves the interoperability cases and prints "LISTENING port"."""

import sys
import time
from concurrent import futures

import grpc

from wire import Wire, handler

WIRE = Wire(sys.argv[1])
CODES = {code.value[0]: code for code in grpc.StatusCode}


def payload(size):
    return WIRE.Payload(body=bytes(size))


def echo_metadata(context):
    metadata = dict(context.invocation_metadata())
    initial = metadata.get("x-grpc-test-echo-initial")
    trailing = metadata.get("x-grpc-test-echo-trailing-bin")
    context.send_initial_metadata((("x-grpc-test-echo-initial", initial),) if initial else ())
    if trailing:
        context.set_trailing_metadata((("x-grpc-test-echo-trailing-bin", trailing),))


def fail_if_asked(request, context):
    if request.response_status.code:
        context.abort(CODES[request.response_status.code], request.response_status.message)


class Service:
    def EmptyCall(self, request, context):
        return request

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        fail_if_asked(request, context)
        return WIRE.SimpleResponse(payload=payload(request.response_size))

    def StreamingInputCall(self, requests, context):
        total = sum(len(request.payload.body) for request in requests)
        return WIRE.StreamingInputCallResponse(aggregated_payload_size=total)

    def StreamingOutputCall(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        yield from self._answer(request, context)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            fail_if_asked(request, context)
            yield from self._answer(request, context)

    def _answer(self, request, context):
        for parameters in request.response_parameters:
            until = time.monotonic() + parameters.interval_us / 1e6
            while time.monotonic() < until and context.is_active():
                time.sleep(0.01)
            if not parameters.compressed.value:
                context.disable_next_message_compression()
            yield WIRE.StreamingOutputCallResponse(payload=payload(parameters.size))


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers((handler(WIRE, "TestService", Service()),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"LISTENING {port}", flush=True)
server.wait_for_termination()
