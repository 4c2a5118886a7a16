#!/usr/bin/env python3
"""`rill get`, run as a user runs it, against a server of this test."""
import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import subprocess
import tempfile
import time

import origin
import peer

LINE = re.compile(r"^(\d{3}|---)  (.*?) +(\d+) ms  (\S+)(?:  (.*))?$")
RESULT_FIELDS = {"v", "t", "i", "url", "final_url", "ok", "attempts", "status", "bytes", "file",
                 "redirects", "time_ms", "error"}
SUMMARY_FIELDS = {"v", "t", "urls", "ok", "failed", "bytes", "time_ms"}


class Get(peer.TestCase):
    def setUp(self):
        self.server = origin.Origin()
        self.addCleanup(self.server.close)
        folder = tempfile.TemporaryDirectory(prefix="rill-get-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.dead = f"http://127.0.0.1:{peer.free_port()}/"

    def get(self, *words, **options):
        done = peer.run([peer.build_path("rill"), "get", *words], cwd=self.folder, **options)
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def lines(self, done):
        found = {}
        for line in done.stdout.splitlines():
            match = LINE.match(line)
            self.assertTrue(match, f"not as documented: {line!r}")
            found[match[4]] = match
        return found

    def objects(self, done):
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        return objects[:-1], objects[-1]

    # ---- what is printed, and the exit status ----

    def test_all_good(self):
        urls = [self.server.url(f"/ok?{i}") for i in range(50)]
        done = self.get(*urls)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = self.lines(done)
        self.assertEqual(set(lines), set(urls))
        self.assertTrue(all(match[1] == "200" and match[2].strip() == "11 B"
                            for match in lines.values()), done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.server.methods(), {"GET"})

    def test_some_failed(self):
        done = self.get(self.server.url(), self.dead, self.server.url("/missing"), "-r0")
        self.assertEqual(done.returncode, 3, done.stderr)
        lines = self.lines(done)
        self.assertEqual(lines[self.dead][2], "connect_refused")
        self.assertIn("connection refused", lines[self.dead][5])
        self.assertEqual(lines[self.server.url("/missing")][1], "404")

    def test_all_failed(self):
        done = self.get(self.dead, self.server.url("/missing"), "-r0")
        self.assertEqual(done.returncode, 4, done.stderr)

    def test_quiet_prints_failures_only(self):
        done = self.get("-q", "-r0", self.server.url(), self.dead)
        self.assertEqual(list(self.lines(done)), [self.dead])

    def test_each_failure_has_its_class_and_names_its_url(self):
        self.server.routes.update({
            "/short": origin.truncated, "/gzip": origin.bad_gzip, "/late": origin.slow(5),
            "/reset": origin.reset, "/loop": origin.redirect("/loop"),
            "/ftp": origin.redirect("ftp://127.0.0.1/x"), "/down": origin.text(b"", 503),
            "/nonsense": lambda handler: handler.wfile.write(b"HTTP/1.1 twohundred\r\n\r\n"),
        })
        expected = {
            self.dead: "connect_refused", "http://no.such.host.invalid/": "dns_nxdomain",
            "http://[::1/": "url_invalid", "ftp://127.0.0.1/": "url_scheme",
            self.server.url("/short"): "body_truncated", self.server.url("/gzip"): "body_broken",
            self.server.url("/late"): "timeout_total", self.server.url("/loop"): "redirect_loop",
            self.server.url("/ftp"): "redirect_invalid", self.server.url("/down"): "http_5xx",
            self.server.url("/missing"): "http_4xx", self.server.url("/nonsense"): "protocol",
        }
        done = self.get("--json", "-r0", "-t1", *expected, self.server.url("/reset"))
        results, summary = self.objects(done)
        self.assertEqual(done.returncode, 4)
        self.assertEqual(summary["failed"], len(expected) + 1)
        for result in results:
            with self.subTest(result["url"]):
                error = result["error"]
                if result["url"] in expected:
                    self.assertEqual(error["class"], expected[result["url"]], error)
                else:
                    self.assertIn(error["class"], {"read_reset", "disconnected"})
                self.assertRegex(error["code"], r"^RILL_E[A-Z_]+$")
                if not error["class"].startswith("http_"):
                    self.assertIn(result["url"], error["message"])

    def certificate(self, name, *words):
        files = [str(self.folder / f"{name}.{kind}") for kind in ("pem", "key")]
        done = peer.run([peer.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                         "-subj", f"/CN={name}", "-out", files[0], "-keyout", files[1], *words])
        self.assertEqual(done.returncode, 0, done.stderr)
        return files

    def secure(self, files):
        server = origin.Origin(files)
        self.addCleanup(server.close)
        return f"https://localhost:{server.port}/ok"

    def test_certificates(self):
        good = self.certificate("localhost", "-addext", "subjectAltName=DNS:localhost")
        other = self.certificate("other", "-addext", "subjectAltName=DNS:other.test")
        url = self.secure(good)
        for trusted, asked, name in ((None, url, "tls_untrusted"), (good, url, None),
                                     (other, self.secure(other), "tls_host")):
            env = {**os.environ, "SSL_CERT_FILE": trusted[0]} if trusted else None
            results, _ = self.objects(self.get("-j", "-r0", asked, env=env))
            error = results[0]["error"]
            self.assertEqual(error and error["class"], name, error)
        results, _ = self.objects(self.get("-j", "-r0", url.replace("https", "http")))
        self.assertFalse(results[0]["ok"])
        results, _ = self.objects(self.get("-j", "-r0", self.server.url().replace("http", "https")))
        self.assertEqual(results[0]["error"]["class"], "tls_other")

    def test_redirects_are_followed_and_told(self):
        self.server.routes["/from"] = origin.redirect("/ok")
        results, _ = self.objects(self.get("-j", self.server.url("/from")))
        self.assertEqual(results[0]["final_url"], self.server.url())
        self.assertEqual(results[0]["redirects"], 1)

    # ---- JSON ----

    def test_json_has_the_fields(self):
        done = self.get("--json", "-r0", self.server.url(), self.dead)
        results, summary = self.objects(done)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(results), 2)
        for result in results:
            self.assertEqual(set(result), RESULT_FIELDS)
            self.assertEqual(set(result["time_ms"]), {"queue", "connect", "wait", "total"})
        good, bad = sorted(results, key=lambda result: result["i"])
        self.assertEqual((good["v"], good["t"], good["i"], good["ok"]), (1, "result", 0, True))
        self.assertEqual((good["status"], good["bytes"], good["attempts"]), (200, 11, 1))
        self.assertIsNone(good["error"])
        self.assertGreater(good["time_ms"]["total"], 0)
        self.assertEqual((bad["ok"], bad["status"], bad["bytes"]), (False, None, 0))
        self.assertEqual(set(bad["error"]), {"class", "code", "message"})
        self.assertEqual(bad["error"]["code"], "RILL_EREFUSED")
        self.assertEqual(set(summary), SUMMARY_FIELDS)
        self.assertEqual((summary["t"], summary["urls"], summary["ok"], summary["failed"]),
                         ("summary", 2, 1, 1))

    def test_json_of_a_url_that_is_no_utf8(self):
        url = os.fsencode(self.server.url("/ok?")) + b"\xff\x01"
        results, _ = self.objects(self.get("-j", url))
        self.assertEqual(results[0]["url"], self.server.url("/ok???"))

    # ---- where URLs come from ----

    def test_urls_from_files_and_stdin(self):
        (self.folder / "list").write_text(f"# mine\n{self.server.url('/ok?1')}\n\n"
                                          f"127.0.0.1:{self.server.port}/ok?2\r\n")
        done = self.get("-i", "list", "-", input=self.server.url("/ok?3") + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(self.lines(done)), {self.server.url(f"/ok?{i}") for i in (1, 2, 3)})

    def test_an_input_that_is_not_there(self):
        done = self.get("-i", "nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "rill get: nowhere: No such file or directory\n")

    # ---- wrong command lines ----

    def test_wrong_command_lines_are_named(self):
        url = self.server.url()
        for words, named in (
                (["--retires", "3", url], "--retires"), (["--limit", "0", url], "--limit"),
                (["--timeout", "soon", url], '"soon"'), (["-x", url], "-x"),
                (["--limit"], "--limit"), ([], "no URL given"), (["--json=yes", url], "--json"),
                (["-o", "{nmae}", url], "--output")):
            with self.subTest(words):
                done = self.get(*words)
                self.assertEqual(done.returncode, 2)
                self.assertIn(named, done.stderr)
                self.assertTrue(done.stderr.startswith("rill get: "), done.stderr)
                self.assertEqual(done.stdout, "")
        self.assertEqual(self.server.requests, [])

    def test_help_and_versions(self):
        rill = peer.build_path("rill")
        done = peer.run([rill, "--help"])
        self.assertEqual(done.returncode, 0)
        self.assertIn("watch", done.stdout)
        self.assertRegex(peer.run([rill, "--version"]).stdout, r"^rill \d+\.\d+\.\d+\n$")
        done = self.get("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--limit", "--timeout", "--retries", "--json", "--output", "--input"):
            self.assertIn(word, done.stdout)
        done = peer.run([rill])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage: rill", done.stderr)

    def test_a_misspelt_command(self):
        done = peer.run([peer.build_path("rill"), "gte", self.dead])
        self.assertEqual(done.returncode, 2)
        self.assertIn('"gte" (did you mean get?)', done.stderr)

    # ---- how it fetches ----

    def test_limit_limits(self):
        self.server.routes["/late"] = origin.slow(0.1)
        urls = [self.server.url(f"/late?{i}") for i in range(12)]
        self.assertEqual(self.get("--limit", "3", *urls).returncode, 0)
        self.assertEqual(self.server.most_active, 3)
        start = time.monotonic()
        self.assertEqual(self.get(*urls).returncode, 0)
        self.assertEqual(self.server.most_active, 12)
        self.assertLess(time.monotonic() - start, 1 * peer.SLOW)

    def test_timeout_covers_the_body(self):
        def drip(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(100):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)

        self.server.routes["/drip"] = drip
        start = time.monotonic()
        done = self.get("-t", "300ms", "-r0", self.server.url("/drip"))
        self.assertEqual(done.returncode, 4)
        self.assertIn("timeout_total", done.stdout)
        self.assertLess(time.monotonic() - start, 2 * peer.SLOW)

    def test_retries(self):
        self.server.routes["/flaky"] = origin.fails_first(2)
        results, _ = self.objects(self.get("-j", "--retries", "2", self.server.url("/flaky")))
        self.assertEqual((results[0]["ok"], results[0]["attempts"]), (True, 3))
        self.assertEqual(self.server.count("/flaky"), 3)
        gaps = [b - a for a, b in zip(self.server.times("/flaky"),
                                      self.server.times("/flaky")[1:])]
        self.assertTrue(all(gap > 0.1 for gap in gaps), gaps)
        self.server.routes["/worse"] = origin.fails_first(2)
        done = self.get("-r1", self.server.url("/worse"))
        self.assertEqual((done.returncode, self.server.count("/worse")), (4, 2))
        self.server.routes["/worst"] = origin.fails_first(1)
        done = self.get("-r0", self.server.url("/worst"))
        self.assertEqual((done.returncode, self.server.count("/worst")), (4, 1))

    def test_what_will_not_change_is_not_tried_again(self):
        self.server.routes["/gzip"] = origin.bad_gzip
        self.get("-r5", self.server.url("/missing"), self.server.url("/gzip"))
        self.assertEqual(self.server.count("/missing"), 1)
        self.assertEqual(self.server.count("/gzip"), 1)

    def test_retry_after_is_heeded(self):
        answers = [origin.text(b"", 429, Retry_After="1"), origin.text()]
        self.server.routes["/busy"] = lambda handler: answers.pop(0)(handler)
        self.assertEqual(self.get(self.server.url("/busy")).returncode, 0)
        first, second = self.server.times("/busy")
        self.assertGreaterEqual(second - first, 1.0)

    # ---- bodies ----

    def test_bodies_are_saved(self):
        self.server.routes.update({"/a/x.txt": origin.text(b"a"), "/b/x.txt": origin.text(b"b")})
        done = self.get("-o", "out/{host}/{path}", self.server.url("/a/x.txt"),
                        self.server.url("/b/x.txt"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  -> out/127.0.0.1/a/x.txt", done.stdout)
        self.assertEqual((self.folder / "out/127.0.0.1/a/x.txt").read_bytes(), b"a")
        self.assertEqual((self.folder / "out/127.0.0.1/b/x.txt").read_bytes(), b"b")
        self.get("-o", "{name}", self.server.url("/a/x.txt"), self.server.url("/b/x.txt"))
        self.assertEqual((self.folder / "x.txt").read_bytes(), b"a")
        self.assertEqual((self.folder / "x+2.txt").read_bytes(), b"b")

    def test_a_large_body_is_saved_whole(self):
        body = os.urandom(3 << 20)
        self.server.routes["/large"] = origin.text(body)
        self.assertEqual(self.get("-o", "{name}", self.server.url("/large")).returncode, 0)
        self.assertEqual((self.folder / "large").read_bytes(), body)

    def test_what_is_not_whole_leaves_nothing_behind(self):
        self.server.routes["/short"] = origin.truncated
        (self.folder / "old").write_text("old")
        done = self.get("-r0", "-o", "old", self.server.url("/short"))
        self.assertEqual(done.returncode, 4)
        done = self.get("-r0", "-o", "{name}", self.server.url("/short"),
                        self.server.url("/missing"))
        self.assertEqual(done.returncode, 4)
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["old"])
        self.assertEqual((self.folder / "old").read_text(), "old")

    def test_bodies_on_standard_output(self):
        self.server.routes.update({"/a": origin.text(b"first\n"), "/b": origin.text(b"second\n")})
        done = self.get("-o", "-", self.server.url("/a"), self.server.url("/b"))
        self.assertEqual(done.stdout, "first\nsecond\n")
        self.assertEqual(len(done.stderr.splitlines()), 2)

    def test_half_a_body_on_standard_output_is_not_printed_again(self):
        self.server.routes["/short"] = origin.truncated
        done = self.get("-r3", "-o", "-", self.server.url("/short"))
        self.assertEqual((done.returncode, done.stdout), (4, "half a body"))

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("in the way")
        done = self.get("-r0", "-o", "file/{n}", self.server.url())
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stdout, r"---  io .* file/?.*: (Not a directory|File exists)")

    def test_a_full_disk_is_no_success(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = self.get(self.server.url(), capture_output=False, stdout=full,
                            stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("write the results: No space left on device", done.stderr)

    # ---- the terminal ----

    def on_terminal(self, *words):
        """Runs it with a terminal for stderr; returns what that showed, and the exit status."""
        ours, its = pty.openpty()
        with subprocess.Popen([peer.build_path("rill"), "get", *words], stdout=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, stderr=its) as process:
            os.close(its)
            shown = b""
            while select.select([ours], [], [], 20 * peer.SLOW)[0]:
                try:
                    shown += os.read(ours, 4096)
                except OSError:
                    break
            status = process.wait(20 * peer.SLOW)
        os.close(ours)
        return shown.decode(), status

    def test_progress_on_a_terminal_only(self):
        self.server.routes["/late"] = origin.slow(0.5)
        shown, status = self.on_terminal(self.server.url("/late"), self.server.url())
        self.assertEqual(status, 0)
        self.assertIn("1 of 2 done, 0 failed, 11 B", shown)
        self.assertTrue(shown.endswith("\r\033[K"), repr(shown))
        shown, _ = self.on_terminal("-q", self.server.url("/late"))
        self.assertEqual(shown, "")
        self.assertEqual(self.get(self.server.url("/late")).stderr, "")

    def test_interrupted(self):
        self.server.routes["/late"] = origin.slow(20)
        with subprocess.Popen([peer.build_path("rill"), "get", "-j", "-o", "{n}",
                               self.server.url("/late"), self.server.url()], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            peer.wait_until(lambda: (self.folder / "2").exists() and self.server.count("/late"))
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=10 * peer.SLOW)
        self.assertEqual(process.returncode, 130)
        self.assertLess(time.monotonic() - start, 2 * peer.SLOW)
        result, summary = map(json.loads, out.splitlines())
        self.assertEqual((result["i"], result["file"]), (1, "2"))
        self.assertEqual((summary["urls"], summary["ok"], summary["failed"]), (2, 1, 0))
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["2"])

    def test_few_descriptors(self):
        self.server.routes["/late"] = origin.slow(0.1)
        urls = "".join(self.server.url(f"/late?{i}") + "\n" for i in range(150))
        for limits in ((64, 1024), (64, 64)):
            done = self.get("-", "--limit", "150", "-r0", "-o", "{n}", input=urls,
                            preexec_fn=lambda limits=limits: resource.setrlimit(
                                resource.RLIMIT_NOFILE, limits))
            self.assertEqual(done.returncode, 0, done.stdout)

    @peer.within(60)
    def test_a_thousand_urls(self):
        urls = "".join(self.server.url(f"/ok?{i}") + "\n" for i in range(1000))
        done = self.get("-", "--limit", "200", input=urls, seconds=50)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:])
        self.assertEqual(len(done.stdout.splitlines()), 1000)


if __name__ == "__main__":
    peer.main()
