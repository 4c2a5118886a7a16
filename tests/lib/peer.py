"""For test programs in Python: server processes on free ports, and a small runner on unittest.

    import peer

    class Fetch(peer.TestCase):
        def test_get(self):
            with peer.nginx("location / { return 200 'hello'; }") as server:
                peer.run([peer.build_path("rill"), "get", server.url])

    if __name__ == "__main__":
        peer.main()

Run it with words for the tests whose names contain one of them, with -l to list them. Every test
has a time limit (30 s; `@peer.within(60)` for another), longer when RILL_TEST_SLOW says so. The
last line is "N passed, N failed, N skipped", and the exit status 1 when one failed.
"""
import contextlib
import ctypes
import faulthandler
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
BUILD_DIR = pathlib.Path(os.environ.get("RILL_BUILD_DIR", SOURCE_DIR / "build"))
SLOW = float(os.environ.get("RILL_TEST_SLOW") or 1)  # sanitizers and valgrind take longer
LIMIT = 30.0
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class TestCase(unittest.TestCase):
    """unittest's, with longer texts in its failures."""

    maxDiff = 4000


def within(seconds):
    """Gives a test (or all of a class) another time limit."""

    def mark(test):
        test.limit = seconds
        return test

    return mark


def need(program):
    """The path of a program; skips the test when it is not there."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise unittest.SkipTest(f"{program} is not installed")
    return found


def build_path(name):
    """A file of the build folder under test; skips the test when it was not built."""
    path = BUILD_DIR / name
    if not path.exists():
        raise unittest.SkipTest(f"{name} is not built")
    return str(path)


def data_dir():
    """The folder with the tables of test cases; skips the test when it is absent."""
    path = pathlib.Path(os.environ.get("RILL_TEST_DATA", SOURCE_DIR.parent / "shared" / "data"))
    if not path.is_dir():
        raise unittest.SkipTest("the tables of test cases are absent")
    return path


def free_port():
    """A TCP port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_until(condition, seconds=10.0, what="the condition"):
    """Asks again until the condition holds; returns what it returned."""
    end = time.monotonic() + seconds * SLOW
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not hold within {seconds * SLOW:.0f} s")
        time.sleep(0.01)
    return value


