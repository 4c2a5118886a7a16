"""The client against real servers: nginx and Python's aiohttp."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import zlib

import peer


def probe(*words, seconds=20.0):
    """Runs the client; its lines, in the order in which the fetches ended."""
    done = peer.run([peer.build_path("tests/client/client_probe"), *map(str, words)],
                    seconds=seconds)
    if done.returncode != 0:
        raise AssertionError(f"the probe ended with {done.returncode}: {done.stderr}{done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def probe_one(*words):
    (line,) = probe(*words)
    return line


class Nginx(peer.TestCase):
    """Files, coded and chunked bodies, redirects, and connections that are kept."""

    def setUp(self):
        self.server = self.enterContext_(peer.nginx(
            """
            root {dir}/files; default_type text/plain; keepalive_requests 100000;
            location = / { return 200 'hello'; }
            location = /close { keepalive_timeout 0; return 200 'bye'; }
            location = /missing { return 404 'nothing here'; }
            location = /old { return 301 /new; }
            location = /new { return 200 'moved'; }
            location = /loop { return 302 /loop; }
            location = /elsewhere { return 302 ftp://127.0.0.1/; }
            location = /echo { return 200 '$request_method $http_x_probe'; }
            location /coded/ { alias {dir}/files/; gzip on; gzip_min_length 1; gzip_types *; }
            location = /late { keepalive_timeout 1s; return 200 'soon gone'; }
            """))
        files = pathlib.Path(self.server.dir, "files")
        files.mkdir()
        self.text = ("line of text\n" * 20000).encode()
        self.big = os.urandom(20_000_000)
        (files / "text.txt").write_bytes(self.text)
        (files / "big.bin").write_bytes(self.big)
        (files / "empty.txt").write_bytes(b"")

    def enterContext_(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def url(self, path):
        return self.server.url + path

    def test_get(self):
        line = probe_one(self.url(""))
        self.assertEqual((line["status"], line["text"], line["type"]), (200, "hello", "text/plain"))

    def test_head(self):
        line = probe_one("-X", "HEAD", self.url("text.txt"))
        self.assertEqual((line["status"], line["length"]), (200, 0))

    def test_status(self):
        line = probe_one(self.url("missing"))
        self.assertEqual((line["status"], line["text"]), (404, "nothing here"))

    def test_keep_alive(self):
        lines = probe("-n", 500, self.url(""), self.url("text.txt"), self.url("empty.txt"))
        self.assertEqual({line["status"] for line in lines}, {200})
        self.assertEqual(sum(line["connected"] for line in lines), 1)

    def test_many_at_once(self):
        lines = probe("-n", 300, "-j", 50, self.url(""), self.url("coded/text.txt"))
        self.assertEqual(len(lines), 600)
        self.assertEqual({line["status"] for line in lines}, {200})
        self.assertLessEqual(sum(line["connected"] for line in lines), 50)

    def test_closing_server(self):
        lines = probe("-n", 20, self.url("close"))
        self.assertEqual({line["text"] for line in lines}, {"bye"})
        self.assertEqual(sum(line["connected"] for line in lines), 20)

    def test_big_file(self):
        line = probe_one(self.url("big.bin"))
        self.assertEqual(line["length"], len(self.big))
        self.assertEqual(line["crc"], zlib.crc32(self.big))

    def test_gzip(self):
        for line in probe("-n", 2, self.url("coded/text.txt")):
            self.assertEqual(line["length"], len(self.text))
            self.assertEqual(line["crc"], zlib.crc32(self.text))

    def test_redirect(self):
        line = probe_one(self.url("old"))
        self.assertEqual((line["text"], line["redirects"]), ("moved", 1))
        self.assertEqual(line["url"], self.url("new"))

    def test_redirect_errors(self):
        line = probe_one(self.url("loop"))
        self.assertEqual(line["code"], "RILL_EREDIRECTS")
        self.assertEqual(line["where"], self.url("loop"))
        self.assertEqual(probe_one(self.url("elsewhere"))["code"], "RILL_EREDIRECT_SCHEME")

    def test_header_and_method(self):
        line = probe_one("-X", "PUT", "-H", "X-Probe:yes", "-d", "body", self.url("echo"))
        self.assertEqual(line["text"], "PUT yes")

    def test_stopped_server(self):
        self.server.stop()
        line = probe_one(self.url(""))
        self.assertEqual(line["code"], "RILL_EREFUSED")
        self.assertIn(f"GET {self.url('')}: connect 127.0.0.1:", line["message"])


def openssl(folder, *words):
    subprocess.run([peer.need("openssl"), *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """A test CA, and certificates by it: good, expired, and for another host."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj",
            "/CN=Test CA")
    for name, host, begin, end in [("good", "DNS:localhost,IP:127.0.0.1", "20200101", "20491231"),
                                   ("expired", "DNS:localhost,IP:127.0.0.1", "20200101",
                                    "20200201"),
                                   ("other", "DNS:other.example", "20200101", "20491231")]:
        pathlib.Path(folder, f"{name}.ext").write_text(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n"
            "default_md = sha256\npolicy = p\nunique_subject = no\nrand_serial = yes\n[p]\n"
            f"[x]\nsubjectAltName = {host}\n", encoding="ascii")
        pathlib.Path(folder, "index").write_text("", encoding="ascii")
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/")
        openssl(folder, "ca", "-batch", "-config", f"{name}.ext", "-extensions", "x", "-cert",
                "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.pem",
                "-notext", "-startdate", f"{begin}000000Z", "-enddate", f"{end}000000Z")


