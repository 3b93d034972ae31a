"""An OTLP collector by OpenTelemetry's own messages and Google's own gRPC. Prints its two ports (HTTP, gRPC), then a
line of JSON per span; serves until stdin ends.

With an argument it answers every request with that HTTP status, or with the gRPC status that is named like that
(`UNAVAILABLE`), and prints `{"refused": …}` instead.
"""

import json
import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

refusal = sys.argv[1] if len(sys.argv) > 1 else None
printing = threading.Lock()


def say(what):
    with printing:
        print(json.dumps(what), flush=True)


def plain(attributes):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def tell(request, via, headers):
    for of in request.resource_spans:
        for scope in of.scope_spans:
            for span in scope.spans:
                say({
                    "via": via,
                    "headers": headers,
                    "resource": plain(of.resource.attributes),
                    "scope": scope.scope.name,
                    "name": span.name,
                    "kind": span.kind,
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "state": span.trace_state,
                    "flags": span.flags,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "error": span.status.code == 2,
                    "attributes": plain(span.attributes),
                })


class Grpc(service.TraceServiceServicer):
    def Export(self, request, context):
        if refusal:
            say({"refused": "grpc"})
            context.abort(grpc.StatusCode[refusal], "not now")
        tell(request, "grpc", dict(context.invocation_metadata()))
        return messages.ExportTraceServiceResponse()


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if refusal:
            say({"refused": "http"})
            self.answer(int(refusal), b"")
            return
        if self.headers["content-type"] != "application/x-protobuf":
            self.answer(415, b"")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        tell(messages.ExportTraceServiceRequest.FromString(body), self.path, headers)
        self.answer(200, messages.ExportTraceServiceResponse().SerializeToString())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
threading.Thread(target=http.serve_forever, daemon=True).start()
server = grpc.server(futures.ThreadPoolExecutor(4))
service.add_TraceServiceServicer_to_server(Grpc(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(http.server_address[1], port, flush=True)
sys.stdin.read()
server.stop(None)
