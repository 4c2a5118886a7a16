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
EMULATOR = "qemu-aarch64"
SYSROOT = "/usr/aarch64-linux-gnu"
PROGRAMS = ["wheel", "task", "scope", "group", "context", "io", "backtrace"]
FOLDERS = {"backtrace": "inspect"}
SECONDS = 200


def compile_all(folder):
    """Object files of these floors, of the harness, and of each program."""
    sources = [source for floor in ("base", "io", "runtime", "inspect")
               for source in sorted((ROOT / "src" / floor).glob("*.c"))]
    sources += [ROOT / "src/runtime/switch_aarch64.S", ROOT / "src/net/address.c",
                ROOT / "tests/lib/harness.c"]
    programs = [ROOT / f"tests/{FOLDERS.get(name, 'runtime')}/{name}_test.c" for name in PROGRAMS]

    def compile_one(source):
        target = folder / f"{source.parent.name}_{source.stem}.o"
        subprocess.run([COMPILER, "-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror",
                        "-fno-omit-frame-pointer", "-D_GNU_SOURCE",
                        f'-DRILL_SOURCE_DIR="{ROOT}"', f"-I{ROOT}/include", f"-I{ROOT}/src",
                        f"-I{ROOT}/tests/lib", "-c", str(source), "-o", str(target)], check=True)
        return target

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources + programs))
    return objects[:len(sources)], objects[len(sources):]


def run_program(name, main_object, objects, folder):
    """Links and runs one; returns what it counted."""
    target = folder / name
    subprocess.run([COMPILER, "-o", str(target), str(main_object), *map(str, objects), "-pthread",
                    "-lm"], check=True)
    done = subprocess.run([EMULATOR, "-L", SYSROOT, str(target)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
                          env={**os.environ, "RILL_TEST_SLOW": "10"})
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
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        objects, mains = compile_all(folder)
        counts = [run_program(program, main_object, objects, folder)
                  for program, main_object in zip(PROGRAMS, mains)
                  if not sys.argv[1:] or any(word in program for word in sys.argv[1:])]
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
