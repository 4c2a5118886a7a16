#!/usr/bin/env python3
"""tools/lint finds what it is for, and nothing in what is right."""
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import tempfile

import peer

LINT = str(peer.SOURCE_DIR / "tools" / "lint")


def load(path):
    loader = importlib.machinery.SourceFileLoader("lint", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
    loader.exec_module(module)
    return module


lint = load(LINT)


def findings(path, text):
    return [f"{at + 1}: {wrong}" for _, at, wrong in lint.check_source(lint.Source(path, text))]


def source(*lines):
    return "/* A file. */\n" + "\n".join(lines) + "\n"


class Sources(peer.TestCase):
    def finds(self, path, text, *expected):
        found = findings(path, text)
        self.assertEqual(len(found), len(expected), found)
        for wrong, part in zip(found, expected):
            self.assertIn(part, wrong)

    def test_good_file(self):
        self.finds("src/net/good.c", source(
            '#include "net/good.h"', '#include "runtime/runtime.h"', '#include <rill/task.h>', "",
            "static int twice(int number)", "{", "    return 2 * number;", "}"))

    def test_arrows(self):
        for path, include, expected in (
                ("src/base/a.c", '"io/driver.h"', "2: base must not include"),
                ("src/http/a.c", '"runtime/runtime.h"', "2: http must not include"),
                ("src/http/a.c", '"io/driver.h"', "io does not stand below it"),
                ("src/client/a.c", '"server/app.h"', "server does not stand below it"),
                ("src/base/a.c", "<rill/client.h>", "client does not stand below it"),
                ("src/server/a.c", '"net/net_internal.h"', "is private to net"),
                ("src/newest/a.c", '"base/buf.h"', "must know the floor of src/newest"),
                ("src/net/a.c", "<rill/newest.h>", "no floor that tools/lint knows"),
                ("include/rill/base.h", "<rill/client.h>", "client does not stand below it"),
                ("include/rill/newest.h", "<rill/base.h>", "must know the module"),
                ("include/rill/base.h", '"base/buf.h"', "only <rill/...>"),
                ("cli/main.c", '"base/buf.h"', "public headers only"),
                ("examples/get.c", '"client/session.h"', "public headers only")):
            with self.subTest(include=include):
                self.finds(path, source(f"#include {include}"), expected)
        for path, include in (("src/net/a.c", '"net/net_internal.h"'), ("cli/a.c", '"cli/args.h"'),
                              ("include/rill/rill.h", "<rill/client.h>"),
                              ("tests/net/a.c", '"net/net_internal.h"')):
            with self.subTest(include=include):
                self.finds(path, source(f"#include {include}"))

    def function(self, lines, before=()):
        return source(*before, "static int", "busy(int a)", "{",
                      *["    a++;"] * (lines - 5), "    return a;", "}")

    def test_function_length(self):
        self.finds("src/base/a.c", self.function(70))
        self.finds("src/base/a.c", self.function(71), "2: busy: 71 lines, at most 70")
        excused = self.function(80).replace("{\n", "{\n    /* lint: long-switch */\n")
        self.finds("src/base/a.c", excused)

    def test_file_length_and_columns(self):
        self.finds("src/base/a.c", source(*["int a;"] * 999))
        self.finds("src/base/a.c", source(*["int a;"] * 1000), "1001 lines in a file")
        self.finds("src/base/a.c", source("/* " + "é" * 94 + " */"))
        self.finds("src/base/a.c", source("/* " + "é" * 95 + " */"), "2: 101 columns")
        self.finds("tools/thing.py", "#" * 101, "1: 101 columns")
        self.finds("data/table.json", "1" * 101)

    def test_parameters(self):
        five = "int a, int b, int c, void (*d)(int, int), int e"
        self.finds("src/base/a.c", source(f"static void f({five})", "{", "}"))
        self.finds("src/base/a.c", source(f"static void f({five}, int g)", "{", "}"),
                   "2: f: 6 parameters")
        self.finds("src/base/a.c", source(
            "/* lint: allow foreign-signature: the resolver's callback */",
            f"static void f({five}, int g)", "{", "}"))
        self.finds("include/rill/base.h", source(
            "", "/* It does. */", "RILL_API RILL_PRINTF(6, 7) int",
            f"f({five}, const char *g, ...);"), "4: f: 7 parameters")

    def test_nesting(self):
        def nested(depth):
            bodies = [f"{'    ' * level}if (a) {{" for level in range(1, depth + 1)]
            return source("static void f(int a)", "{", *bodies,
                          *[line.replace("if (a) {", "}") for line in reversed(bodies)], "}")

        self.finds("src/base/a.c", nested(4))
        self.finds("src/base/a.c", nested(5), "8: nested more than 4 deep")

    def test_banned(self):
        for path, call, expected in (
                ("src/net/a.c", "char *p = malloc(1);", "2: malloc: memory comes from"),
                ("src/net/a.c", "x = atoi(text);", "atoi: it cannot fail"),
                ("src/net/a.c", "strcpy(to, from);", "strcpy:"),
                ("src/net/a.c", 'printf("hello");', "printf: a library"),
                ("src/net/a.c", "exit(1);", "exit: a library"),
                ("src/net/a.c", "n = read(fd, to, 1);", "read: I/O"),
                ("src/client/a.c", "fd = socket(a, b, c);", "socket: sockets are the driver's"),
                ("src/runtime/a.c", "sleep(1);", "sleep: it blocks the loop"),
                ("cli/a.c", "sprintf(to, from);", "sprintf:")):
            with self.subTest(call=call):
                self.finds(path, source(call), expected)

    def test_not_banned(self):
        for path, call in (
                ("src/base/alloc.c", "char *p = malloc(1);"),
                ("src/io/epoll.c", "n = read(fd, to, 1);"),
                ("src/io/kernel.c", "fd = socket(a, b, c);"),
                ("cli/a.c", 'printf("hello");'),
                ("tests/a.c", "exit(1);"),
                ("src/net/a.c", "/* malloc(1) */ stream->read(stream); s.write(1);"),
                ("src/net/a.c", 'text = "exit(1)"; rill__free(p); snprintf(to, 1, from);'),
                ("src/net/a.c", "/* lint: allow free: the JSON library made it */\nfree(text);"),
                ("src/net/a.c", "static void f(int (*abort)(void))\n{\n    abort();\n}")):
            with self.subTest(call=call):
                self.finds(path, source(call))

    def test_docs(self):
        self.finds("src/base/a.c", "int a;\n", "1: a file opens with a comment")
        self.finds("include/rill/base.h", source(
            "", "RILL_API int bare(void);", "", "/* Says. */", "RILL_API int one(void);",
            "int two(int a,", "        int b);", "", "static inline int three(void)", "{",
            "    return 3;", "}", "",
            "/* Of the macro. */", "#define four(...) \\", "    four_with(__VA_ARGS__)",
            "int four_with(int a);", "", "typedef int function(void);", "RILL_DEFINE_AUTO(thing)"),
                   "3: bare: no comment", "10: three: no comment")

    def test_machine_paths(self):
        home = "/ho" + "me/someone/"
        self.finds("README.md", f"see {home}rill\n", "1: " + home)
        self.finds("README.md", "see ~/rill, $HOME/rill, /home/me/rill, "
                               "https://example.org/work/ and a/work/b\n")


class Trees(peer.TestCase):
    """The whole program, in a small repository."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        self.write("include/rill/base.h", source("/* It does. */", "int rill_here(void);"))

    def write(self, path, text):
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def lint(self, *words):
        return peer.run([LINT, *words], cwd=self.tree, seconds=60)

    def test_clean_tree(self):
        done = self.lint()
        self.assertEqual((done.stdout, done.returncode), ("", 0), done.stderr)

    def test_headers(self):
        self.write("include/rill/error.h", source("/* It does. */", "int rill_error(size_t size);"))
        self.write("include/rill/log.h", source("/* It does. */", "int rill_log(int class);"))
        found = self.lint().stdout
        for compiler in ("gcc -x c ", "clang -x c ", "g++ ", "clang++ "):
            self.assertIn(f"error.h:1: does not compile alone with {compiler}", found)
        self.assertIn("log.h:1: does not compile alone with g++", found)
        self.assertNotIn("log.h:1: does not compile alone with gcc", found)

    def test_exports(self):
        self.write("include/rill/base.h", source(
            "/* It does. */", "#define RILL_API", "RILL_API int rill_here(void);",
            "RILL_API int rill_gone(void);"))
        names = ("rill_here", "rill__mine", "mine")
        self.write("lib.c", source(*(f"int {name};" for name in names)))
        os.mkdir(self.tree / "build")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", "build/librill.so", "lib.c"],
                       cwd=self.tree, check=True)
        done = self.lint("--build", "build", "include")
        self.assertEqual(sorted(done.stdout.splitlines()), [
            "build/librill.so:1: exports mine", "build/librill.so:1: exports rill__mine",
            "include/rill/base.h:5: rill_gone: not in build/librill.so"])
        self.assertEqual(done.returncode, 1)

    def test_lists_new_files_but_not_ignored_ones(self):
        self.write(".gitignore", "*.o\n")
        self.write("a.o", "")
        self.write("b.c", "")
        self.assertEqual(self.lint("--files").stdout.split(),
                         [".gitignore", "b.c", "include/rill/base.h"])
        self.assertEqual(self.lint("--files", "include").stdout.split(), ["include/rill/base.h"])


if __name__ == "__main__":
    peer.main()
