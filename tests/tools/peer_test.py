#!/usr/bin/env python3
"""peer.py: servers start and stop, and the runner counts, limits and chooses."""
import os
import sys
import textwrap

import peer

SAMPLE = """
import time, unittest, peer
class Sample(peer.TestCase):
    def test_good(self): pass
    def test_bad(self): self.assertEqual(1, 2, "one is not two")
    def test_broken(self): raise ValueError("broken")
    def test_absent(self): peer.need("no-such-program")
    @peer.within(0.2)
    def test_late(self): time.sleep(60)
    def test_many(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
peer.main()
"""


def run_sample(*words):
    env = {**os.environ, "PYTHONPATH": os.path.dirname(peer.__file__), "RILL_TEST_SLOW": "1"}
    return peer.run([sys.executable, "-c", SAMPLE, *words], env=env)


class Runner(peer.TestCase):
    def test_counts_every_kind(self):
        done = run_sample()
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 4 failed, 1 skipped")
        self.assertEqual(done.returncode, 1)
        for text in ("one is not two", "ValueError: broken", "no end within 0 s",
                     "no-such-program is not installed", "(i=1)"):
            self.assertIn(text, done.stdout)

    def test_chooses_by_name(self):
        done = run_sample("good")
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 0 failed, 0 skipped")
        self.assertEqual(done.returncode, 0)

    def test_lists(self):
        self.assertIn("Sample.test_bad\n", run_sample("-l").stdout)


class Servers(peer.TestCase):
    COMMAND = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", "{dir}",
               "{port}"]

    def test_starts_and_stops(self):
        with peer.Server(self.COMMAND, files={"page": "port {port}"}) as server:
            page = peer.run(["curl", "-s", server.url + "page"])
            self.assertEqual(page.stdout, f"port {server.port}")
            self.assertIn("GET /page", server.output())
        self.assertFalse(peer.accepts(server.port))
        self.assertFalse(os.path.exists(server.dir))
        self.assertIn("GET /page", server.output())

    def test_says_why_it_did_not_start(self):
        with self.assertRaisesRegex(RuntimeError, "(?s)status 3.*no luck"):
            peer.Server([sys.executable, "-c", "import sys; print('no luck'); sys.exit(3)"])

    def test_gives_up_waiting(self):
        with self.assertRaises(TimeoutError):
            peer.Server(["sleep", "60"], seconds=0.2)

    def test_kills_what_does_not_end(self):
        stubborn = textwrap.dedent("""
            import signal, socket, sys, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            time.sleep(60)""")
        server = peer.Server([sys.executable, "-c", stubborn, "{port}"])
        self.assertEqual(server.stop(seconds=0.2), -9)

    def test_nginx_answers(self):
        with peer.nginx("location / { return 200 'hello'; }") as server:
            self.assertEqual(peer.run(["curl", "-s", server.url]).stdout, "hello")

    def test_redis_answers(self):
        with peer.redis() as server:
            answer = peer.run([peer.need("redis-cli"), "-p", str(server.port), "ping"])
            self.assertEqual(answer.stdout, "PONG\n")


if __name__ == "__main__":
    peer.main()
