#!/usr/bin/env python3
"""`rill watch`, run as a user runs it: its schedule, its pages, its history, its troubles."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error

import origin
import peer
import watching

METRIC = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


def parse_metrics(text):
    """The text exposition format, strictly: {(name, labels): value}."""
    types, helped, samples, families = {}, set(), {}, []
    if not text.endswith("\n"):
        raise ValueError("no line end at the end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            if name in helped:
                raise ValueError(f"second HELP of {name}")
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in types or kind not in ("counter", "gauge"):
                raise ValueError(line)
            types[name] = kind
        else:
            match = METRIC.match(line)
            if not match:
                raise ValueError(f"no sample: {line!r}")
            name, labels, value = match.groups()
            if name not in types or name not in helped:
                raise ValueError(f"{name} has no TYPE or HELP before it")
            if name not in families:
                families.append(name)
            elif families[-1] != name:
                raise ValueError(f"the samples of {name} do not stand together")
            found, rest = [], labels[1:-1] if labels else ""
            while rest:
                part = LABEL.match(rest)
                if not part:
                    raise ValueError(f"bad label: {rest!r}")
                found.append(part.groups()[:2])
                rest = rest[part.end():]
            key = (name, frozenset(found))
            if key in samples:
                raise ValueError(f"twice: {line}")
            samples[key] = float(value)
    return samples, types


class Watch(peer.TestCase):
    def setUp(self):
        self.server = origin.Origin()
        self.addCleanup(self.server.close)
        folder = tempfile.TemporaryDirectory(prefix="rill-watch-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.db = str(self.folder / "sub" / "watch.db")

    def watch(self, *words, **options):
        watch = watching.Watch(*words, **options)

        def stop():
            watch.stop()
            self.assertNotIn("Sanitizer", watch.output())
            self.assertEqual(watch.status, 0, watch.output())

        self.addCleanup(stop)
        return watch

    # ---- the demo ----

    def test_the_demo(self):
        watch = self.watch("--every", "500ms")
        document = peer.wait_until(lambda: watch.api() if "pending" not in {
            check["state"] for check in watch.api()["checks"]} else None, 5, "four results")
        self.assertEqual([check["label"] for check in document["checks"]],
                         ["fine", "slow", "flaky", "down"])
        watch.wait("fine", "up")
        watch.wait("slow", "slow")
        down = watch.wait("down", "down")
        self.assertEqual(down["status"], 503)
        self.assertEqual(down["error"]["class"], "http_5xx")
        self.assertEqual(down["error"]["message"], "the server answered 503 Service Unavailable")
        watch.wait("flaky", "up")
        watch.wait("flaky", "down", seconds=20)

    def test_no_demo_beside_urls(self):
        watch = self.watch(self.server.url())
        with self.assertRaises(urllib.error.HTTPError) as caught:
            watch.open("/demo/fine")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()
        self.assertIn("watching 1 endpoint; the page is at " + watch.url, watch.output())

    # ---- pages ----

    def test_the_page_and_its_files(self):
        watch = self.watch(self.server.url())
        for path, kind in (("/", "text/html; charset=utf-8"), ("/page.css", "text/css"),
                           ("/page.js", "text/javascript"), ("/page.svg", "image/svg+xml")):
            with self.subTest(path):
                with watch.open(path) as reply:
                    self.assertTrue(reply.headers["Content-Type"].startswith(kind))
                    policy = reply.headers["Content-Security-Policy"]
                    self.assertTrue(policy.startswith("default-src 'self';"), policy)
                    self.assertNotIn("unsafe", policy)
                    self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
                    body = reply.read()
                    tag = reply.headers["ETag"]
                self.assertNotRegex(body.decode(), r"""(src|href)=["'](https?:)?//""")
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    watch.open(path, {"If-None-Match": tag})
                self.assertEqual(caught.exception.code, 304)
                self.assertEqual(caught.exception.headers["ETag"], tag)
                self.assertEqual(caught.exception.read(), b"")
                with watch.open(path, {"If-None-Match": '"another"'}) as reply:
                    self.assertEqual(reply.read(), body)

    def test_what_there_is_not(self):
        watch = self.watch(self.server.url())
        connection = http.client.HTTPConnection("127.0.0.1", watch.port, timeout=10)
        for method, path, status in (("GET", "/nothing", 404), ("POST", "/api/checks", 405),
                                     ("GET", "/../etc/passwd", 404), ("HEAD", "/metrics", 200),
                                     ("GET", "/healthz", 200)):
            connection.request(method, path)
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, status, path)
        connection.close()

    def test_metrics(self):
        dead = f"http://127.0.0.1:{peer.free_port()}/"
        odd = self.server.url('/ok?"q\\')
        watch = self.watch("--every", "200ms", self.server.url(), dead, odd)
        watch.wait(self.server.url(), "up")
        watch.wait(dead, "down")
        watch.wait(odd, "up")
        with watch.open("/metrics") as reply:
            self.assertEqual(reply.headers["Content-Type"],
                             "text/plain; version=0.0.4; charset=utf-8")
            samples, types = parse_metrics(reply.read().decode())

        def value(name, **labels):
            return samples[name, frozenset(labels.items())]

        self.assertEqual(value("rill_check_up", url=self.server.url()), 1)
        self.assertEqual(value("rill_check_up", url=dead), 0)
        self.assertEqual(value("rill_check_up", url=odd.replace("\\", "\\\\").replace('"', '\\"')),
                         1)
        self.assertEqual(value("rill_check_status_code", url=self.server.url()), 200)
        self.assertEqual(value("rill_check_failure_info", url=dead, reason="connect_refused"), 1)
        self.assertGreaterEqual(value("rill_checks_total", url=dead, result="failed"), 1)
        self.assertEqual(value("rill_watch_endpoints", state="down"), 1)
        self.assertEqual(value("rill_watch_trouble"), 0)
        self.assertEqual(types["rill_checks_total"], "counter")

    # ---- events ----

    def test_events(self):
        watch = self.watch("--every", "100ms", self.server.url())
        with watching.Events(watch) as events:
            self.assertEqual(events.reply.headers["Content-Type"],
                             "text/event-stream; charset=utf-8")
            self.assertEqual(events.reply.headers["Cache-Control"], "no-store")
            stream = iter(events)
            first, second = next(stream), next(stream)
        self.assertEqual(first[0], "check")
        self.assertEqual(first[2]["url"], self.server.url())
        self.assertEqual(second[1], first[1] + 1)
        self.assertEqual(second[2]["checks"], first[2]["checks"] + 1)
        self.assertNotIn("history", first[2])

    def test_streams_end_with_the_program(self):
        watch = watching.Watch("--every", "100ms", self.server.url())
        streams = [watching.Events(watch) for _ in range(5)]
        next(iter(streams[0]))
        start = time.monotonic()
        self.assertEqual(watch.stop(), 0, watch.output())
        self.assertLess(time.monotonic() - start, 2 * peer.SLOW)
        for stream in streams:
            for _ in stream:
                pass  # ends, and properly: a cut-off chunk would raise
            stream.close()

    def test_readers_that_went_away(self):
        watch = self.watch("--every", "50ms", self.server.url())
        for _ in range(20):
            with watching.Events(watch) as events:
                next(iter(events))
        count = watch.check(self.server.url())["checks"]
        watch.wait_checks(self.server.url(), count + 5)

    # ---- the schedule ----

    def test_no_check_overlaps_with_itself(self):
        self.server.routes["/slow"] = origin.slow(0.45)
        watch = self.watch("--every", "100ms", self.server.url("/slow"))
        watch.wait_checks(self.server.url("/slow"), 5)
        self.assertEqual(self.server.overlaps, 0)
        self.assertEqual(self.server.most_active, 1)

    def test_the_schedule_does_not_drift(self):
        self.server.routes["/some"] = origin.slow(0.05)
        watch = self.watch("--every", "200ms", self.server.url("/some"))
        watch.wait_checks(self.server.url("/some"), 25, 15)
        times = self.server.times("/some")
        # Most stand near a multiple of the period; with drift 3 in 10 would, by chance.
        off = [abs(when - times[0] - 0.2 * round((when - times[0]) / 0.2)) for when in times]
        self.assertGreater(sum(distance < 0.03 for distance in off), 0.6 * len(off), off)
        self.assertLessEqual(len(times), (times[-1] - times[0]) / 0.2 + 2)

    @peer.within(60)
    def test_two_hundred_endpoints_at_once(self):
        self.server.routes["/late"] = origin.slow(0.5)
        urls = [self.server.url(f"/late?{i}") for i in range(200)]
        watch = self.watch("--every", "2s", *urls)
        peer.wait_until(lambda: watch.api()["totals"]["up"] == 200, 15, "200 up")
        self.assertGreater(self.server.most_active, 10)
        self.assertEqual(self.server.overlaps, 0)

    def test_the_same_url_twice_is_one(self):
        watch = self.watch("--every", "1s", self.server.url(), self.server.url())
        self.assertEqual(len(watch.api()["checks"]), 1)

    # ---- what went wrong, in words ----

    def test_the_last_error_in_words(self):
        self.server.routes.update({"/short": origin.truncated, "/gzip": origin.bad_gzip,
                                   "/late": origin.slow(3), "/reset": origin.reset,
                                   "/loop": origin.redirect("/loop")})
        dead = f"http://127.0.0.1:{peer.free_port()}/"
        expected = {
            dead: ("connect_refused", "connection refused"),
            "http://no.such.host.invalid/": ("dns_nxdomain", "no such host"),
            self.server.url("/late"): ("timeout_total", r"(within|in|after|than) 0\.5 s"),
            self.server.url("/short"): ("body_truncated", "11 of 1000000 bytes"),
            self.server.url("/gzip"): ("body_broken", "gzip"),
            self.server.url("/missing"): ("http_4xx", "the server answered 404 Not Found"),
            self.server.url("/loop"): ("redirect_loop", "more than 10"),
        }
        watch = self.watch("--every", "1s", "--timeout", "500ms", *expected,
                           self.server.url("/reset"))
        for url, (name, words) in expected.items():
            with self.subTest(url):
                error = watch.wait(url, "down")["error"]
                self.assertEqual(error["class"], name)
                self.assertRegex(error["message"], words)
                self.assertIn(f"{url} is down: ", watch.output())
        error = watch.wait(self.server.url("/reset"), "down")["error"]
        self.assertIn(error["class"], {"read_reset", "disconnected"})

    def test_an_endpoint_recovers(self):
        self.server.routes["/flaky"] = origin.fails_first(3)
        url = self.server.url("/flaky")
        watch = self.watch("--every", "300ms", url)
        watch.wait(url, "down")
        check = watch.wait(url, "up")
        self.assertIsNone(check["error"])
        self.assertEqual(check["last_error"]["class"], "http_5xx")
        self.assertEqual((check["failures"], check["history"][:3]), (3, [None] * 3))
        peer.wait_until(lambda: f"{url} is up" in watch.output(), 5)

    def test_a_hostile_reason_does_not_reach_the_terminal(self):
        def answer(handler):
            handler.wfile.write(b"HTTP/1.1 500 \xffa\x9b2Jb\xc3\xa4\r\nContent-Length: 0\r\n\r\n")

        self.server.routes["/odd"] = answer
        url = self.server.url("/odd")
        watch = self.watch("--every", "200ms", url)
        message = watch.wait(url, "down")["error"]["message"]
        self.assertEqual(message, "the server answered 500 ?a?2Jbä")
        peer.wait_until(lambda: f"{url} is down: {message}" in watch.output(), 5)

    def test_a_password_is_shown_nowhere(self):
        url = f"http://me:s3cret@127.0.0.1:{peer.free_port()}/"
        watch = self.watch("--every", "200ms", "--db", self.db, url)
        watch.wait_checks(url.replace("s3cret", "***"), 2)
        for path in ("/api/checks", "/metrics"):
            with watch.open(path) as reply:
                self.assertNotIn("s3cret", reply.read().decode())
        time.sleep(1.2)
        watch.stop()
        self.assertNotIn("s3cret", watch.output())
        self.assertNotIn(b"s3cret", pathlib.Path(self.db).read_bytes())

    # ---- the history ----

    def test_a_restart_keeps_the_history(self):
        url = self.server.url()
        with watching.Watch("--every", "100ms", "--db", self.db, url) as watch:
            before = watch.wait_checks(url, 10)
        self.assertEqual(watch.status, 0, watch.output())
        with watching.Watch("--every", "60s", "--db", self.db, url) as watch:
            after = watch.wait(url, "up")
        self.assertGreaterEqual(after["checks"], before["checks"] + 1)
        self.assertEqual(after["first"], before["first"])
        self.assertEqual(after["history"][:10], before["history"][:10])
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o600)

    def test_the_default_place(self):
        env = {"XDG_DATA_HOME": str(self.folder / "data"), "HOME": str(self.folder)}
        command = [peer.build_path("rill"), "watch", "--listen", "127.0.0.1:{port}",
                   self.server.url()]
        with peer.Server(command, env=env):
            peer.wait_until((self.folder / "data/rill/watch.db").exists)

    def test_a_killed_process_leaves_a_good_file(self):
        url = self.server.url()
        with watching.Watch("--every", "50ms", "--db", self.db, url) as watch:
            watch.wait_checks(url, 30)
            os.kill(watch.pid, signal.SIGKILL)
            watch.process.wait()
        with watching.Watch("--every", "60s", "--db", self.db, url) as watch:
            self.assertGreater(watch.check(url)["checks"], 10)
            self.assertIsNone(watch.api()["trouble"])

    def test_the_history_is_there_from_the_first_answer_on(self):
        urls = [self.server.url(f"/ok?{i}") for i in range(50)]
        with watching.Watch("--every", "100ms", "--db", self.db, *urls) as watch:
            for url in urls:
                watch.wait_checks(url, 20)
        for _ in range(5):
            with watching.Watch("--every", "60s", "--db", self.db, *urls) as watch:
                self.assertTrue(all(check["checks"] >= 20 and len(check["history"]) >= 20
                                    for check in watch.api()["checks"]))

    def lock(self):
        lock = sqlite3.connect(self.db, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        return lock

    def goes_on(self, watch, url):
        count = watch.check(url)["checks"]
        watch.wait_checks(url, count + 5)

    @peer.within(60)
    def test_a_locked_database(self):
        url = self.server.url()
        watch = self.watch("--every", "100ms", "--db", self.db, url)
        watch.wait_checks(url, 2)
        peer.wait_until(pathlib.Path(self.db).exists)
        lock = self.lock()
        trouble = watch.wait_trouble("history is not being written")
        self.assertIn("another process is writing to it", trouble)
        self.assertIn(self.db, trouble)
        self.goes_on(watch, url)
        with watch.open("/metrics") as reply:
            self.assertIn("\nrill_watch_trouble 1\n", reply.read().decode())
        lock.execute("ROLLBACK")
        lock.close()
        watch.wait_trouble(None)
        self.assertEqual(watch.output().count("history is not being written"), 1)
        self.assertIn("works again", watch.output())
        count = watch.check(url)["checks"]
        watch.stop()
        with sqlite3.connect(self.db) as db:  # nothing was lost meanwhile
            self.assertGreaterEqual(db.execute("SELECT count(*) FROM results").fetchone()[0], count)
        db.close()

    @peer.within(90)
    def test_a_database_that_is_locked_for_long(self):
        urls = [self.server.url(f"/ok?{i}") for i in range(100)]
        watch = self.watch("--every", "50ms", "--db", self.db, *urls)
        watch.wait_checks(urls[0], 2)
        peer.wait_until(pathlib.Path(self.db).exists)
        lock = self.lock()
        watch.wait_trouble("results are lost", 60)
        self.goes_on(watch, urls[0])
        time.sleep(2.5)
        lock.close()
        watch.wait_trouble(None)
        said = watch.output()
        self.assertEqual(said.count("history is not being written"), 2)
        self.assertRegex(said, r"rill store: \d+ results were lost")

    @peer.within(60)
    def test_a_database_that_is_locked_from_the_start(self):
        url = self.server.url()
        with watching.Watch("--every", "100ms", "--db", self.db, url) as watch:
            before = watch.wait_checks(url, 5)["checks"]
        lock = self.lock()
        watch = self.watch("--every", "100ms", "--db", self.db, url, seconds=20)
        watch.wait_trouble("another process is writing to it")
        self.goes_on(watch, url)
        lock.close()
        watch.wait_trouble(None)
        watch.stop()
        with sqlite3.connect(self.db) as db:
            self.assertGreater(db.execute("SELECT count(*) FROM results").fetchone()[0], before)
        db.close()

    @peer.within(60)
    def test_a_full_disk(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root may mount a small disk")
        disk = self.folder / "disk"
        disk.mkdir()
        done = peer.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk])
        if done.returncode != 0:
            raise unittest.SkipTest("mounting is not allowed here")
        self.addCleanup(peer.run, ["umount", "--lazy", disk])
        url = self.server.url()
        watch = self.watch("--every", "100ms", "--db", str(disk / "watch.db"), url)
        peer.wait_until((disk / "watch.db").exists)
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        trouble = watch.wait_trouble("history is not being written", 40)
        self.assertIn("full", trouble)
        self.goes_on(watch, url)
        self.assertIn("full", watch.output())
        filler.unlink()
        watch.wait_trouble(None)

    def test_a_file_that_is_no_database(self):
        path = self.folder / "notes"
        path.write_text("these are my notes, keep them\n" * 100)
        url = self.server.url()
        watch = self.watch("--every", "100ms", "--db", str(path), url)
        watch.wait_trouble("history is not being written")
        self.goes_on(watch, url)
        self.assertTrue(path.read_text().startswith("these are my notes"))

    # ---- redis ----

    def subscribe(self, port):
        subscriber = socket.create_connection(("127.0.0.1", port), 10 * peer.SLOW)
        self.addCleanup(subscriber.close)
        subscriber.sendall(b"SUBSCRIBE rill:checks\r\n")
        lines = subscriber.makefile("rb")
        self.addCleanup(lines.close)
        return lines

    def next_message(self, lines):
        for line in lines:
            if line.startswith(b"{"):
                return json.loads(line)
        raise EOFError

    def ask(self, port, *words):
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"".join([b"*%d\r\n" % len(words), *(
                b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))]))
            with client.makefile("rb") as reply:
                return reply.read(int(reply.readline()[1:])).decode()

    def test_results_are_published(self):
        url = self.server.url()
        with peer.redis() as redis:
            lines = self.subscribe(redis.port)
            watch = self.watch("--every", "100ms", "--redis", redis.url.replace("http", "redis"),
                               url)
            seen = [self.next_message(lines) for _ in range(3)]
            self.assertEqual([message["checks"] for message in seen], [1, 2, 3])
            self.assertEqual(seen[0]["url"], url)
            kept = json.loads(self.ask(redis.port, "HGET", "rill:checks", url))
            self.assertEqual((kept["url"], kept["state"]), (url, "up"))
            self.assertIsNone(watch.api()["trouble"])

    @peer.within(60)
    def test_absent_redis_is_trouble_and_comes_back(self):
        port = peer.free_port()
        url = self.server.url()
        watch = self.watch("--every", "100ms", "--redis", f"redis://127.0.0.1:{port}", url)
        trouble = watch.wait_trouble("results are not being published")
        self.assertIn("connection refused", trouble)
        self.goes_on(watch, url)
        command = [peer.need("redis-server"), "--port", "{port}", "--bind", "127.0.0.1", "--save",
                   "", "--dir", "{dir}"]
        with peer.Server(command, port=port):
            watch.wait_trouble(None)
            self.assertEqual(self.next_message(self.subscribe(port))["url"], url)
        watch.wait_trouble("results are not being published")
        self.goes_on(watch, url)
        with peer.Server(command, port=port):
            watch.wait_trouble(None)

    def test_a_redis_password_is_not_shown(self):
        watch = self.watch("--every", "100ms", "--redis",
                           f"redis://me:s3cret@127.0.0.1:{peer.free_port()}", self.server.url())
        trouble = watch.wait_trouble("results are not being published")
        self.assertNotIn("s3cret", trouble + watch.output())

    # ---- starting and stopping ----

    def run_watch(self, *words):
        return peer.run([peer.build_path("rill"), "watch", "--no-db", *words])

    def test_a_port_that_is_in_use(self):
        done = self.run_watch("--listen", f"127.0.0.1:{self.server.port}", self.server.url())
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"127\.0\.0\.1:{self.server.port}: .*in use")
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_wrong_command_lines_are_named(self):
        for words, named in ((["--evry", "5s"], "--evry"), (["--every", "5x"], '"5x"'),
                             (["--listen", "nowhere"], "--listen"), (["http://[::1"], "[::1"),
                             (["ftp://x/"], "ftp"), (["--timeout", "0"], "--timeout"),
                             (["--redis", "bogus", "--no-db"], "--redis")):
            with self.subTest(words):
                done = self.run_watch(*words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(named, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_help(self):
        done = self.run_watch("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--every", "--timeout", "--listen", "--db", "--redis", "127.0.0.1:8080"):
            self.assertIn(word, done.stdout)

    def stops(self, watch, number):
        start = time.monotonic()
        watch.process.send_signal(number)
        self.assertEqual(watch.process.wait(10 * peer.SLOW), 0, watch.output())
        self.assertLess(time.monotonic() - start, 2 * peer.SLOW)
        watch.stop()

    def test_it_stops_promptly_in_the_middle_of_everything(self):
        self.server.routes["/late"] = origin.slow(5)
        for number in (signal.SIGTERM, signal.SIGINT):
            watch = watching.Watch("--every", "1s", "--db", self.db, self.server.url(),
                                   self.server.url("/late"))
            watch.wait(self.server.url(), "up")
            with watching.Events(watch) as events:
                next(iter(events))
                idle = socket.create_connection(("127.0.0.1", watch.port))
                self.stops(watch, number)
                idle.close()

    def test_the_last_results_are_stored(self):
        url = self.server.url()
        watch = watching.Watch("--every", "50ms", "--db", self.db, url)
        count = watch.wait_checks(url, 15)["checks"]
        self.stops(watch, signal.SIGTERM)
        with sqlite3.connect(self.db) as db:
            self.assertGreaterEqual(db.execute("SELECT count(*) FROM results").fetchone()[0], count)
        db.close()

    def test_a_free_port_is_announced(self):
        command = [peer.build_path("rill"), "watch", "--no-db", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            line = process.stderr.readline()
            process.terminate()
            process.communicate(timeout=10 * peer.SLOW)
        match = re.match(r"^watching 4 endpoints; the page is at http://127\.0\.0\.1:(\d+)/$", line)
        self.assertTrue(match, line)
        self.assertNotEqual(int(match[1]), 0)

    def test_many_pages_at_once(self):
        watch = self.watch("--every", "1s", self.server.url())
        failures = []

        def ask():
            try:
                for _ in range(20):
                    watch.api()
            except (OSError, ValueError) as error:
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    peer.main()