def run(command, seconds=20.0, **options):
    """Runs a program to its end; returns its CompletedProcess with the output as text."""
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **options}
    if "input" in options:
        del options["stdin"]
    return subprocess.run(command, timeout=seconds * SLOW, check=False, **options)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server process: started on a free port, waited for, stopped by its id.

    "{port}" and "{dir}" in the command and in the texts of `files` (by name, written before it
    starts) stand for the port and for a folder that goes away with the server. Use it with `with`,
    or call stop(). What it printed is in output().
    """

    def __init__(self, command, port=None, files=None, env=None, seconds=10.0):
        self.port = port or free_port()
        self.status = None
        self._output = ""
        self._folder = tempfile.TemporaryDirectory(prefix="rill-peer-")
        self.dir = self._folder.name
        for name, text in (files or {}).items():
            pathlib.Path(self.dir, name).write_text(self._fill(text), encoding="utf-8")
        filled = [self._fill(str(word)) for word in command]
        self._log_path = os.path.join(self.dir, "output")
        with open(self._log_path, "wb") as log:
            self.process = subprocess.Popen(filled, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, process_group=0,
                                            env={**os.environ, **(env or {})},
                                            preexec_fn=_die_with_parent)
        try:
            wait_until(self._is_up, seconds, f"{filled[0]} on port {self.port}")
        except BaseException:
            self.stop()
            raise

    def _fill(self, text):
        return text.replace("{port}", str(self.port)).replace("{dir}", self.dir)

    def _is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.process.args[0]} ended with status "
                               f"{self.process.returncode}:\n{self.output()}")
        return accepts(self.port)

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def output(self):
        if self.status is None:
            with open(self._log_path, encoding="utf-8", errors="replace") as log:
                self._output = log.read()
        return self._output

    def stop(self, seconds=10.0):
        """Ends it and returns its exit status; one that does not go is killed."""
        if self.status is not None:
            return self.status
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds * SLOW)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its workers, and itself if it stayed
        status = self.process.wait()
        self.output()
        self.status = status
        self._folder.cleanup()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


NGINX_CONF = """
daemon off; master_process off; pid {dir}/pid; error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    HTTP_BLOCK
    server { listen 127.0.0.1:LISTEN; SERVER_BLOCK }
}
"""


def nginx(server_block, http_block="", tls=False):
    """nginx with these directives inside its `server { }` and its `http { }`.

    With `tls` it speaks https: give ssl_certificate and ssl_certificate_key in the server block.
    """
    config = NGINX_CONF.replace("LISTEN", "{port} ssl" if tls else "{port}")
    config = config.replace("SERVER_BLOCK", server_block).replace("HTTP_BLOCK", http_block)
    return Server([need("nginx"), "-p", "{dir}", "-c", "{dir}/nginx.conf"],
                  files={"nginx.conf": config})


def redis(*options):
    """redis-server that keeps nothing on disk; its options as for the command line."""
    return Server([need("redis-server"), "--port", "{port}", "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", "{dir}", *options])


class _Late(BaseException):
    """The time limit of a test; no `except Exception` of a test swallows it."""


def _limit_of(test):
    method = getattr(test, test._testMethodName, None)
    return getattr(method, "limit", getattr(test, "limit", LIMIT)) * SLOW


@contextlib.contextmanager
def _alarm(seconds):
    def late(*_):
        raise _Late(f"no end within {seconds:.0f} s")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # The last resort, for code that no Python exception reaches.
    faulthandler.dump_traceback_later(seconds + 10, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


class _Verdict(unittest.TestResult):
    """What one test came to."""

    def __init__(self):
        super().__init__()
        self.why = ""
        self.trouble = []

    def _note(self, err):
        self.trouble.append("".join(traceback.format_exception(*err)))

    def addError(self, test, err):
        self._note(err)

    def addFailure(self, test, err):
        self._note(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.trouble.append(f"{subtest}\n{''.join(traceback.format_exception(*err))}")

    def addUnexpectedSuccess(self, test):
        self.trouble.append("an expected failure did not happen")

    def addSkip(self, test, reason):
        self.why = reason


def _name(test):
    return test.id().removeprefix("__main__.")


def _run_one(suite, name, limit):
    """Runs a test (a suite of one, for the sake of class fixtures); returns its word."""
    verdict = _Verdict()
    start = time.monotonic()
    try:
        with _alarm(limit):
            suite.run(verdict)
    except _Late as late:
        verdict.trouble.append("".join(traceback.format_exception(late)))
    took = time.monotonic() - start
    word = "FAILED" if verdict.trouble else "skipped" if verdict.why else "ok"
    for text in verdict.trouble:
        print(text.rstrip())
    print(f"{word:<8} {name} ({took:.2f} s){': ' + verdict.why if verdict.why else ''}")
    sys.stdout.flush()
    return word


def _tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _tests_of(item)
        else:
            yield item


def main():
    """Runs the tests of the calling program and ends it."""
    words = sys.argv[1:]
    tests = list(_tests_of(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])))
    if words == ["-l"]:
        print("\n".join(map(_name, tests)))
        sys.exit(0)
    words = [word for word in words if not word.startswith("-")]
    count = {"ok": 0, "FAILED": 0, "skipped": 0}
    for test in tests:
        if not words or any(word in _name(test) for word in words):
            word = _run_one(unittest.TestSuite([test]), _name(test), _limit_of(test))
            count[word] += 1
    print(f"{count['ok']} passed, {count['FAILED']} failed, {count['skipped']} skipped")
    sys.exit(1 if count["FAILED"] else 0)
