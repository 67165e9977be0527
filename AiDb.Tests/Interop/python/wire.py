"""Messages and stubs made at run time from descriptors, so that nothing generated needs to be kept."""

import base64
import json
import traceback

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class Wire:
    """The .proto files of one package, given as the base64 texts of their FileDescriptorProtos, with commas between."""

    def __init__(self, descriptors):
        self._pool = descriptor_pool.DescriptorPool()
        self._services = {}
        for text in descriptors.split(","):
            file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text))
            self._pool.Add(file)
            self.package = file.package
            self._services.update({service.name: service for service in file.service})

    def __getattr__(self, name):
        return self.message(name)

    def message(self, name):
        """The class of a message of this package; an inner one is named Outer.Inner."""
        return self._message(f"{self.package}.{name}")

    def stub(self, channel, service):
        return Stub(self, channel, service)

    def methods(self, service):
        """(name, path, streams in, streams out, request class, response class) of each method."""
        for method in self._services[service].method:
            yield (
                method.name,
                f"/{self.package}.{service}/{method.name}",
                method.client_streaming,
                method.server_streaming,
                self._message(method.input_type.lstrip(".")),
                self._message(method.output_type.lstrip(".")),
            )

    def _message(self, full_name):
        descriptor = self._pool.FindMessageTypeByName(full_name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self._pool).GetPrototype(descriptor)


class Stub:
    def __init__(self, wire, channel, service):
        for name, path, streams_in, streams_out, request, response in wire.methods(service):
            kind = ("stream" if streams_in else "unary") + "_" + ("stream" if streams_out else "unary")
            call = getattr(channel, kind)(
                path, request_serializer=request.SerializeToString, response_deserializer=response.FromString)
            setattr(self, name, call)


def handler(wire, service, implementation):
    """A generic handler that calls the methods of the implementation that exist."""
    handlers = {}
    for name, _, streams_in, streams_out, request, response in wire.methods(service):
        behaviour = getattr(implementation, name, None)
        if behaviour is None:
            continue
        kind = ("stream" if streams_in else "unary") + "_" + ("stream" if streams_out else "unary")
        handlers[name] = getattr(grpc, f"{kind}_rpc_method_handler")(
            behaviour, request_deserializer=request.FromString, response_serializer=response.SerializeToString)
    return grpc.method_handlers_generic_handler(f"{wire.package}.{service}", handlers)


def fails_with(code, call):
    """Calls it; it must fail with this gRPC status."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()}: {error.details()}"
        return error
    raise AssertionError(f"the call should have ended with {code}")


def run(cases):
    """Runs the cases one after the other and prints a line of JSON for each."""
    for case in cases:
        error = None
        try:
            case()
        except BaseException:
            error = traceback.format_exc()
        print(json.dumps({"case": case.__name__, "error": error}), flush=True)
