"""The example programs, run against servers of this test, with the failures that they show."""
import http.server
import threading
import time
import urllib.request

import peer


class Pages(http.server.BaseHTTPRequestHandler):
    """/ok answers, /slow after a second, /short breaks off, /missing is not there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1)
        status = 404 if self.path == "/missing" else 200
        body = b"hello, page"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (5 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/short":
            self.close_connection = True

    def log_message(self, *_):
        pass


class Examples(peer.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        cls.server.daemon_threads = True
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = f"http://127.0.0.1:{cls.server.server_port}"
        cls.dead = f"http://127.0.0.1:{peer.free_port()}/"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def example(self, name, *args):
        done = peer.run([peer.build_path(f"examples/{name}"), *args])
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def test_gather_gives_each_url_its_size_or_its_error(self):
        done = self.example("gather", f"{self.url}/ok", self.dead, f"{self.url}/short")
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(lines[0], f"{self.url}/ok: 11 bytes")
        self.assertRegex(lines[1], r"^RILL_EREFUSED: .*127\.0\.0\.1.*refused")
        self.assertRegex(lines[2], r"^RILL_ETRUNCATED: .*/short")

    def test_cancel_tells_cancelled_from_too_slow_from_in_time(self):
        done = self.example("cancel", f"{self.url}/slow")
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(lines[0], r"^cancelled: .*the user went away")
        self.assertRegex(lines[1], r"^too slow: ")
        self.assertEqual(lines[2], "in time: 200")

    def test_webapp_counts_visits_and_stops_gracefully(self):
        with peer.redis() as redis:
            app = peer.Server([peer.build_path("examples/webapp"), "{port}",
                               f"redis://127.0.0.1:{redis.port}"])
            with app:
                with urllib.request.urlopen(f"{app.url}hello/J%C3%BCrgen") as reply:
                    self.assertIn("Hello, Jürgen, visit 1 ", reply.read().decode())
                with urllib.request.urlopen(f"{app.url}hello/x") as reply:
                    self.assertIn("visit 2 ", reply.read().decode())
            self.assertEqual(app.status, 0, app.output())

    def test_webapp_without_redis_says_so_and_does_not_start(self):
        done = self.example("webapp", str(peer.free_port()),
                            f"redis://127.0.0.1:{peer.free_port()}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"127\.0\.0\.1:\d+.*refused")

    def test_schedule_goes_on_after_failures(self):
        done = self.example("schedule", f"{self.url}/ok")
        self.assertEqual(done.stdout.splitlines()[-1], "0 of 5 failed, enough ticks", done.stderr)
        done = self.example("schedule", self.dead)
        self.assertEqual(done.stdout.splitlines()[-1], "5 of 5 failed, enough ticks", done.stderr)
        self.assertIn("refused", done.stdout)

    def hosted(self, name):
        if not (peer.BUILD_DIR / "examples" / name).exists():
            self.skipTest(f"{name} was not built: its package is not there")
        done = self.example(name, f"{self.url}/slow")
        status, ticks = done.stdout.splitlines()
        self.assertEqual((done.returncode, status), (0, "status 200, 11 bytes"), done.stderr)
        self.assertRegex(ticks, r"^([5-9]|1\d+) ticks meanwhile$")
        refused = self.example(name, self.dead)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"error: .*127\.0\.0\.1.*refused")

    def test_a_task_runs_inside_libuv(self):
        self.hosted("host_libuv")

    def test_a_task_runs_inside_glib(self):
        self.hosted("host_glib")

    def test_errors_are_told_apart(self):
        done = self.example("errors", f"{self.url}/ok", self.dead, "http://[::1/", "ftp://x/",
                            f"{self.url}/short", f"{self.url}/missing", "http://no.invalid/")
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(lines[0], "ok: 11 bytes")
        for line, code, advice in zip(lines[1:], [
                "RILL_EREFUSED", "RILL_EURL", "RILL_EURL_SCHEME", "RILL_ETRUNCATED",
                "RILL_ESTATUS", "RILL_EDNS"], [
                "is the server running?", "mend the URL", "mend the URL",
                "the answer came only in part", "tell the server's owner", "check the name"]):
            self.assertTrue(line.startswith(code) and line.endswith(f"({advice})"), line)


if __name__ == "__main__":
    peer.main()
