#!/usr/bin/env python3
"""The live page of `rill watch` in a browser, over the made-up data of mock_watch.py."""
import json
import pathlib
import sys
import urllib.request

import browser
import peer

MOCK = pathlib.Path(__file__).with_name("mock_watch.py")
A, B = "http://a.example/", "https://b.example/path"
ROW = "const row = [...document.querySelectorAll('li[data-url]')].find(" \
      "r => r.dataset.url === arguments[0]); "
HOSTILE = '<img src=x onerror="document.title=\'broken\'">\u2028</script><script>alert(1)</script>'


@peer.within(60)
class Page(peer.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.page.close()

    def setUp(self):
        self.server = peer.Server([sys.executable, MOCK, "{port}", "--still"])
        self.addCleanup(self.server.stop)

    def steer(self, **order):
        request = urllib.request.Request(f"{self.server.url}mock", json.dumps(order).encode())
        urllib.request.urlopen(request, timeout=10).close()

    def open(self):
        self.page.console()
        self.page.open(self.server.url)
        self.page.wait("return document.body.dataset.link === 'live'")

    def text(self, url, selector):
        return self.page.run(ROW + "return row.querySelector(arguments[1]).textContent",
                             url, selector)

    def wait_state(self, url, state):
        self.page.wait(ROW + "return row && row.dataset.state === arguments[1]", url, state)

    def test_rows_appear_and_change_live(self):
        self.steer(add={"url": A, "label": "alpha"})
        self.steer(add={"url": B})
        self.open()
        self.wait_state(A, "pending")
        self.assertEqual(self.text(B, ".name"), "b.example/path")
        self.steer(check={"url": A, "ms": 12.34})
        self.wait_state(A, "up")
        self.assertEqual(self.text(A, ".name"), "alpha")
        self.assertEqual(self.text(A, ".url"), A)
        self.assertEqual(self.text(A, ".word"), "Up")
        self.assertEqual(self.text(A, ".last dd"), "12 ms HTTP 200")
        self.assertEqual(self.text(A, ".uptime dd"), "100 %")
        self.steer(check={"url": A, "ms": 3, "status": None,
                          "error": ["connect_refused", "connect a: connection refused"]})
        self.wait_state(A, "down")
        self.assertEqual(self.text(A, ".error"), "connect a: connection refused")
        self.assertEqual(self.text(A, ".last dd").strip(), "no answer")
        self.assertEqual(self.text(A, ".uptime dd"), "50.00 %")
        self.assertEqual(self.page.run("return document.title"), "1 down · rill watch")
        self.assertEqual(self.page.run("return document.getElementById('verdict').textContent"),
                         "1 of 2 endpoints is down")
        self.page.wait("return document.getElementById('news').textContent === "
                       "'alpha is down: connect a: connection refused'")
        self.steer(check={"url": A, "ms": 2500})
        self.wait_state(A, "slow")
        self.assertIn("Last failure", self.text(A, ".error"))
        self.assertEqual(self.text(A, ".last dd"), "2.50 s HTTP 200")
        self.assertEqual(self.page.console(), [])

    def test_the_plot_grows_with_the_events(self):
        self.steer(add={"url": A})
        for ms in (10, 20, 40):
            self.steer(check={"url": A, "ms": ms})
        self.open()
        line = "return row.querySelector('.line').getAttribute('d')"
        self.assertEqual(self.page.run(ROW + line, A).count("L"), 2)
        for _ in range(130):
            self.steer(check={"url": A, "ms": 15})
        self.page.wait(ROW + line + ".split('L').length === 120", A)
        self.steer(check={"url": A, "ms": 15, "error": ["x", "no"]})
        self.page.wait(ROW + "return row.querySelector('.fails').getAttribute('d')", A)
        label = self.page.run(ROW + "return row.querySelector('.plot svg').ariaLabel", A)
        self.assertEqual(label, "Response time of the last 120 checks: least 15 ms, most 15 ms; "
                                "1 failed")

    def test_hostile_texts_stay_text(self):
        urls = [f"http://x/{HOSTILE}", "javascript:alert(1)//http://", "http://x/" + "y" * 3000]
        for url in urls:
            self.steer(add={"url": url, "label": HOSTILE if url == urls[0] else None})
            self.steer(check={"url": url, "ms": 1, "error": ["x", HOSTILE]})
        self.steer(trouble=HOSTILE)
        self.page.size(360, 740, mobile=True)
        self.open()
        for url in urls:
            self.assertEqual(self.text(url, ".error"), HOSTILE)
        self.assertEqual(self.text(urls[0], ".name"), HOSTILE)
        self.assertFalse(self.page.run(ROW + "return row.querySelector('a').hasAttribute('href')",
                                       urls[1]))
        planted = "return document.querySelectorAll('img, main script').length"
        self.assertEqual(self.page.run(planted), 0)
        self.assertEqual(self.page.run("return document.documentElement.scrollWidth"), 360)
        self.assertEqual(self.page.console(), [])

    def test_a_lost_connection_is_shown_and_comes_back(self):
        self.steer(add={"url": A})
        self.open()
        self.steer(away=1.5)
        self.page.wait("return document.body.dataset.link === 'lost'")
        self.assertEqual(self.page.run("return document.getElementById('link').innerText"),
                         "connection lost, retrying")
        self.steer(check={"url": A, "ms": 7})
        self.page.wait("return document.body.dataset.link === 'live'", seconds=15)
        self.wait_state(A, "up")

    def test_a_restarted_server_replaces_the_list(self):
        self.steer(add={"url": A})
        self.steer(check={"url": A, "ms": 7})
        self.open()
        self.wait_state(A, "up")
        self.steer(forget=True, add={"url": B}, away=0.1)
        urls = "return [...document.querySelectorAll('li[data-url]')].map(r => r.dataset.url)"
        peer.wait_until(lambda: self.page.run(urls) == [B], 15, "the new list")
        self.steer(check={"url": B, "ms": 7})
        self.wait_state(B, "up")

    def test_trouble_is_a_banner(self):
        self.open()
        shown = "const node = document.getElementById('trouble'); return !node.hidden && " \
                "node.textContent === arguments[0]"
        self.assertFalse(self.page.run(shown, ""))
        words = "history is not being written: the disk is full"
        self.steer(trouble=words)
        self.page.wait(shown, words)
        self.steer(trouble=None)
        self.page.wait("return document.getElementById('trouble').hidden")

    def test_the_totals_filter(self):
        self.steer(add={"url": A})
        self.steer(add={"url": B})
        self.steer(check={"url": A, "ms": 7})
        self.open()
        visible = "return [...document.querySelectorAll('li[data-url]')]" \
                  ".filter(r => r.offsetParent).map(r => r.dataset.url)"
        press = "document.querySelector(`[data-filter=${arguments[0]}]`).click(); "
        self.assertEqual(self.page.run(visible), [A, B])
        self.assertEqual(self.page.run(press + visible, "up"), [A])
        self.steer(check={"url": A, "ms": 7, "error": ["x", "no"]})
        self.page.wait("return document.getElementById('empty').textContent === "
                       "'No endpoint is up now.'")
        self.assertEqual(self.page.run(press + visible, "up"), [A, B])

    def test_light_and_dark_and_narrow(self):
        for url in (A, B):
            self.steer(add={"url": url + "a" * 80, "label": "label"})
        seen = set()
        for scheme in ("light", "dark"):
            self.page.scheme(scheme)
            for width in (1280, 800, 360, 320):
                self.page.size(width, 700, mobile=width < 700)
                self.open()
                wide = self.page.run("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width)
            seen.add(self.page.run("return getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(len(seen), 2)

    def test_only_its_own_files_are_asked_for(self):
        self.open()
        with urllib.request.urlopen(f"{self.server.url}mock", timeout=10) as reply:
            asked = set(json.load(reply)["requests"])
        self.assertEqual(asked - {"/mock", "/page.svg"},
                         {"/", "/page.css", "/page.js", "/api/checks", "/api/events"})
        names = self.page.run("return performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(all(name.startswith(self.server.url) for name in names), names)
        self.assertEqual(self.page.console(), [])

    def test_a_thousand_endpoints(self):
        for number in range(1000):
            self.steer(add={"url": f"http://host-{number}.example/"})
        self.open()
        self.page.wait("return document.querySelectorAll('li[data-url]').length === 1000")
        self.steer(check={"url": "http://host-999.example/", "ms": 5})
        self.wait_state("http://host-999.example/", "up")


if __name__ == "__main__":
    peer.main()
