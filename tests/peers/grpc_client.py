"""Calls the service of grpc_server.py through a gateway; prints a line per case: its name, then `ok` or what was wrong.

Arguments: the address, then a file of authorities where it is to be TLS.
"""

import sys
import traceback
from concurrent import futures
from pathlib import Path

import grpc

MIB = 1024 * 1024
WITHIN = 30


class Service:
    def __init__(self, channel):
        self.channel = channel

    def unary(self, name, request, timeout=WITHIN, **more):
        return self.channel.unary_unary("/gate.Test/" + name).with_call(request, timeout=timeout, **more)


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def unary(service):
    answer, _ = service.unary("Unary", b"hello")
    assert answer == b"hello", answer


def empty(service):
    answer, _ = service.unary("Unary", b"")
    assert answer == b"", answer


def three_megabytes(service):
    body = bytes(range(256)) * (3 * MIB // 256)
    answer, _ = service.unary("Unary", body)
    assert answer == body, len(answer)


def binary_trailers(service):
    _, call = service.unary("Unary", b"x", metadata=(("given-bin", b"\x01\x02\xfe"),))
    trailers = dict(call.trailing_metadata())
    assert trailers["sum-bin"] == b"\x01\x02\xfe\x00\xff\x80", trailers
    assert trailers["note"] == "done", trailers


def long_stream_up(service):
    call = service.channel.stream_unary("/gate.Test/FromMany")
    answer = call((b"." * 1000 for _ in range(2000)), timeout=WITHIN)
    assert answer == b"2000 2000000", answer


def long_stream_down(service):
    call = service.channel.unary_stream("/gate.Test/ToMany")
    count = 0
    for message in call(b"2000 1000", timeout=WITHIN):
        assert message.startswith(b"%d " % count) and len(message) == 1000, message[:20]
        count += 1
    assert count == 2000, count


def interleaved(service):
    """Each message goes out only when the answer to the one before is in."""
    turn = futures.Future()

    def messages():
        nonlocal turn
        for number in range(100):
            yield b"%d" % number
            turn.result(WITHIN)
            turn = futures.Future()

    seen = 0
    for answer in service.channel.stream_stream("/gate.Test/Both")(messages(), timeout=WITHIN):
        assert answer == b"seen %d" % seen, answer
        seen += 1
        turn.set_result(None)
    assert seen == 100, seen


def trailers_only(service):
    error = code_of(lambda: service.unary("Fail", b""))
    assert error.code() is grpc.StatusCode.NOT_FOUND, error
    assert error.details() == "no such thing: 100 % für", error.details()


def deadline(service):
    error = code_of(lambda: service.unary("Slow", b"", timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
    answer, _ = service.unary("WasCancelled", b"")
    assert answer == b"yes", "the service was not told"


def cancel(service):
    call = service.channel.unary_unary("/gate.Test/Slow").future(b"", timeout=WITHIN)
    # Only a call that has begun can be cancelled at the service.
    service.unary("Unary", b"")
    call.cancel()
    assert call.code() is grpc.StatusCode.CANCELLED, call
    answer, _ = service.unary("WasCancelled", b"")
    assert answer == b"yes", "the service was not told"


def many_at_once(service):
    call = service.channel.unary_unary("/gate.Test/Unary")
    calls = [call.future(b"%d" % number, timeout=WITHIN) for number in range(300)]
    for number, one in enumerate(calls):
        assert one.result() == b"%d" % number


def refusals(service):
    cases = [
        ("/gate.Nobody/Serves", grpc.StatusCode.UNIMPLEMENTED),
        ("/gate.Down/Any", grpc.StatusCode.UNAVAILABLE),
        ("/gate.Small/Any", grpc.StatusCode.RESOURCE_EXHAUSTED),
    ]
    for method, code in cases:
        error = code_of(lambda: service.channel.unary_unary(method)(b"." * 5000, timeout=WITHIN))
        assert error.code() is code, (method, error)
        assert error.details(), method


CASES = [
    unary,
    empty,
    three_megabytes,
    binary_trailers,
    long_stream_up,
    long_stream_down,
    interleaved,
    trailers_only,
    deadline,
    cancel,
    many_at_once,
    refusals,
]


def main():
    options = [("grpc.max_receive_message_length", -1)]
    if len(sys.argv) > 2:
        authorities = grpc.ssl_channel_credentials(Path(sys.argv[2]).read_bytes())
        channel = grpc.secure_channel(sys.argv[1], authorities, options)
    else:
        channel = grpc.insecure_channel(sys.argv[1], options)
    service = Service(channel)
    for case in CASES:
        try:
            case(service)
            print(case.__name__, "ok", flush=True)
        except Exception:
            print(case.__name__, repr(traceback.format_exc()), flush=True)


main()
