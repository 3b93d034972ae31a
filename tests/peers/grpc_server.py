"""A gRPC service without generated code: messages are bytes. Prints its port, serves until stdin ends.

With a folder as argument it speaks TLS with server.pem and server.key of that folder.
"""

import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

cancelled = threading.Event()


def unary(request, context):
    sent = dict(context.invocation_metadata())
    context.set_trailing_metadata((("note", "done"), ("sum-bin", sent.get("given-bin", b"") + b"\x00\xff\x80")))
    return request


def from_many(requests, context):
    count = total = 0
    for message in requests:
        count += 1
        total += len(message)
    return b"%d %d" % (count, total)


def to_many(request, context):
    count, size = map(int, request.split())
    for number in range(count):
        yield (b"%d " % number).ljust(size, b".")


def both(requests, context):
    for message in requests:
        yield b"seen " + message


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: 100 % für")


def slow(request, context):
    context.add_callback(lambda: None if finished else cancelled.set())
    finished = False
    for _ in range(100):
        if not context.is_active():
            return b""
        time.sleep(0.05)
    finished = True
    return b"late"


def was_cancelled(request, context):
    seen = cancelled.wait(10)
    cancelled.clear()
    return b"yes" if seen else b"no"


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "FromMany": grpc.stream_unary_rpc_method_handler(from_many),
    "ToMany": grpc.unary_stream_rpc_method_handler(to_many),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
}


def main():
    server = grpc.server(
        futures.ThreadPoolExecutor(32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("gate.Test", HANDLERS),))
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        pair = [(folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes()]
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
