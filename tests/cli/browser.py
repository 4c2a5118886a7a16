"""A headless Chromium for tests of pages, by chromedriver's own protocol.

    with browser.Browser() as page:
        page.open("http://127.0.0.1:8080/")
        page.run("return document.title")
        assert not page.console()
"""
import base64
import json
import tempfile
import urllib.error
import urllib.request

import peer

CHROMIUM_OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]


class Browser:
    def __init__(self):
        chromium = peer.need("chromium")
        self._profile = tempfile.TemporaryDirectory(prefix="rill-chromium-",
                                                    ignore_cleanup_errors=True)
        self._driver = peer.Server([peer.need("chromedriver"), "--port={port}"], seconds=20)
        try:
            self._session = self._start(chromium)
        except BaseException:
            self._driver.stop()
            raise

    def _start(self, chromium):
        options = CHROMIUM_OPTIONS + [f"--user-data-dir={self._profile.name}"]
        reply = self._send("POST", "session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": options},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}})
        return reply["sessionId"]

    def _send(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self._driver.url}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60 * peer.SLOW) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def _command(self, path, body):
        return self._send("POST", f"session/{self._session}/{path}", body)

    def open(self, url):
        self._command("url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function in the page; returns what it returned."""
        return self._command("execute/sync", {"script": script, "args": arguments})

    def wait(self, script, *arguments, seconds=10.0):
        """Waits until the script returns something true."""
        return peer.wait_until(lambda: self.run(script, *arguments), seconds, script)

    def console(self):
        """What the console has said since the last call: errors, refused loads, logs."""
        return [entry["message"] for entry in self._command("se/log", {"type": "browser"})]

    def devtools(self, command, **parameters):
        return self._command("goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, mobile=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name):
        """Light or dark, as the user's preference."""
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        data = self._send("GET", f"session/{self._session}/screenshot")
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        try:
            self._send("DELETE", f"session/{self._session}")
        finally:
            self._driver.stop()
            self._profile.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
