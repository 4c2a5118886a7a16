#!/usr/bin/env python3
"""Seeds bugs into a copy of the source, one at a time, and checks that the suite finds each.

usage: run.py [--jobs N] [-l] [NAME...]     (-l: list them, and what each breaks)

A mutant is a patch beside this file. Its head says in words what is broken, and on a line
"tests: NAME…" which test programs are tried first; when they pass, all others are. A mutant that
no test finds fails the run, and so does a patch that no longer applies.
The last line counts those that were found as passed.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "build-mutants"
SOURCE = WORK / "source"
BUILD = WORK / "build"
# The suite's limits of time, cut down: a test that a mutant makes hang has found it.
ENVIRONMENT = os.environ | {"RILL_TEST_SLOW": "0.2"}


def run(command, **kwargs):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **kwargs)


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        head = path.read_text().split("\n--- ")[0]
        self.tests = re.search(r"^tests: (.*)$", head, re.M)[1].split()
        self.what = " ".join(line for line in head.splitlines() if not line.startswith("tests:"))

    def apply(self, reverse=False):
        arguments = ["patch", "-p1", "--no-backup-if-mismatch", "-F2", "-s", "-N", "-r", "-", "-i",
                     str(self.path)]
        result = run(arguments + (["-R"] if reverse else []), cwd=SOURCE)
        return None if result.returncode == 0 else result.stdout.strip()


def copy_source():
    """The tree as it stands, uncommitted changes included, but files that did not change keep
    their times, so that a second run builds little."""
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT).stdout.splitlines()
    for name in listed:
        source, target = ROOT / name, SOURCE / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            if target.is_symlink() or target.exists():
                target.unlink()
            shutil.copy2(source, target, follow_symlinks=False)
            if not target.is_symlink():
                target.touch()
    known = {SOURCE / name for name in listed}
    for path in SOURCE.rglob("*"):
        if (path.is_file() or path.is_symlink()) and path not in known:
            path.unlink()


def configure():
    command = ["ninja", "-C", str(BUILD), "build.ninja"]  # again where a meson.build has changed
    if not (BUILD / "build.ninja").exists():
        command = ["meson", "setup", str(BUILD), str(SOURCE), "--buildtype=debug",
                   "--optimization=1"]
    result = run(command)
    if result.returncode:
        sys.exit(result.stdout)


def programs():
    """The suite's own C programs: name of the test -> path of its executable."""
    found = {}
    for path in sorted((BUILD / "tests").rglob("test_*")):
        if path.is_file() and path.stat().st_mode & 0o111 and not path.suffix:
            found[path.name[len("test_"):]] = path
    return found


def targets():
    result = run(["ninja", "-C", str(BUILD), "-t", "targets", "all"])
    return [match[1] for match in re.finditer(r"^(tests/\S*/test_[^./\s]+): ", result.stdout, re.M)]


def build(jobs, wanted):
    chosen = [target for target in targets()
              if wanted is None or target.rsplit("/test_", 1)[1] in wanted]
    result = run(["ninja", f"-j{jobs}", "-C", str(BUILD), *chosen])
    if result.returncode:
        return result.stdout[-3000:]
    return None


def failing_test(names):
    """The first of the programs, and the first test in it, that fails."""
    known = programs()
    for name in names:
        if name not in known:
            sys.exit(f"mutants: there is no test program {name}")
        process = subprocess.Popen([str(known[name])], cwd=BUILD, env=ENVIRONMENT, text=True,
                                   errors="replace", stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        with process:
            for line in process.stdout:
                failed = re.match(r"FAILED +(\S+)", line)
                if failed:
                    os.killpg(process.pid, signal.SIGKILL)
                    return f"{name}: {failed[1]}"
        if process.returncode:
            return name
    return None


def hunt(mutant, jobs):
    """The test that finds the mutant, or None."""
    problem = build(jobs, set(mutant.tests))
    if problem:
        sys.exit(f"mutants: {mutant.name} does not build:\n{problem}")
    found = failing_test(mutant.tests)
    if found:
        return found
    problem = build(jobs, None)
    if problem:
        sys.exit(f"mutants: {mutant.name} does not build:\n{problem}")
    return failing_test([name for name in programs() if name not in mutant.tests])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-l", "--list", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    mutants = [Mutant(path) for path in sorted(HERE.glob("*.patch"))
               if not options.names or any(name in path.stem for name in options.names)]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name}: {mutant.what}")
        return 0
    SOURCE.mkdir(parents=True, exist_ok=True)
    copy_source()
    configure()
    first = {name for mutant in mutants for name in mutant.tests}
    problem = build(options.jobs, first) or failing_test(sorted(first))
    if problem:
        sys.exit(f"mutants: without any mutant: {problem}")
    missed = 0
    for mutant in mutants:
        start = time.monotonic()
        found = mutant.apply()
        verdict = "FAILED  "
        if found:
            found = "it does not apply any more: " + found
            missed += 1
        else:
            try:
                found = hunt(mutant, options.jobs)
            finally:
                mutant.apply(reverse=True)
            missed += not found
            verdict = "ok      " if found else verdict
        print(f"{verdict} {mutant.name} ({time.monotonic() - start:.0f} s): "
              f"{found or 'no test finds it'}", flush=True)
    print(f"{len(mutants) - missed} passed, {missed} failed, 0 skipped")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
