"""A client of the `h2` package that opens WebSockets by extended CONNECT (RFC 8441), each on a connection of its own.

Reads JSON: {"port", "tls", "requests": [{"headers": [[name, value]…], "bytes": hex}…]}. Sends the bytes once the answer has
come and is a 200. Says JSON, one for each: {"status", "headers", "bytes": hex, "end": "ended" | "reset" | "closed" |
"refused" | "silence", "connect": whether the server lets extended CONNECT be}.
"""

import json
import socket
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    RemoteSettingsChanged,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

PATIENCE = 30


class Client:
    def __init__(self, port, tls, request):
        self.tcp = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if tls:
            # Whose certificate it is, other tests look at.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self.tcp = context.wrap_socket(self.tcp)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.stream = 1
        self.request = request
        self.left = bytes.fromhex(request["bytes"])
        self.found = {"status": None, "headers": [], "connect": False, "end": "silence"}
        self.received = b""
        self.asked = False

    def run(self):
        self.h2.initiate_connection()
        self.flush()
        try:
            while self.found["end"] == "silence":
                data = self.tcp.recv(65536)
                if not data:
                    self.found["end"] = "closed"
                    break
                for event in self.h2.receive_data(data):
                    self.see(event)
                self.send()
                self.flush()
        except TimeoutError:
            pass
        except ConnectionError:
            self.found["end"] = "closed"
        self.tcp.close()
        return self.found | {"bytes": self.received.hex()}

    def see(self, event):
        if isinstance(event, RemoteSettingsChanged) and not self.asked:
            # RFC 8441 section 3: not before the server's settings allow it.
            allowed = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
            self.found["connect"] = allowed is not None and allowed.new_value == 1
            headers = [tuple(header) for header in self.request["headers"]]
            self.h2.send_headers(self.stream, headers)
            self.asked = True
        elif isinstance(event, ResponseReceived):
            headers = [[name, value] for name, value in event.headers]
            self.found["status"] = int(dict(headers)[":status"])
            self.found["headers"] = headers
        elif isinstance(event, DataReceived):
            self.received += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, self.stream)
        elif self.found["end"] != "silence":
            pass  # a reset of what has ended is only told to who goes on sending (RFC 9113 section 8.1)
        elif isinstance(event, StreamEnded):
            self.found["end"] = "ended" if self.found["status"] == 200 else "refused"
            if self.found["end"] == "ended":
                self.h2.end_stream(self.stream)
        elif isinstance(event, StreamReset):
            self.found["end"] = "reset"
        elif isinstance(event, ConnectionTerminated):
            self.found["end"] = "closed"

    def send(self):
        if self.found["status"] != 200 or self.found["end"] != "silence":
            return
        while self.left:
            room = self.h2.local_flow_control_window(self.stream)
            room = min(room, self.h2.max_outbound_frame_size)
            if room <= 0:
                return
            self.h2.send_data(self.stream, self.left[:room])
            self.left = self.left[room:]

    def flush(self):
        self.tcp.sendall(self.h2.data_to_send())


asked = json.load(sys.stdin)
port, tls = asked["port"], asked["tls"]
print(json.dumps([Client(port, tls, request).run() for request in asked["requests"]]))
