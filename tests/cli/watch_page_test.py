#!/usr/bin/env python3
"""The live page in a browser, against the real `rill watch`."""
import os
import pathlib
import sqlite3
import tempfile

import browser
import origin
import peer
import watching

ROW = "const row = [...document.querySelectorAll('li[data-url]')].find(" \
      "r => r.dataset.url === arguments[0]); "


@peer.within(60)
class Page(peer.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.page.close()

    def setUp(self):
        self.server = origin.Origin()
        self.addCleanup(self.server.close)
        folder = tempfile.TemporaryDirectory(prefix="rill-page-")
        self.addCleanup(folder.cleanup)
        self.db = str(pathlib.Path(folder.name, "watch.db"))

    def watch(self, *words):
        watch = watching.Watch(*words)
        self.addCleanup(watch.stop)
        return watch

    def open(self, watch):
        self.page.console()
        self.page.open(watch.url)
        self.page.wait("return document.body.dataset.link === 'live'")

    def show(self, name):
        """Keeps a picture for people, where they asked for one."""
        folder = os.environ.get("RILL_TEST_PICTURES")
        if folder:
            self.page.screenshot(os.path.join(folder, f"{name}.png"))

    def wait_state(self, url, state, seconds=10.0):
        self.page.wait(ROW + "return row && row.dataset.state === arguments[1]", url, state,
                       seconds=seconds)

    def text(self, url, selector):
        return self.page.run(ROW + "return row.querySelector(arguments[1]).textContent",
                             url, selector)

    def test_the_demo(self):
        watch = self.watch("--every", "500ms")
        self.page.size(1280, 900)
        self.page.scheme("light")
        self.open(watch)
        states = {"fine": "up", "slow": "slow", "down": "down"}
        for name, state in states.items():
            self.wait_state(f"{watch.url}demo/{name}", state)
        self.assertEqual(self.text(f"{watch.url}demo/down", ".error"),
                         "the server answered 503 Service Unavailable")
        fine = f"{watch.url}demo/fine"
        line = "return row.querySelector('.line').getAttribute('d')"
        self.page.wait(ROW + line + ".split('L').length > 5", fine, seconds=15)
        self.assertEqual(self.text(fine, ".uptime dd"), "100 %")
        self.show("demo-light")
        self.page.scheme("dark")
        self.show("demo-dark")
        self.page.size(360, 740, mobile=True)
        self.assertEqual(self.page.run("return document.documentElement.scrollWidth"), 360)
        self.show("demo-phone")
        names = self.page.run("return performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(names)
        self.assertTrue(all(name.startswith(watch.url) for name in names), names)
        self.assertEqual(self.page.console(), [])

    def test_a_state_changes_live(self):
        url = self.server.url()
        watch = self.watch("--every", "200ms", url)
        self.open(watch)
        self.wait_state(url, "up")
        self.server.routes["/ok"] = origin.text(b"", 500)
        self.wait_state(url, "down")
        self.assertEqual(self.text(url, ".error"), "the server answered 500 Internal Server Error")
        self.server.routes["/ok"] = origin.slow(1.2)
        self.wait_state(url, "slow")
        self.server.routes["/ok"] = origin.text()
        self.wait_state(url, "up")
        self.assertIn("Last failure", self.text(url, ".error"))
        self.assertEqual(self.page.console(), [])

    def test_trouble_of_the_history_is_a_banner(self):
        watch = self.watch("--every", "200ms", "--db", self.db, self.server.url())
        watch.wait_checks(self.server.url(), 2)
        self.open(watch)
        hidden = "return document.getElementById('trouble').hidden"
        self.assertTrue(self.page.run(hidden))
        peer.wait_until(lambda: os.path.exists(self.db))
        lock = sqlite3.connect(self.db, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        self.page.wait("return document.getElementById('trouble').textContent.startsWith("
                       "'history is not being written')", seconds=15)
        self.assertFalse(self.page.run(hidden))
        self.show("trouble")
        lock.execute("ROLLBACK")
        lock.close()
        self.page.wait(hidden, seconds=15)

    def test_a_restart_is_survived(self):
        url = self.server.url()
        first = watching.Watch("--every", "200ms", "--db", self.db, url)
        first.wait_checks(url, 5)
        self.open(first)
        first.stop()
        self.page.wait("return document.body.dataset.link === 'lost'")
        second = watching.Watch("--every", "200ms", "--db", self.db, url, port=first.port)
        self.addCleanup(second.stop)
        self.page.wait("return document.body.dataset.link === 'live'", seconds=15)
        self.wait_state(url, "up")
        self.assertGreaterEqual(second.check(url)["checks"], 6)

    def test_a_hundred_endpoints_on_a_phone(self):
        urls = [self.server.url(f"/ok?{i}") for i in range(99)] + ["127.0.0.1:1"]
        watch = self.watch("--every", "1s", *urls)
        self.page.scheme("light")
        self.page.size(360, 740, mobile=True)
        self.open(watch)
        self.page.wait("return document.querySelectorAll('li[data-state=up]').length === 99")
        self.wait_state("http://127.0.0.1:1", "down")
        self.assertEqual(self.page.run("return document.documentElement.scrollWidth"), 360)
        self.show("hundred-phone")
        self.assertEqual(self.page.console(), [])


if __name__ == "__main__":
    peer.main()
