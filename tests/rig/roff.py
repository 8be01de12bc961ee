"""Reads the pages in man/ back as sections, paragraphs and examples, and has groff and mandoc look at them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Everything of the roff language that the pages use between words.
ESCAPES = {
    r"\-": "-", r"\~": " ", r"\|": "", r"\&": "", r"\e": "\\",
    r"\(aq": "'", r"\(ti": "~", r"\(ha": "^", r"\(bu": "*", r"\(dq": '"', r"\(lq": '"', r"\(rq": '"',
}  # fmt: skip
COMMANDS = (["groff", "-man", "-Tutf8", "-ww", "-z"], ["mandoc", "-T", "lint", "-W", "warning"])
"""Those that print what is wrong with a page."""


@dataclass(frozen=True)
class Entry:
    """A paragraph: its tag, empty where it has none, and its text."""

    tag: str
    text: str


@dataclass(frozen=True)
class Section:
    """What stands under one heading, of the first level or of the second."""

    title: str
    heading: str
    """The heading of the first level that it stands under; its own title where it is one."""
    entries: tuple[Entry, ...]

    @property
    def tags(self) -> list[str]:
        """Return the tags of its paragraphs, in order."""
        return [entry.tag for entry in self.entries if entry.tag]

    @property
    def text(self) -> str:
        """Return all its text."""
        return "\n".join(f"{entry.tag}\n{entry.text}" for entry in self.entries)

    def named(self, label: str) -> list[str]:
        """Return the words of a line like "Formats: table (default), json."."""
        found = re.search(rf"^{label}: (.*)\.$", self.text, re.MULTILINE)
        assert found, f'"{self.title}" has no line that begins with "{label}:"'
        return found[1].split(", ")

    def entry(self, tag: str) -> Entry:
        """Return the paragraph with this tag."""
        [found] = [entry for entry in self.entries if entry.tag == tag]
        return found


def plain(text: str) -> str:
    """Return text without its fonts and with its characters as they are printed."""
    without_fonts = re.sub(r"\\f[BIRP]", "", text)
    return re.sub(r"\\(?:\(..|.)", lambda escape: ESCAPES[escape[0]], without_fonts)


def plain_line(line: str) -> str:
    """Return a line as it is printed: text, or the arguments of a macro that sets fonts."""
    if not line.startswith("."):
        return plain(line)
    macro, *arguments = (quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', line))
    return plain(("" if len(macro) == 3 else " ").join(arguments))


def read_page(page: Path) -> Iterator[Section]:
    """Yield the sections of a page."""
    heading = title = ""
    entries: list[Entry] = []
    tag_follows = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith((".SH ", ".SS ")):
            if title:
                yield Section(title, heading, tuple(entries))
            title = plain(line[4:])
            heading = title if line.startswith(".SH") else heading
            entries = [Entry("", "")]
        elif line in (".TP", ".PP") or line.startswith(".IP "):
            entries.append(Entry("", ""))
            tag_follows = line == ".TP"
        elif tag_follows:
            entries[-1] = Entry(plain_line(line), "")
            tag_follows = False
        elif title and not re.match(r"\.(SY|YS|RS|RE|EX|EE|IP|nf|fi|br|\\\")", line):
            entries[-1] = Entry(entries[-1].tag, f"{entries[-1].text}{plain_line(line)}\n")
    yield Section(title, heading, tuple(entries))


def example_blocks(page: Path) -> list[str]:
    """Return the examples of a page, each with all its lines."""
    blocks = re.findall(r"^\.EX\n(.*?)^\.EE$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return ["".join(f"{plain(line)}\n" for line in block.splitlines()) for block in blocks]


def complaints(command: list[str], page: Path) -> str:
    """Return what one of COMMANDS finds wrong with a page."""
    done = subprocess.run([*command, str(page)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def lines_in_80_columns(page: Path) -> list[str]:
    """Return the lines of a page as a terminal of 80 columns shows them."""
    command = ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=80n", "-rHY=0", str(page)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout.splitlines()