class Tls(peer.TestCase):
    """nginx over TLS, with a CA of our own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rill-ca-")
        make_certificates(cls.folder.name)
        cls.ca = os.path.join(cls.folder.name, "ca.pem")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def serve(self, certificate):
        stem = os.path.join(self.folder.name, certificate)
        server = peer.nginx(f"""
            ssl_certificate {stem}.pem; ssl_certificate_key {stem}.key;
            ssl_protocols TLSv1.2 TLSv1.3;
            location = / {{ return 200 '$ssl_protocol $ssl_alpn_protocol'; }}
            location = /old {{ return 302 https://localhost:{{port}}/; }}
            """, tls=True)
        self.addCleanup(server.stop)
        return server

    def test_good(self):
        server = self.serve("good")
        for host in ("localhost", "127.0.0.1"):
            lines = probe("-c", self.ca, "-n", 5, f"https://{host}:{server.port}/")
            self.assertEqual({line.get("text") for line in lines}, {"TLSv1.3 http/1.1"}, lines)
            self.assertEqual(sum(line["connected"] for line in lines), 1)

    def test_redirect(self):
        server = self.serve("good")
        line = probe_one("-c", self.ca, f"https://127.0.0.1:{server.port}/old")
        self.assertEqual(line.get("url"), f"https://localhost:{server.port}/", line)

    def refuse(self, certificate, code, *words):
        server = self.serve(certificate)
        url = f"https://localhost:{server.port}/"
        line = probe_one(*words, url)
        self.assertEqual(line.get("code"), code, line)
        self.assertIn(f"GET {url}: ", line["message"])
        self.assertEqual(line["where"], url)

    def test_unknown_root(self):
        self.refuse("good", "RILL_ECERTIFICATE")

    def test_expired(self):
        self.refuse("expired", "RILL_ECERTIFICATE_EXPIRED", "-c", self.ca)

    def test_other_host(self):
        self.refuse("other", "RILL_ECERTIFICATE_HOST", "-c", self.ca)

    def test_plain_server(self):
        with peer.nginx("location = / { return 200 'plain'; }") as server:
            line = probe_one("-c", self.ca, f"https://127.0.0.1:{server.port}/")
            self.assertEqual(line.get("code"), "RILL_ETLS", line)


AIOHTTP = r"""
import asyncio, sys
from aiohttp import web

async def hello(request):
    return web.Response(text="hello " + request.query.get("name", ""))

async def echo(request):
    return web.Response(body=await request.read(), content_type=request.content_type)

async def stream(request):
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    if "coded" in request.query:
        response.enable_compression()
    await response.prepare(request)
    for i in range(1000):
        await response.write(b"chunk %d\n" % i)
    await response.write_eof()
    return response

async def cut(request):
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(b"half of it")
    request.transport.abort() if "abort" in request.query else request.transport.close()
    return response

async def slow(request):
    await asyncio.sleep(20)

async def see_other(request):
    raise web.HTTPSeeOther("/?name=" + request.method)

app = web.Application()
app.router.add_get("/", hello)
app.router.add_route("*", "/echo", echo)
app.router.add_get("/stream", stream)
app.router.add_get("/cut", cut)
app.router.add_get("/slow", slow)
app.router.add_post("/other", see_other)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, keepalive_timeout=60)
"""


class Aiohttp(peer.TestCase):
    """Python's aiohttp server."""

    def setUp(self):
        has = subprocess.run(["/usr/bin/python3", "-c", "import aiohttp"], capture_output=True,
                             check=False)
        if has.returncode != 0:
            raise unittest.SkipTest("python3-aiohttp is not installed")
        self.server = peer.Server(["/usr/bin/python3", "{dir}/app.py", "{port}"],
                                  files={"app.py": AIOHTTP})
        self.addCleanup(self.server.stop)

    def url(self, path):
        return self.server.url + path

    def test_get(self):
        line = probe_one(self.url("?name=w%C3%B6rld"))
        self.assertEqual((line["status"], line["text"]), (200, "hello wörld"))

    def test_many_at_once(self):
        lines = probe("-n", 200, "-j", 20, self.url("?name=x"))
        self.assertEqual({line.get("text") for line in lines}, {"hello x"})
        self.assertLessEqual(sum(line["connected"] for line in lines), 20)

    def test_post(self):
        line = probe_one("-X", "POST", "-d", "some bytes" * 10000, self.url("echo"))
        self.assertEqual(line["length"], 100000)
        self.assertEqual(line["crc"], zlib.crc32(b"some bytes" * 10000))
        self.assertEqual(line["type"], "application/octet-stream")

    def test_stream(self):
        whole = b"".join(b"chunk %d\n" % i for i in range(1000))
        for path in ("stream", "stream?coded"):
            for line in probe("-n", 3, self.url(path)):
                self.assertEqual(line.get("crc"), zlib.crc32(whole), line)

    def test_see_other(self):
        line = probe_one("-X", "POST", "-d", "x", self.url("other"))
        self.assertEqual((line.get("text"), line.get("redirects")), ("hello POST", 1))

    def test_cut_body(self):
        line = probe_one(self.url("cut"))
        self.assertEqual(line.get("code"), "RILL_ETRUNCATED", line)
        self.assertIn(f"GET {self.url('cut')}: reading the body: ", line["message"])
        self.assertIn(probe_one(self.url("cut?abort")).get("code"),
                      ("RILL_ETRUNCATED", "RILL_ERESET"))

    def test_timeout(self):
        line = probe_one("-t", 0.3, self.url("slow"))
        self.assertEqual(line.get("code"), "RILL_ETOTAL_TIMEOUT", line)
        self.assertIn("waiting for the answer: not done within 0.3 s", line["message"])

    def test_killed_server(self):
        self.server.stop()
        self.assertEqual(probe_one(self.url("")).get("code"), "RILL_EREFUSED")


if __name__ == "__main__":
    peer.main()
