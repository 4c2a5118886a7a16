#!/usr/bin/env python3
"""Writes the files of the live page as C arrays: embed.py OUTPUT FILE..."""

import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def array(name, content):
    rows = (content[at : at + 16] for at in range(0, len(content), 16))
    lines = "\n".join("    " + " ".join(f"{byte}," for byte in row) for row in rows)
    return f"static const unsigned char {name}[] = {{\n{lines}\n}};\n"


def main(output, *sources):
    arrays, entries = [], []
    for number, source in enumerate(map(pathlib.Path, sources)):
        content = source.read_bytes()
        path = "/" if source.suffix == ".html" else f"/{source.name}"
        etag = hashlib.sha256(content).hexdigest()[:20]
        arrays.append(array(f"file_{number}", content))
        entries.append(
            f'    {{ "{path}", "{TYPES[source.suffix]}", "\\"{etag}\\"", '
            f"file_{number}, sizeof file_{number} }},\n"
        )
    pathlib.Path(output).write_text(
        "/* Made by embed.py. */\n"
        '#include "page.h"\n\n'
        + "\n".join(arrays)
        + "\nconst struct page_file page_files[] = {\n"
        + "".join(entries)
        + "};\n\nconst size_t page_file_count = sizeof page_files / sizeof *page_files;\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
