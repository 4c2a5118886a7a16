"""A server for tests of the command: what it answers, and what it remembers of its clients.

    with origin.Origin() as server:
        server.routes["/late"] = origin.slow(0.5)
        peer.run([…, server.url("/late")])
        assert server.count("/late") == 1

A route is a function of the handler; "/ok" answers "hello, page".
"""
import http.server
import socket
import ssl
import struct
import threading
import time


def text(body=b"hello, page", status=200, **headers):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def slow(seconds):
    def answer(handler):
        time.sleep(seconds)
        text()(handler)

    return answer


def truncated(handler):
    """Announces more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(b"half a body")
    handler.wfile.flush()
    time.sleep(0.1)
    handler.close_connection = True


def reset(handler):
    """Breaks off before it answers."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def bad_gzip(handler):
    text(b"this is no gzip", Content_Encoding="gzip")(handler)


def redirect(target):
    return lambda handler: text(b"", 302, Location=target)(handler)


def fails_first(times, status=503):
    """Fails so often before it works."""
    left = [times]

    def answer(handler):
        left[0] -= 1
        text(b"not yet", status)(handler) if left[0] >= 0 else text()(handler)

    return answer


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        origin = self.server.origin
        with origin.lock:
            origin.requests.append((time.monotonic(), self.command, self.path))
            origin.active += 1
            origin.most_active = max(origin.most_active, origin.active)
            there = origin.active_by_path[self.path] = origin.active_by_path.get(self.path, 0) + 1
            origin.overlaps += there > 1
        try:
            origin.routes.get(self.path.split("?")[0], text(b"not here", 404))(self)
            self.wfile.flush()
        except OSError:
            self.close_connection = True
        finally:
            with origin.lock:
                origin.active -= 1
                origin.active_by_path[self.path] -= 1

    do_POST = do_HEAD = do_GET


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_):
        pass


class Origin:
    def __init__(self, certificate=None):
        """With a certificate, the paths of its file and of its key, it speaks https."""
        self.routes = {"/ok": text()}
        self.lock = threading.Lock()
        self.requests = []  # (time, method, path)
        self.active = self.most_active = self.overlaps = 0
        self.active_by_path = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.origin = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def url(self, path="/ok"):
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, path):
        return len(self.times(path))

    def times(self, path):
        with self.lock:
            return [when for when, _, asked in self.requests if asked == path]

    def methods(self):
        with self.lock:
            return {method for _, method, _ in self.requests}

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
