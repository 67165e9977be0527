"""usage: keyvalue.py ADDRESS APIKEY DESCRIPTORS - AiDb's own services, as a client in Python sees them."""

import os
import queue
import sys
import time

import grpc

from wire import Wire, fails_with, run

ADDRESS, API_KEY, DESCRIPTORS = sys.argv[1:4]
WIRE = Wire(DESCRIPTORS)
LIMITS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
CHANNEL = grpc.insecure_channel(ADDRESS, options=LIMITS)
CLIENT = WIRE.stub(CHANNEL, "KeyValue")
ADMIN = WIRE.stub(CHANNEL, "Admin")
CODE = grpc.StatusCode
AUTH = (("api-key", API_KEY),)
TABLE = f"python-{os.getpid()}"
AWKWARD = "a/b%2F..\U0001f511".encode() + b"\x00\xff\x00"
ABSENT, VERSION_EQUALS = 1, 3


def put(key, value, condition=None, **more):
    request = WIRE.PutRequest(table=TABLE, key=key, value=value, condition=condition, **more)
    return CLIENT.Put(request, metadata=AUTH)


def get(key, table=TABLE, **more):
    return CLIENT.Get(WIRE.GetRequest(table=table, key=key, **more), metadata=AUTH)


def scan(**more):
    pages = CLIENT.Scan(WIRE.ScanRequest(table=TABLE, **more), metadata=AUTH)
    return [item.key for page in pages for item in page.items]


def operation(key, value):
    put_action = WIRE.message("BatchOperation.Put")(value=value)
    return WIRE.BatchOperation(table=TABLE, key=key, put=put_action)


def put_and_get():
    for value in (b"", bytes([0, 1, 2, 255]), b"\x07" * (3 << 20)):
        written = put(AWKWARD, value)
        read = get(AWKWARD)
        assert read.found and read.value == value and read.version == written.version
    head = get(AWKWARD, head=True)
    assert head.value_bytes == 3 << 20 and head.value == b""


def delete_and_absent():
    put(b"gone", b"soon")
    CLIENT.Delete(WIRE.DeleteRequest(table=TABLE, key=b"gone"), metadata=AUTH)
    assert not get(b"gone").found


def unknown_table():
    fails_with(CODE.NOT_FOUND, lambda: get(b"k", table="never-written"))


def conditions():
    absent = WIRE.Condition(kind=ABSENT)
    version = put(b"once", b"1", absent).version
    error = fails_with(CODE.FAILED_PRECONDITION, lambda: put(b"once", b"2", absent))
    trailer = dict(error.trailing_metadata())["aidb-error-bin"]
    assert WIRE.Error.FromString(trailer).current_version == version
    same = WIRE.Condition(kind=VERSION_EQUALS, version=version)
    put(b"once", b"3", same)
    fails_with(CODE.FAILED_PRECONDITION, lambda: put(b"once", b"4", same))
    assert get(b"once").value == b"3"


def time_to_live():
    put(b"fleeting", b"x", ttl_ms=3_600_000)
    assert get(b"fleeting").expires_at_ms > time.time() * 1000


def multi_get():
    put(b"m1", b"one")
    put(b"m2", b"two")
    request = WIRE.MultiGetRequest(table=TABLE, keys=[b"m2", b"none", b"m1"])
    values = CLIENT.MultiGet(request, metadata=AUTH).values
    assert [value.found and value.value for value in values] == [b"two", False, b"one"]


def scan_in_order():
    names = [b"scan/%04d" % index for index in range(250)]
    for name in reversed(names):
        put(name, name)
    assert scan(prefix=b"scan/") == names
    assert scan(prefix=b"scan/", reverse=True, limit=3) == names[:-4:-1]
    assert scan(start=b"scan/0010", end=b"scan/0013", keys_only=True) == names[10:13]


