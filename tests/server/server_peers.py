"""Our server against clients that others wrote: curl, aiohttp and Node's fetch."""
import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import peer


def serve(*extra):
    return peer.Server([peer.build_path("tests/server/server_app"), "{port}", *extra])


def curl(*arguments, **options):
    done = peer.run([peer.need("curl"), "-sS", "--max-time", "15", *arguments], **options)
    if done.returncode != 0:
        raise AssertionError(f"curl {arguments}: {done.returncode}: {done.stderr}")
    return done.stdout


def certificate(folder):
    """A certificate for localhost that signs itself, and its key."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    done = peer.run([peer.need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                     "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                     "-keyout", key, "-out", cert])
    if done.returncode != 0:
        raise unittest.SkipTest("openssl makes no certificate")
    return cert, key


class Curl(peer.TestCase):
    def test_keep_alive(self):
        with serve() as server:
            done = peer.run([peer.need("curl"), "-sSv", server.url, server.url + "name/x"])
            self.assertEqual(done.stdout, "Hello, World!name=x path=/name/x")
            self.assertRegex(done.stderr, "Re-using existing connection")

    def test_head_and_options(self):
        with serve() as server:
            self.assertIn("Content-Length: 13", curl("-I", server.url))
            self.assertRegex(curl("-i", "-X", "OPTIONS", "--request-target", "*", server.url),
                             "(?s)200 OK.*Allow: ")

    def test_bodies(self):
        with serve() as server:
            echo = server.url + "echo"
            self.assertEqual(curl("-d", "a=b", echo), "a=b")
            self.assertEqual(curl("-H", "Transfer-Encoding: chunked", "-d", "hello" * 1000, echo),
                             "hello" * 1000)
            large = "x" * 1_000_000
            self.assertEqual(curl("--data-binary", "@-", echo, input=large), large)
            self.assertEqual(curl("-H", "Expect: 100-continue", "--data-binary", "@-",
                                  server.url + "count", input=large * 5), "5000000")
            self.assertEqual(curl("-0", "-d", "old", echo), "old")
            self.assertIn("413", curl("-i", "-d", "01234567890", server.url + "small"))

    def test_early_reply_to_an_upload(self):
        with serve() as server:
            self.assertIn("403", curl("-i", "--data-binary", "@-", server.url + "early",
                                      input="x" * 30_000_000))

    def test_ranges_and_conditions(self):
        with serve() as server:
            resource = server.url + "resource"
            self.assertEqual(curl("-r", "2-4", resource), "234")
            self.assertEqual(curl("-r", "-3", resource), "hij")
            parts = curl("-i", "-r", "0-1,10-11", resource)
            boundary = re.search(r"boundary=(\w+)", parts).group(1)
            self.assertEqual(parts.count(boundary), 4)
            self.assertRegex(parts, "Content-Length: (\\d+)")
            self.assertIn("304", curl("-i", "-H", 'If-None-Match: "v1"', resource))
            self.assertIn("304", curl("-i", "-z", "Sun, 06 Nov 1994 08:49:37 GMT", resource))

    def test_streams(self):
        with serve() as server:
            self.assertEqual(curl(server.url + "stream?n=5&size=1000&s=0.01"), "x" * 5000)
            self.assertEqual(curl("-0", server.url + "stream?n=5&size=1000"), "x" * 5000)
            self.assertEqual(len(curl(server.url + "large?size=20000000")), 20_000_000)
            cut = peer.run([peer.need("curl"), "-sS", server.url + "stream?n=1&size=5&length=6"])
            self.assertEqual(cut.returncode, 18)

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            with serve(cert, key) as server:
                url = server.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
                trust = ["--cacert", cert]
                self.assertEqual(curl(*trust, url), "Hello, World!")
                large = "x" * 1_000_000
                self.assertEqual(curl(*trust, "--data-binary", "@-", url + "echo", input=large),
                                 large)
                self.assertEqual(curl(*trust, url, url, url), "Hello, World!" * 3)
                self.assertEqual(len(curl(*trust, url + "large?size=20000000")), 20_000_000)
                self.assertEqual(curl(*trust, url + "stream?n=5&s=0.02"), "x" * 50)
                self.assertIn("403", curl(*trust, "-i", "--data-binary", "@-", url + "early",
                                          input="x" * 5_000_000))
                refused = peer.run([peer.need("curl"), "-sS", "-m", "5", url])
                self.assertEqual(refused.returncode, 60)
                self.assertIn("plain HTTP came where TLS", curl(server.url))
                self.assertEqual(curl(*trust, url), "Hello, World!")


    def test_tls_nonsense(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            with serve(cert, key) as server:
                for nonsense in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x00\x05hello":
                    with socket.create_connection(("127.0.0.1", server.port)) as client:
                        client.settimeout(5)
                        client.sendall(nonsense)
                        while client.recv(4096):  # an alert, then the end
                            pass
                context = ssl.create_default_context(cafile=cert)
                with socket.create_connection(("127.0.0.1", server.port)) as client:
                    with context.wrap_socket(client, server_hostname="localhost") as tls:
                        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
                        for byte in request * 3:
                            tls.send(bytes([byte]))
                        tls.send(request[:-2] + b"Connection: close\r\n\r\n")
                        reply = b""
                        while piece := tls.recv(4096):
                            reply += piece
                self.assertEqual(reply.count(b"Hello, World!"), 4)


class Aiohttp(peer.TestCase):
    def run_session(self, script, url):
        try:
            import aiohttp
        except ImportError:
            raise unittest.SkipTest("python3-aiohttp is not installed") from None

        async def main():
            async with aiohttp.ClientSession() as session:
                await script(session, url)

        asyncio.run(asyncio.wait_for(main(), 20 * peer.SLOW))

    def test_requests(self):
        async def script(session, url):
            async with session.get(url) as response:
                self.assertEqual(await response.text(), "Hello, World!")
            async with session.get(url + "about", params={"q": "ä&b"}) as response:
                self.assertIn("q=ä&b", await response.text())
            async with session.post(url + "json", json={"a": [1, "ü"]}) as response:
                self.assertEqual(await response.json(), {"a": [1, "ü"]})
            async with session.head(url) as response:
                self.assertEqual(response.content_length, 13)
            async with session.get(url + "nope") as response:
                self.assertEqual(response.status, 404)

        with serve() as server:
            self.run_session(script, server.url)

    def test_many_at_once(self):
        async def script(session, url):
            async def one(i):
                async with session.get(f"{url}name/{i}") as response:
                    return await response.text()

            replies = await asyncio.gather(*(one(i) for i in range(500)))
            self.assertEqual(replies, [f"name={i} path=/name/{i}" for i in range(500)])

        with serve() as server:
            self.run_session(script, server.url)

    def test_streams(self):
        async def pieces():
            for _ in range(20):
                yield b"x" * 50_000
                await asyncio.sleep(0.005)

        async def script(session, url):
            async with session.post(url + "count", data=pieces()) as response:
                self.assertEqual(await response.text(), "1000000")
            async with session.post(url + "count", data=b"y" * 10, expect100=True) as response:
                self.assertEqual(await response.text(), "10")
            async with session.get(url + "stream?n=100&size=10000") as response:
                total = 0
                async for piece in response.content.iter_any():
                    total += len(piece)
                self.assertEqual(total, 1_000_000)

        with serve() as server:
            self.run_session(script, server.url)


NODE = """
const url = process.argv[1];
const check = (ok, what) => { if (!ok) throw new Error(what); };
const text = async (path, options) => (await fetch(url + path, options)).text();
check(await text('') === 'Hello, World!', 'get');
const long = 'x'.repeat(200000);
check(await text('echo', { method: 'POST', body: long }) === long, 'post');
const json = await fetch(url + 'json', { method: 'POST', body: JSON.stringify({ a: 'ü' }) });
check(json.headers.get('content-type') === 'application/json', 'type');
check((await json.json()).a === 'ü', 'json');
const pause = () => new Promise(done => setTimeout(done, 5));
const body = new ReadableStream({ async start(to) {
    for (let i = 0; i < 10; i++) { to.enqueue(new Uint8Array(1000)); await pause(); }
    to.close();
} });
check(await text('count', { method: 'POST', body, duplex: 'half' }) === '10000', 'stream up');
check((await text('stream?n=50&size=1000')).length === 50000, 'stream down');
const all = await Promise.all(Array.from({ length: 200 }, (_, i) => text('name/' + i)));
check(all.every((reply, i) => reply === `name=${i} path=/name/${i}`), 'many');
const known = { headers: { 'If-None-Match': '"v1"' } };
check((await fetch(url + 'resource', known)).status === 304, '304');
console.log('fine');
"""


class Node(peer.TestCase):
    def test_fetch(self):
        with serve() as server:
            done = peer.run([peer.need("node"), "--input-type=module", "-e", NODE, server.url])
            self.assertEqual(done.stdout, "fine\n", done.stderr)


class Process(peer.TestCase):
    def test_stops_gracefully(self):
        for number in signal.SIGTERM, signal.SIGINT:
            server = serve()
            self.assertEqual(curl(server.url), "Hello, World!")
            with subprocess.Popen([peer.need("curl"), "-sS", server.url + "slow?s=0.7"],
                                  stdout=subprocess.PIPE, text=True) as slow:
                time.sleep(0.3)
                server.process.send_signal(number)
                self.assertEqual(slow.communicate()[0], "slept")
            self.assertEqual(server.process.wait(5 * peer.SLOW), 0)
            self.assertIn(f"listening on http://127.0.0.1:{server.port}\n", server.output())
            self.assertRegex(server.output(), r'"GET / HTTP/1.1" 200 13 0\.\d{6}\n')
            server.stop()

    def test_port_in_use(self):
        with serve() as server:
            done = peer.run([peer.build_path("tests/server/server_app"), str(server.port)])
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"error: listen 127.0.0.1:{server.port}: "
                                          "Address already in use\n")

    def test_bad_certificate(self):
        done = peer.run([peer.build_path("tests/server/server_app"), str(peer.free_port()),
                         "/nowhere/cert.pem", "/nowhere/key.pem"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/cert.pem", done.stderr)

    def test_descriptors_run_out(self):
        with serve() as server:
            limit = peer.run(["prlimit", f"--pid={server.pid}", "--nofile=40:40"])
            if limit.returncode != 0:
                raise unittest.SkipTest("prlimit is not installed")
            asyncio.run(self.exhaust(server.port))
            self.assertEqual(curl(server.url), "Hello, World!")
            used = open(f"/proc/{server.pid}/stat", encoding="ascii").read().split()
            self.assertLess(int(used[13]) + int(used[14]), 100)  # ticks: it did not spin

    async def exhaust(self, port):
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        await asyncio.sleep(0.5)
        for _, writer in pairs:
            writer.close()


if __name__ == "__main__":
    peer.main()
