#!/usr/bin/env python3
"""`rill ps`, as a user runs it: on processes that wait, that are stuck, that change meanwhile."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import peer

LINE = re.compile(r"^ *(?P<name>\S+) #(?P<id>\d+\.\d+)(?P<rest>.*)$")
CALL = re.compile(r"^ +(\S+?)\+0x[0-9a-f]+ \((\S+)\)$")


class Ps(peer.TestCase):
    def target(self, mode, program="tests/cli/ps_target"):
        """A process that is at what `mode` says; its lines before "ready" are kept."""
        path = program if program.startswith("/") else peer.build_path(program)
        process = subprocess.Popen([path, mode], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.said = []
        for line in process.stdout:
            if line == "ready\n":
                break
            self.said.append(line.strip())
        return process

    def ps(self, *words):
        done = peer.run([peer.build_path("rill"), "ps", *map(str, words)])
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def seen(self, *words):
        done = self.ps(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def line(self, text, name):
        found = [line for line in text.splitlines() if line.strip().startswith(name + " #")]
        self.assertEqual(len(found), 1, text)
        return found[0]

    def calls(self, text):
        return [match[1] for match in map(CALL.match, text.splitlines()) if match]

    def calls_within(self, process, name):
        """The calls of the stuck task, once it has come to that function."""
        return peer.wait_until(
            lambda: (calls := self.calls(self.seen(process.pid, "-w", "stuck")))
            and name in calls and calls, what=name)

    # ---- the tree ----

    def at_rest(self, process):
        """The tree once the loop waits: it says that it is ready a little earlier."""
        text = ""
        for _ in range(100):
            text = self.seen(process.pid)
            if "waits for I/O" in text:
                break
            time.sleep(0.05)
        return text

    def check_tree(self, process):
        text = self.at_rest(process)
        self.assertRegex(text, r"^loop of thread \d+ \(epoll\), waits for I/O: 5 tasks ")
        self.assertRegex(self.line(text, "main"), r"^  main #0\.1, waits: sleep for another "
                         r"(59|60)\.\d s, \d\.\d s; stack \d+ of 192 KiB$")
        self.assertRegex(self.line(text, "sleeper"), r"^    sleeper #\d\.1 \(.*ps_target\.c:\d+\), "
                         r"waits: sleep for another \d+\.\d s, \d\.\d s; stack \d+ of 192 KiB$")
        self.assertRegex(self.line(text, "receiver"), r"waits: recv 127\.0\.0\.1:\d+, \d\.\d s;")
        self.assertRegex(self.line(text, "limited"), r", in a group\), waits: sleep .*; "
                         r"deadline in (49|4\d)\.\d s;")
        self.assertRegex(text, r"\n  background:\n    behind #")

    def test_the_tree_has_every_field(self):
        self.check_tree(self.target("tree"))

    def test_a_program_that_contains_the_library(self):
        self.check_tree(self.target("tree", "tests/cli/ps_target_static"))

    def test_a_stripped_program_that_contains_the_library(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stripped")
            shutil.copy(peer.build_path("tests/cli/ps_target_static"), path)
            peer.run([peer.need("strip"), path])
            process = self.target("tree", path)
            self.check_tree(process)
            text = self.seen(process.pid, "--where", "sleeper")
            self.assertRegex(text, r"\n    stripped\+0x[0-9a-f]+\n")

    def test_json(self):
        process = self.target("tree")
        root = json.loads(self.seen(process.pid, "--json"))
        self.assertEqual(root["pid"], process.pid)
        self.assertRegex(root["rill"], r"^\d+\.\d+\.\d+$")
        [loop] = root["loops"]
        self.assertEqual((loop["thread"], loop["driver"], loop["polling"], loop["task_count"]),
                         (process.pid, "epoll", True, 5))
        tasks = {task["name"]: task for task in loop["tasks"]}
        self.assertEqual(set(tasks), {"main", "sleeper", "receiver", "limited", "behind"})
        self.assertEqual(set(tasks["main"]), {
            "id", "name", "parent", "group", "background", "file", "line", "state", "what",
            "subject", "waiting_s", "deadline_s", "cancelled", "cpu_s", "stack_used",
            "stack_size"})
        self.assertEqual(tasks["sleeper"]["parent"], tasks["main"]["id"])
        self.assertEqual((tasks["limited"]["parent"], tasks["limited"]["group"]),
                         (tasks["main"]["id"], True))
        self.assertTrue(40 < tasks["limited"]["deadline_s"] < 50)
        self.assertIsNone(tasks["sleeper"]["deadline_s"])
        self.assertEqual((tasks["behind"]["parent"], tasks["behind"]["background"]), (None, True))
        self.assertRegex(tasks["receiver"]["subject"], r"^127\.0\.0\.1:\d+$")
        self.assertTrue(4096 <= tasks["sleeper"]["stack_used"] < tasks["sleeper"]["stack_size"])
        self.assertNotIn("backtrace", tasks["main"])

    def test_the_limit(self):
        text = self.seen(self.target("tree").pid, "--limit", 2)
        self.assertEqual(len([line for line in text.splitlines() if LINE.match(line)]), 2)
        self.assertIn("\n  and 3 more\n", text)

    def test_every_loop_is_shown(self):
        text = self.seen(self.target("loops").pid)
        self.assertEqual(text.count("loop of thread "), 2)
        self.assertIn("main #", text)
        self.assertIn("other #", text)

    # ---- where a task is ----

    def test_where_a_sleeping_task_is(self):
        process = self.target("tree")
        text = self.seen(process.pid, "--where", "sleeper")
        calls = self.calls(text)
        first = calls.index("rill_sleep")
        self.assertRegex(" ".join(calls[first:]), r"^rill_sleep inner_call\S* outer_call\S*")
        self.assertIn("(ps_target)", text)
        identity = LINE.match(self.line(text, "sleeper"))["id"]
        for word in (identity, "#" + identity):
            self.assertEqual(self.calls(self.seen(process.pid, "-w", word)), calls)
        found = json.loads(self.seen(process.pid, "-w", "sleeper", "-j"))["loops"][0]["tasks"]
        self.assertEqual([frame["function"] for frame in found[0]["backtrace"]], calls)

    def test_backtraces_of_all(self):
        text = self.seen(self.target("tree").pid, "--backtraces")
        self.assertEqual(self.calls(text).count("rill__task_entry"), 5)

    def test_where_a_loop_is_stuck(self):
        process = self.target("spin")
        self.assertEqual(self.calls_within(process, "spin_for_ever")[0], "spin_for_ever")
        text = self.seen(process.pid)
        self.assertIn("), runs: 3 tasks", text)
        self.assertRegex(self.line(text, "stuck"), ", running")
        self.assertIn("waits: join 'stuck' #", self.line(text, "main"))
        stopped = state_of(process.pid)
        self.assertIn(stopped, "RS")  # it goes on, and is traced by nobody

    def test_where_a_loop_is_blocked(self):
        process = self.target("block")
        calls = self.calls_within(process, "sleep")
        self.assertEqual(calls[calls.index("sleep") + 1], "blocking_task")
        self.assertIsNone(process.poll())
        text = self.seen(process.pid, "-w", "stuck")  # and sleeps on
        self.assertIn("blocking_task", text)

    def test_gdb_sees_the_same_calls(self):
        process = self.target("block")
        calls = self.calls_within(process, "sleep")
        done = peer.run([peer.need("gdb"), "-batch", "-nx", "-p", str(process.pid), "-ex", "bt"])
        frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([\w.]+)", done.stdout, re.MULTILINE)
        frames = [name.replace(".", "__") for name in frames]  # gdb takes it for Ada
        if not frames:
            self.skipTest("gdb may not look")
        known = frames[frames.index("blocking_task"):frames.index("rill__task_entry") + 1]
        self.assertEqual(calls[calls.index("blocking_task"):], known)

    # ---- what changes, and what is not there ----

    def test_a_process_that_changes_all_the_time(self):
        process = self.target("churn")
        for _ in range(30):
            text = self.seen(process.pid, "--backtraces")
            self.assertIn("main #0.1", text)
        self.assertIsNone(process.poll())

    def refused(self, *words, status=3):
        done = self.ps(*words)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stderr

    def test_a_process_without_rill(self):
        process = subprocess.Popen(["sleep", "60"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(self.refused(process.pid),
                         f"rill ps: process {process.pid}: rill is not in it\n")

    def test_a_process_without_a_loop(self):
        self.assertEqual(self.seen(self.target("none").pid), "no loop runs\n")

    def test_no_such_process(self):
        self.assertEqual(self.refused(2 ** 29), f"rill ps: process {2 ** 29}: there is none\n")

    def test_no_such_task(self):
        process = self.target("tree")
        self.assertEqual(self.refused(process.pid, "-w", "nobody"),
                         f"rill ps: process {process.pid}: it has no task 'nobody'\n")

    def test_a_process_that_may_not_be_read(self):
        if os.access("/proc/1/mem", os.R_OK):
            self.skipTest("everything may be read")
        self.assertRegex(self.refused(1), r"^rill ps: process 1: its own user and root may read it")

    def test_wrong_command_lines(self):
        self.assertIn("it needs the number of a process", self.refused(status=2))
        for word in ("x", "12x", "-3", "0", "99999999999"):
            self.assertIn("rill ps: ", self.refused("--", word, status=2))
        self.assertIn("Usage: rill ps", self.seen("--help"))

    def test_signals_reach_it_as_before(self):
        process = self.target("spin")
        self.seen(process.pid, "-w", "stuck")
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(") ")[2][0]


if __name__ == "__main__":
    peer.main()
