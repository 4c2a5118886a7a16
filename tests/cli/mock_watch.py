#!/usr/bin/env python3
"""The page of `rill watch` over made-up data: what the command serves, without the command.

usage: mock_watch.py PORT [--still]

It serves the files of cli/, /api/checks and /api/events by the schema in cli/checks.h, with the
same Content-Security-Policy. Endpoints are checked at random every second, unless --still. A POST
of JSON to /mock steers it:

    {"add": {"url": …, "label": …}}                  a new endpoint, pending
    {"check": {"url": …, "ms": …, "status": …,
               "error": [CLASS, MESSAGE] or null}}   a result, sent as an event
    {"trouble": TEXT or null}                        the banner
    {"away": SECONDS}                                drops all streams, answers 503 for that time
    {"forget": true}                                 starts anew, as a restarted process would

GET /mock tells what was asked for: {"requests": [PATH, …]}.
"""
import http.server
import json
import pathlib
import queue
import random
import re
import sys
import threading
import time

CLI = pathlib.Path(__file__).resolve().parents[2] / "cli"
KEPT = 120
SLOW_MS = 1000
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.svg": ("page.svg", "image/svg+xml"),
}
POLICY = "".join(re.findall(r'"(.*)"', (CLI / "page.h").read_text().split("PAGE_POLICY", 1)[1]))


def now_ms():
    return int(time.time() * 1000)


class Check:
    def __init__(self, number, url, label=None):
        self.history = []
        self.shown = {
            "id": number, "url": url, "label": label, "state": "pending", "time": None, "ms": None,
            "status": None, "bytes": None, "error": None, "last_error": None, "streak": 0,
            "since": None, "checks": 0, "failures": 0, "first": None,
            "uptime": {"window": None, "total": None},
        }

    def apply(self, ms, status=200, error=None, at=None):
        shown = self.shown
        at = at or now_ms()
        failed = error is not None
        went_on = shown["time"] is not None and failed == (shown["error"] is not None)
        problem = {"class": error[0], "message": error[1], "time": at} if failed else None
        shown.update(
            state="down" if failed else "slow" if ms > SLOW_MS else "up", time=at, ms=ms,
            status=status, bytes=0 if failed else 512, error=problem,
            last_error=problem or shown["last_error"], checks=shown["checks"] + 1,
            streak=shown["streak"] + 1 if went_on else 1, since=shown["since"] if went_on else at,
            failures=shown["failures"] + failed, first=shown["first"] or at)
        self.history = (self.history + [None if failed else ms])[-KEPT:]
        good = sum(point is not None for point in self.history)
        shown["uptime"] = {"window": 100 * good / len(self.history),
                           "total": 100 * (1 - shown["failures"] / shown["checks"])}


class Watch:
    """All that the pages see; every method is called under the lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.streams = []
        self.requests = []
        self.away_until = 0
        self.forget()

    def forget(self):
        self.checks = {}
        self.trouble = None
        self.started = now_ms()

    def add(self, url, label=None):
        return self.checks.setdefault(url, Check(len(self.checks), url, label))

    def document(self):
        checks = [{**check.shown, "history": check.history} for check in self.checks.values()]
        states = [check["state"] for check in checks]
        return {"v": 1, "now": now_ms(), "started": self.started, "every": 5.0,
                "trouble": self.trouble, "checks": checks,
                "totals": {s: states.count(s) for s in ("up", "slow", "down", "pending")}}

    def send(self, event, data):
        for stream in self.streams:
            stream.put(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())

    def result(self, url, ms, status=200, error=None, at=None):
        check = self.checks[url]
        check.apply(ms, status, error, at)
        self.send("check", check.shown)

    def set_trouble(self, text):
        self.trouble = text
        self.send("trouble", {"trouble": text})

    def go_away(self, seconds):
        self.away_until = time.monotonic() + seconds
        for stream in self.streams:
            stream.put(None)

    def steer(self, order):
        if "forget" in order:
            self.forget()
        if "add" in order:
            self.add(**order["add"])
        if "check" in order:
            self.result(**order["check"])
        if "trouble" in order:
            self.set_trouble(order["trouble"])
        if "away" in order:
            self.go_away(order["away"])


DEMO = [
    # url, label, usual ms, spread, chance to fail, error
    ("http://127.0.0.1:8081/fine", "fine", 14, 4, 0, None),
    ("http://127.0.0.1:8081/slow", "slow", 1450, 300, 0, None),
    ("http://127.0.0.1:8081/flaky", "flaky", 45, 25, 0.2,
     (503, ["http_5xx", "503 Service Unavailable"])),
    ("http://127.0.0.1:9/down", "down", 1, 0.3, 1,
     (None, ["connect_refused", "connect 127.0.0.1:9: connection refused"])),
    ("https://shop.example.com/api/v2/orders/health?region=eu-central-1&deep=true&format=json",
     None, 180, 120, 0.03, (None, ["timeout_total", "get shop.example.com: no answer in 3 s"])),
    ("https://very-long-host-name-without-any-break.subdomain.of.a.company.example.org/",
     '<img src=x onerror=alert(1)> & "quotes"', 320, 500, 0.02,
     (None, ["tls_expired", "connect example.org:443: the certificate has expired\x1b[2J<b>"])),
]


def demo_step(watch, row, at=None):
    url, _, usual, spread, chance, problem = row
    ms = round(max(0.3, random.gauss(usual, spread)), 1)
    if random.random() < chance:
        watch.result(url, ms, problem[0], problem[1], at)
    else:
        watch.result(url, ms, at=at)


def demo(watch):
    """An hour that has been, and an endpoint that nobody has checked yet."""
    with watch.lock:
        for row in DEMO:
            watch.add(row[0], row[1])
            for back in range(12 if row[1] == "flaky" else KEPT, 0, -1):
                demo_step(watch, row, now_ms() - back * 5000)
        watch.add("https://new.example.net/", None)
        watch.started = now_ms() - 3600000


def keep_checking(watch):
    while True:
        time.sleep(1 / len(DEMO))
        with watch.lock:
            row = random.choice(DEMO)
            if row[0] in watch.checks:
                demo_step(watch, row)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    watch = None

    def log_message(self, *_):
        pass

    def reply(self, status, content_type="text/plain", body=b""):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        messages = queue.Queue()
        with self.watch.lock:
            self.watch.streams.append(messages)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(b": hello\n\n")
            while (message := messages.get()) is not None:
                self.wfile.write(message)
        except OSError:
            pass
        with self.watch.lock:
            self.watch.streams.remove(messages)
        self.close_connection = True

    def do_GET(self):
        path = self.path.split("?")[0]
        with self.watch.lock:
            self.watch.requests.append(path)
            away = time.monotonic() < self.watch.away_until
            document = json.dumps(self.watch.document()).encode()
            requests = json.dumps({"requests": self.watch.requests}).encode()
        if path == "/mock":
            self.reply(200, "application/json", requests)
        elif away:
            self.reply(503)
        elif path in FILES:
            name, content_type = FILES[path]
            self.reply(200, content_type, (CLI / name).read_bytes())
        elif path == "/api/checks":
            self.reply(200, "application/json", document)
        elif path == "/api/events":
            self.stream()
        else:
            self.reply(404)

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.watch.lock:
            self.watch.steer(order)
        self.reply(204)


def main(port, *options):
    Handler.watch = Watch()
    if "--still" not in options:
        demo(Handler.watch)
        threading.Thread(target=keep_checking, args=[Handler.watch], daemon=True).start()
    http.server.ThreadingHTTPServer.daemon_threads = True
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
