"""What of a text may leave the gate in a support bundle: words that stand in this program itself, and nothing else.

A line of a log is written by us, but what it quotes may come from anywhere: a document, a registry, a device, a traceback. So nothing is
looked for and taken out; a word passes only where one of our own modules holds it in a string, letter for letter. All else becomes ``…``,
every number ``#`` but the lines of a traceback. Modules that hold names of people as examples lend no words. What this lets pass is a
secret, or a name, that is itself made of nothing but such words.
"""

from __future__ import annotations

import ast
import builtins
import errno
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOMS = ("gate", "hardware", "mrz", "pki", "faceverify")
LENDS_NOTHING = ("demo", "training", "simulation", "sim", "reference", "report", "privacy", "evaluation")
"""Folders with invented people, or with pages for people: no log quotes their words."""
ABOUT_NAMES = ("names.py", "identity.py", "agreement.py", "blocking.py", "codes.py", "transliteration.py", "formats.py")
LONGEST_LINE = 500
_ROOT = Path(__file__).resolve().parent.parent
_WORD = re.compile(r"\w+")
_FRAME = re.compile(r'^\s+File ".*?/((?:gate|hardware|mrz|pki|faceverify)/[\w/]+\.py)", line (\d{1,5}), in ')


@cache
def our_words() -> frozenset[str]:
    """Every word in a string of our modules, of the system's error messages, and the names of exceptions."""
    words = {word for room in ROOMS for file in sorted((_ROOT / room).rglob("*.py")) if _lends(file) for word in _said(file)}
    words |= {word for number in errno.errorcode for word in _WORD.findall(os.strerror(number))}
    words |= {name for name in dir(builtins) if name.endswith(("Error", "Exception", "Exit", "Interrupt"))}
    return frozenset(word for word in words if not word.isdigit())


@cache
def our_files() -> frozenset[str]:
    """Our modules, as ``gate/lane.py``."""
    return frozenset(file.relative_to(_ROOT).as_posix() for room in ROOMS for file in (_ROOT / room).rglob("*.py"))


def _lends(file: Path) -> bool:
    return not set(LENDS_NOTHING) & set(file.relative_to(_ROOT).parts) and file.name not in ABOUT_NAMES


def _said(file: Path) -> Iterator[str]:
    """Words of a module's strings, parts of f-strings among them but no docstrings, and its classes' names."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield from _WORD.findall(node.value)
        elif isinstance(node, ast.ClassDef):
            yield node.name


def ours(text: str) -> str:
    """``text`` with nothing left of it but our own words and what stands between words in ASCII."""
    return "".join(_kept(part) for part in re.split(r"(\w+)", text))


def _kept(part: str) -> str:
    if not _WORD.fullmatch(part):
        return re.sub(r"[^ -~]", "…", part)
    return part if part in our_words() else "#" if part.isdigit() else "…"


def our_line(line: str) -> str:
    """One line of a log. Of a frame of a traceback in one of our modules, file and line number are kept."""
    line = line[:LONGEST_LINE]
    if (frame := _FRAME.match(line)) and frame[1] in our_files():
        return f"  File {frame[1]}, line {frame[2]}"
    return ours(line)
