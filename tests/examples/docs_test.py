"""The programs in the documentation compile as they stand there, against an installed rill.

Every block of C, or C++, in the Markdown files is a whole program when it has a main, else the
statements of a function. A comment before the block, `<!-- statements; with: … -->`, adds what the
text leaves to the reader. The installation lies outside the build folder and is found by
pkg-config.
"""
import os
import pathlib
import re
import tempfile

import peer

BLOCK = re.compile(
    r"(?:<!--(?P<note>(?:(?!-->).)*)-->\n)?```(?P<language>c|cpp)\n(?P<code>.*?)```", re.DOTALL)
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# The language of a block: its compilers, and how its file ends.
LANGUAGES = {"c": (("gcc", "-std=c11"), ("clang", "-std=c11")),
             "cpp": (("g++", "-std=c++17"), ("clang++", "-std=c++17"))}
PRELUDE = """#include <rill/rill.h>
#include <stdio.h>
struct page { rill_session *session; const char *url; size_t size; };
__attribute__((unused)) static int fetch(void *arg) { return arg ? 0 : 1; }
__attribute__((unused)) static int on_response(rill_response *response, void *state)
{
    return response && state ? 0 : 1;
}
void statements(void);
"""


def blocks():
    """Yields (file:line, language, note, code) of every block of C and C++."""
    for path in sorted([peer.SOURCE_DIR / "README.md", *peer.SOURCE_DIR.glob("docs/*.md")]):
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("code")) + 1
            yield f"{path.name}:{line}", match["language"], match["note"] or "", match["code"]


def program(note, code):
    """The block as a translation unit."""
    extra = note.partition("with:")[2].strip()
    if "int main" in code:
        return f"{extra}\n{code}"
    unused = "".join(f"(void){name};" for name in re.findall(r"rill_task (\w+) =", code))
    return f"{PRELUDE}void statements(void)\n{{\n{extra}\n{code}\n{unused}\n}}\n"


class Docs(peer.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rill-docs-")
        cls.root = pathlib.Path(cls.folder.name)
        peer.build_path("librill.so")
        done = peer.run(["meson", "install", "--no-rebuild", "-C", str(peer.BUILD_DIR),
                         "--destdir", str(cls.root / "dest")], seconds=60)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        found = list(cls.root.glob("dest/**/rill.pc"))
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(found[0].parent),
                   "PKG_CONFIG_SYSROOT_DIR": str(cls.root / "dest")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def flags(self, *which):
        done = peer.run(["pkg-config", *which, "rill"], env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def compile(self, compiler, where, code, language="c"):
        source = self.root / f"program.{language}"
        source.write_text(code, encoding="utf-8")
        flags = (self.flags("--cflags", "--libs") if "int main" in code
                 else ["-c", *self.flags("--cflags")])
        name, standard = compiler
        done = peer.run([peer.need(name), standard, *STRICT, str(source), "-o",
                         str(self.root / "program"), *flags])
        self.assertEqual(done.returncode, 0, f"{where} with {name}:\n{done.stderr}")

    @peer.within(120)
    def test_every_block_compiles_without_a_warning(self):
        count = 0
        for where, language, note, code in blocks():
            for compiler in LANGUAGES[language]:
                with self.subTest(where=where, compiler=compiler):
                    self.compile(compiler, where, program(note, code), language)
            count += 1
        self.assertGreaterEqual(count, 6)

    def test_a_misspelt_option_does_not_compile(self):
        code = PRELUDE + "void statements(void) { rill_spawn(fetch, NULL, .nmae = \"x\"); }\n"
        with self.assertRaises(AssertionError):
            self.compile(LANGUAGES["c"][0], "misspelt", code)

    def test_a_program_outside_the_tree_runs(self):
        code = ('#include <jansson.h>\n#include <rill/rill.h>\n#include <stdio.h>\n'
                'static int run(void *arg)\n{\n    (void)arg;\n    puts(rill_version());\n'
                '    json_t *seven = json_integer(7);\n'
                '    int status = (int)json_integer_value(seven);\n'
                '    json_decref(seven);\n    return status;\n}\n'
                'int main(void) { return rill_run(run, NULL); }\n')
        self.compile(LANGUAGES["c"][0], "consumer", code)
        library = next(self.root.glob("dest/**/librill.so")).parent
        done = peer.run([str(self.root / "program")],
                        env={**os.environ, "LD_LIBRARY_PATH": str(library)})
        self.assertEqual((done.returncode, done.stdout), (7, "0.1.0\n"), done.stderr)


if __name__ == "__main__":
    peer.main()
