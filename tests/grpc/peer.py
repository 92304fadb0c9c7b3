"""A gRPC peer that calls and serves, and does either when it is told so over HTTP.

    peer.py CONTROL_ADDRESS

GET /serve?address=A&identity=I        answers every call on A with I
GET /serve_xds?address=A&identity=I    the same, once the control plane has sent A's listener (gRFC A36)
GET /call?target=T&count=N&seconds=S   N calls one after another, each S seconds at most; who answered, how often
GET /forget?target=T                   closes the channel to T, so that the next call starts anew
GET /hold?target=T                     one call that is answered when its server is told /release; who answered
GET /held                              how many such calls wait here
GET /release                           answers them
GET /version                           the version of the library

The bootstrap is in GRPC_XDS_BOOTSTRAP_CONFIG.
"""

import collections
import concurrent.futures
import http.server
import json
import sys
import threading
import urllib.parse

import grpc

METHOD = "/isthmus.test.Peer/Who"
HELD_METHOD = "/isthmus.test.Peer/Wait"
THREADS = 8
MAX_CALLS = 100_000
HOLD_SECONDS = 60

channels = {}
servers = {}
lock = threading.Lock()
released = threading.Event()
held = 0


class Who(grpc.GenericRpcHandler):
    """Answers any call with its identity; nothing is encoded, so no generated code is needed."""

    def __init__(self, identity):
        self.answer = identity.encode()

    def service(self, details):
        method = self.wait if details.method == HELD_METHOD else lambda request, context: self.answer
        return grpc.unary_unary_rpc_method_handler(method)

    def wait(self, request, context):
        global held
        with lock:
            held += 1
        released.wait(HOLD_SECONDS)
        return self.answer


def serve(address, identity, xds):
    pool = concurrent.futures.ThreadPoolExecutor(THREADS)
    # Without this two peers could share a port by accident.
    options = [("grpc.so_reuseport", 0)]
    server = grpc.server(pool, handlers=[Who(identity)], options=options, xds=xds)
    if xds:
        credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
        server.add_secure_port(address, credentials)
    else:
        server.add_insecure_port(address)
    server.start()
    servers[address] = server
    return {}


def call(target, count, seconds, method=METHOD):
    with lock:
        if target not in channels:
            channels[target] = grpc.insecure_channel(target)
        who = channels[target].unary_unary(method, request_serializer=None, response_deserializer=None)
    answers = collections.Counter()
    for _ in range(min(count, MAX_CALLS)):
        try:
            answers[who(b"", timeout=seconds).decode()] += 1
        except grpc.RpcError as error:
            answers[f"{error.code().name}: {error.details()}"] += 1
    return answers


def forget(target):
    with lock:
        channel = channels.pop(target, None)
    if channel:
        channel.close()
    return {}


class Control(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if url.path == "/call":
                result = call(query["target"], int(query["count"]), float(query["seconds"]))
            elif url.path == "/forget":
                result = forget(query["target"])
            elif url.path == "/hold":
                result = call(query["target"], 1, HOLD_SECONDS, HELD_METHOD)
            elif url.path == "/held":
                result = {"held": held}
            elif url.path == "/release":
                released.set()
                result = {}
            elif url.path in ("/serve", "/serve_xds"):
                result = serve(query["address"], query["identity"], url.path == "/serve_xds")
            elif url.path == "/version":
                result = {"grpcio " + grpc.__version__: 1}
            else:
                return self.reply(404, {})
            self.reply(200, result)
        except Exception as error:  # whatever it is, the test must see it
            self.reply(500, {"error": repr(error)})

    def reply(self, status, result):
        body = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    http.server.ThreadingHTTPServer((host, int(port)), Control).serve_forever()


main()
