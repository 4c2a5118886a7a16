#!/usr/bin/env python3
"""tools/run-tests: what it counts, for programs that end well, badly or not at all."""
import json
import os
import re
import sys
import tempfile
import time

import peer

TOOL = str(peer.SOURCE_DIR / "tools" / "run-tests")

# Stands in for meson, which is asked for the tests of a folder.
MESON = """#!/bin/sh
cat "$3/tests.json"
"""


def ended(pid):
    """Whether a process is gone, or dead and only not yet collected."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class RunTests(peer.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.tests = []
        with open(os.path.join(self.folder, "meson"), "w", encoding="utf-8") as meson:
            meson.write(MESON)
        os.chmod(meson.name, 0o755)

    def program(self, name, script, seconds=20, parallel=True, suite="unit"):
        self.tests.append({"name": name, "cmd": ["sh", "-c", script, name], "env": {},
                           "suite": [f"rill:{suite}"], "workdir": None, "timeout": seconds,
                           "is_parallel": parallel})

    def run_tests(self, *words, kind="plain"):
        with open(os.path.join(self.folder, "tests.json"), "w", encoding="utf-8") as file:
            file.write(json.dumps(self.tests))
        env = {**os.environ, "PATH": self.folder + ":" + os.environ["PATH"]}
        done = peer.run([sys.executable, TOOL, *words, f"{kind}={self.folder}"], env=env)
        lines = done.stdout.splitlines()
        good = " 0 failed" in lines[-1] and "no test" not in lines[0]
        self.assertEqual(done.returncode, 0 if good else 1)
        return lines

    def test_adds_up(self):
        self.program("one", "echo ok first; echo 3 passed, 0 failed, 1 skipped")
        self.program("two", "echo 2 passed, 0 failed, 0 skipped", parallel=False)
        lines = self.run_tests()
        self.assertEqual(lines[-1], "5 passed, 0 failed, 1 skipped")
        self.assertFalse([line for line in lines if "ok first" in line])
        self.assertTrue([line for line in self.run_tests("-v") if "ok first" in line])

    def test_shows_what_failed(self):
        self.program("one", "echo 'ok  a'; echo a.c:1: wrong; echo 1 passed, 2 failed, 0 skipped; "
                            "exit 1")
        lines = self.run_tests()
        self.assertEqual(lines[-1], "1 passed, 2 failed, 0 skipped")
        self.assertIn("        a.c:1: wrong", lines)
        self.assertNotIn("        ok  a", lines)

    def test_counts_bad_ends(self):
        self.program("status", "echo 4 passed, 0 failed, 0 skipped; exit 3")
        self.program("silent", "true")
        self.program("killed", "kill -SEGV $$")
        self.program("skipped", "exit 77")
        lines = self.run_tests()
        self.assertEqual(lines[-1], "4 passed, 3 failed, 1 skipped")
        text = "\n".join(lines)
        for note in ("exit status 3", "no closing line", "killed by signal 11"):
            self.assertIn(note, text)

    def test_ends_what_is_late_with_its_children(self):
        self.program("late", "sleep 61.5 & echo child $!; sleep 61.5", seconds=1)
        start = time.monotonic()
        lines = self.run_tests()
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(lines[-1], "0 passed, 1 failed, 0 skipped")
        self.assertIn("no end within 1 s", lines[0])
        child = re.search(r"child (\d+)", "\n".join(lines)).group(1)
        peer.wait_until(lambda: ended(child), 2, f"the end of process {child}")

    def test_chooses_programs_and_tests(self):
        listing = 'case "$1" in -l) echo "$0_deep";; *) echo "ran $*"; ' \
                  "echo 1 passed, 0 failed, 0 skipped;; esac"
        self.program("alpha", listing)
        self.program("beta", listing)
        self.assertEqual(self.run_tests("--match", "alpha")[-1], "1 passed, 0 failed, 0 skipped")
        deep = self.run_tests("-v", "--match", "beta_deep")
        self.assertEqual(deep[-1], "1 passed, 0 failed, 0 skipped")
        self.assertIn("        ran beta_deep", deep)
        self.assertEqual(self.run_tests("--match", "gamma"),
                         ["no test matches 'gamma'", "0 passed, 0 failed, 0 skipped"])

    def test_sanitizers_get_time_and_stop_at_the_first_fault(self):
        self.program("env", "echo $RILL_TEST_SLOW $UBSAN_OPTIONS $RILL_BUILD_DIR; "
                            "echo 1 passed, 0 failed, 0 skipped")
        text = "\n".join(self.run_tests("-v", kind="asan"))
        self.assertRegex(text, f"4 halt_on_error=1.* {self.folder}")

    def test_the_thread_sanitizer_sees_what_uses_threads(self):
        self.program("alone", "echo 1 passed, 0 failed, 0 skipped")
        self.program("many", "echo $RILL_TEST_SLOW; echo 2 passed, 0 failed, 0 skipped",
                     suite="threads")
        lines = self.run_tests("-v", kind="tsan")
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")
        self.assertIn("        4", lines)


if __name__ == "__main__":
    peer.main()
