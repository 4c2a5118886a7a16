#!/usr/bin/env python3
"""The runtime on AArch64: base, io, runtime and inspect are cross-built with some of their tests,
and the tests run under qemu. Skipped where the compiler or qemu is missing. `-l` lists the
programs, and names choose among them."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = "aarch64-linux-gnu-gcc"
ARCHIVER = "aarch64-linux-gnu-ar"
EMULATOR = "qemu-aarch64"
SYSROOT = "/usr/aarch64-linux-gnu"
SECONDS = 100

FLOORS = ("base", "io", "runtime", "schedule", "inspect")
BESIDE = ["src/net/address.c", "src/runtime/switch_aarch64.S", "tests/lib/harness.c",
          "tests/runtime/model.c"]
ABOVE = {"src/schedule/cron.c"}  # crons of an application
PROGRAMS = (sorted(path.stem.removesuffix("_test")
                   for path in (ROOT / "tests/runtime").glob("*_test.c")) +
            ["cron", "wall", "zone", "backtrace", "report"])
# Programs that may run in the simulated world do: its time does not pass while the emulator works.
ON_SIM = re.search(r"runtime_sim_tests = \[(.*?)\]",
                   (ROOT / "tests/runtime/meson.build").read_text(), re.S)[1]
# Tests of them that look at what is the emulator's there.
NOT_HERE = {
    "another_fault_dies_without_a_word_of_stacks",  # the emulator has words of its own
    "a_sleeping_task_costs_one_page",  # memory that is resident: its own is among it
}


def source_of(program):
    return next(path for folder in ("runtime", "schedule", "inspect")
                if (path := ROOT / f"tests/{folder}/{program}_test.c").exists())


def compile_all(folder, programs):
    """A library of the floors and the harness, and an object file of each program."""
    sources = [source for floor in FLOORS for source in sorted((ROOT / "src" / floor).glob("*.c"))
               if str(source.relative_to(ROOT)) not in ABOVE]
    sources += [ROOT / name for name in BESIDE]
    includes = [f"-I{ROOT}/{name}" for name in ("include", "src", "tests/lib", "tests/runtime")]

    def compile_one(source):
        target = folder / f"{source.parent.name}_{source.stem}.o"
        subprocess.run([COMPILER, "-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror",
                        "-fno-omit-frame-pointer", "-D_GNU_SOURCE",
                        f'-DRILL_SOURCE_DIR="{ROOT}"', *includes, "-c", str(source), "-o",
                        str(target)], check=True)
        return target

    mains = [source_of(program) for program in programs]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources + mains))
    library = folder / "library.a"  # of which each program takes what it uses, as elsewhere
    subprocess.run([ARCHIVER, "rcs", str(library), *map(str, objects[:len(sources)])], check=True)
    return library, objects[len(sources):]


def tests_of(command):
    """The names of the program's tests that make sense here."""
    listed = subprocess.run(command + ["-l"], stdout=subprocess.PIPE, text=True, check=True)
    return [name for name in listed.stdout.split() if name not in NOT_HERE]


def run_program(name, main_object, library, folder):
    """Links and runs one; returns what it counted."""
    target = folder / name
    subprocess.run([COMPILER, "-o", str(target), str(main_object), str(library), "-pthread",
                    "-lm"], check=True)
    command = [EMULATOR, "-L", SYSROOT, str(target)]
    driver = {"RILL_TEST_DRIVER": "sim"} if f"'{name}'" in ON_SIM else {}
    done = subprocess.run(command + tests_of(command), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
                          env={**os.environ, "RILL_TEST_SLOW": "10",
                               "RILL_MODEL_PROGRAMS": "3000"} | driver)
    print("".join(line + "\n" for line in done.stdout.splitlines()[:-1]), end="")
    closing = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*\Z", done.stdout)
    if not closing:
        print(f"FAILED   {name}: ended with {done.returncode}\n{done.stdout[-2000:]}")
        return 0, 1, 0
    return tuple(int(count) for count in closing.groups())


def main():
    if sys.argv[1:] == ["-l"]:
        print("\n".join(PROGRAMS))
        return 0
    for program in (COMPILER, EMULATOR):
        if not shutil.which(program):
            print(f"skipped  aarch64: there is no {program}\n0 passed, 0 failed, 1 skipped")
            return 0
    chosen = [program for program in PROGRAMS
              if not sys.argv[1:] or any(word in program for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        library, mains = compile_all(folder, chosen)
        counts = [run_program(program, main_object, library, folder)
                  for program, main_object in zip(chosen, mains)]
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