def batch():
    pair = [operation(b"{a}/1", b"x"), operation(b"{a}/2", b"y")]
    CLIENT.Batch(WIRE.BatchRequest(operations=pair), metadata=AUTH)
    assert get(b"{a}/2").value == b"y"
    across = [operation(b"{a}/1", b"z"), operation(b"{b}/1", b"z")]
    fails_with(
        CODE.INVALID_ARGUMENT, lambda: CLIENT.Batch(WIRE.BatchRequest(operations=across), metadata=AUTH))
    assert get(b"{a}/1").value == b"x"
    response = CLIENT.Batch(WIRE.BatchRequest(operations=across, atomic=False), metadata=AUTH)
    assert len(response.results) == 2


def pipeline():
    requests = queue.Queue()
    calls = CLIENT.Pipeline(iter(requests.get, None), metadata=AUTH)
    for first in range(1, 101, 10):
        requests.put(WIRE.PipelineRequests(requests=[
            WIRE.PipelineRequest(
                id=number, put=WIRE.PutRequest(table=TABLE, key=b"p%d" % number, value=b"v%d" % number))
            for number in range(first, first + 10)]))
    unknown = WIRE.GetRequest(table="never-written", key=b"k")
    requests.put(WIRE.PipelineRequests(requests=[WIRE.PipelineRequest(id=1000, get=unknown)]))
    answers = {}
    for message in calls:
        answers.update({response.id: response for response in message.responses})
        if len(answers) == 101:
            requests.put(None)
    assert answers[1000].error.kind == 2
    assert sum(answer.WhichOneof("result") == "write" for answer in answers.values()) == 100
    assert get(b"p77").value == b"v77"


def burst():
    keys = [b"burst%d" % index for index in range(1000)]
    writes = [CLIENT.Put.future(WIRE.PutRequest(table=TABLE, key=key, value=key), metadata=AUTH) for key in keys]
    assert all(write.result().version for write in writes)
    reads = [CLIENT.Get.future(WIRE.GetRequest(table=TABLE, key=key), metadata=AUTH) for key in keys]
    assert [read.result().value for read in reads] == keys


def limits():
    fails_with(CODE.INVALID_ARGUMENT, lambda: put(bytes(65537), b"x"))
    put(b"\x01" * 65536, b"x")


def deadline_and_cancel():
    request = WIRE.GetRequest(table=TABLE, key=b"m1")
    fails_with(CODE.DEADLINE_EXCEEDED, lambda: CLIENT.Get(request, metadata=AUTH, timeout=0))
    stream = CLIENT.Scan(WIRE.ScanRequest(table=TABLE), metadata=AUTH)
    stream.cancel()
    fails_with(CODE.CANCELLED, lambda: list(stream))
    assert get(b"m1").found


def api_key():
    request = WIRE.GetRequest(table=TABLE, key=b"m1")
    fails_with(CODE.UNAUTHENTICATED, lambda: CLIENT.Get(request))
    wrong = (("api-key", "wrong"),)
    fails_with(CODE.UNAUTHENTICATED, lambda: ADMIN.ListTables(WIRE.ListTablesRequest(), metadata=wrong))


def tables():
    name = f"{TABLE}-made"
    options = WIRE.TableOptions(partitioning=WIRE.Partitioning(kind=2, prefix_length=4))
    made = ADMIN.CreateTable(WIRE.CreateTableRequest(name=name, options=options), metadata=AUTH)
    assert made.name == name
    fails_with(
        CODE.ALREADY_EXISTS, lambda: ADMIN.CreateTable(WIRE.CreateTableRequest(name=name), metadata=AUTH))
    known = ADMIN.GetTable(WIRE.GetTableRequest(name=name), metadata=AUTH)
    assert known.options.partitioning.prefix_length == 4
    listed = ADMIN.ListTables(WIRE.ListTablesRequest(), metadata=AUTH).tables
    assert name in [table.name for table in listed]
    ADMIN.DropTable(WIRE.DropTableRequest(name=name), metadata=AUTH)
    fails_with(CODE.NOT_FOUND, lambda: ADMIN.GetTable(WIRE.GetTableRequest(name=name), metadata=AUTH))


def cluster():
    assert ADMIN.GetCluster(WIRE.GetClusterRequest(), metadata=AUTH).mode == "standalone"


run([
    put_and_get, delete_and_absent, unknown_table, conditions, time_to_live, multi_get, scan_in_order, batch,
    pipeline, burst, limits, deadline_and_cancel, api_key, tables, cluster,
])
