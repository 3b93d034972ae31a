"""How a WSGI server reads a request: path, host, client and header fields, as an application would use them.

usage: readings.py wsgiref|gunicorn|waitress PORT
"""

import ipaddress
import json
import posixpath
import sys


def reading(environ):
    """What an application takes a request for."""
    path = environ["PATH_INFO"].encode("latin-1")
    normal = posixpath.normpath(b"/" + path.lstrip(b"/"))
    host = environ.get("HTTP_HOST", "").rsplit(":", 1)[0].rstrip(".").lower()
    client = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[0].strip()
    try:
        client = str(ipaddress.ip_address(client))
    except ValueError:
        client = None
    return {
        "admin": normal == b"/admin" or normal.startswith(b"/admin/"),
        "host": host,
        "client": client,
        "user": environ.get("HTTP_X_USER_ID"),
    }


def app(environ, start_response):
    body = json.dumps(reading(environ)).encode()
    start_response("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]


def main():
    server, port = sys.argv[1], int(sys.argv[2])
    if server == "wsgiref":
        from wsgiref.simple_server import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log_message(self, *args):
                pass

        make_server("127.0.0.1", port, app, handler_class=Quiet).serve_forever()
    elif server == "waitress":
        import waitress

        waitress.serve(app, host="127.0.0.1", port=port, clear_untrusted_proxy_headers=False)
    else:
        from gunicorn.app.base import BaseApplication

        class Server(BaseApplication):
            def load_config(self):
                self.cfg.set("bind", f"127.0.0.1:{port}")
                self.cfg.set("worker_class", "gthread")
                self.cfg.set("threads", 4)
                self.cfg.set("keepalive", 60)
                # As it would be behind a proxy that is trusted with all of them.
                self.cfg.set("header_map", "dangerous")
                self.cfg.set("forwarded_allow_ips", "*")

            def load(self):
                return app

        Server().run()


main()
