"""`rill watch` as a server under test.

    with watching.Watch(url, "--every", "100ms") as watch:
        watch.wait(url, "down")
"""
import http.client
import json
import urllib.request

import peer


class Watch(peer.Server):
    """Started with these words; keeps no history unless they say where."""

    def __init__(self, *words, **options):
        if "--db" not in words:
            words = ("--no-db", *words)
        super().__init__([peer.build_path("rill"), "watch", "--listen", "127.0.0.1:{port}", *words],
                         **options)

    def open(self, path="", headers=None):
        request = urllib.request.Request(self.url + path.lstrip("/"), headers=headers or {})
        return urllib.request.urlopen(request, timeout=10 * peer.SLOW)

    def api(self):
        with self.open("/api/checks") as reply:
            return json.load(reply)

    def check(self, url):
        """What is known of the endpoint of that URL or label."""
        for check in self.api()["checks"]:
            if url in (check["url"], check["label"]):
                return check
        raise LookupError(url)

    def wait(self, url, state, seconds=10.0):
        def found():
            check = self.check(url)
            return check if check["state"] == state else None

        return peer.wait_until(found, seconds, f"{url} {state}")

    def wait_checks(self, url, count, seconds=10.0):
        def found():
            check = self.check(url)
            return check if check["checks"] >= count else None

        return peer.wait_until(found, seconds, f"{count} checks of {url}")

    def wait_trouble(self, part, seconds=15.0):
        """Until the trouble holds the text, or with None until there is none."""
        def found():
            trouble = self.api()["trouble"]
            return trouble is None if part is None else trouble and part in trouble and trouble

        return peer.wait_until(found, seconds, f"trouble {part}")


class Events:
    """A stream of server-sent events, read strictly."""

    def __init__(self, watch):
        self._connection = http.client.HTTPConnection("127.0.0.1", watch.port,
                                                      timeout=20 * peer.SLOW)
        self._connection.request("GET", "/api/events")
        self.reply = self._connection.getresponse()

    def __iter__(self):
        event = {}
        for line in iter(self.reply.readline, b""):
            line = line.decode().removesuffix("\n")
            if not line:
                if "data" in event:
                    yield event["event"], int(event["id"]), json.loads(event["data"])
                event = {}
            elif not line.startswith(":"):
                name, value = line.split(": ", 1)
                event[name] = value

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
