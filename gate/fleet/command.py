"""``autogate fleet …``: many gates and their centre. A room's commands are loaded when one of them is asked for, and not before.

A room's module has ``add_arguments(word, parser)``, which gives the command ``word`` its options, and ``run(word, options) -> int``.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any, NamedTuple


class Word(NamedTuple):
    """Which module knows a command, and what the command does."""

    module: str
    help: str


_KEYS, _UPDATES, _CENTRE, _PAGE = (
    "gate.fleet.keys.command",
    "gate.fleet.updates.command",
    "gate.fleet.centre.command",
    "gate.fleet.page.command",
)
COLLECT = "collect"
DSN = "AUTOGATE_DSN"
"""Names the centre's database where no option does: others could read a password among the arguments of a process."""
EXIT_CANNOT = 2
WORDS = {
    "enrol": Word(_KEYS, "make a gate's keys, and the request that two people approve"),
    "approve": Word(_KEYS, "one of two people approves a request"),
    "admit": Word(_KEYS, "issue what a gate was approved for, and list its keys"),
    "revoke": Word(_KEYS, "believe a key no more"),
    "rotate": Word(_KEYS, "put a new key in the place of one"),
    "keys": Word(_KEYS, "the directory of keys, and the root above it"),
    "update": Word(_UPDATES, "what gates may be given: rules, trust stores, snapshots, configurations"),
    "rollout": Word(_UPDATES, "give it to one gate, a bank, an airport, all"),
    "verify": Word(_CENTRE, "read the centre's database alone: every number, link and checkpoint of every gate"),
    "alerts": Word(_CENTRE, "gaps, forks, late and silent gates, what was forged"),
    "retain": Word(_CENTRE, "drop what the centre need not keep any more"),
    "destroy": Word(_CENTRE, "destroy personal fields at the centre, as two people ordered"),
    "page": Word(_PAGE, "one screen for who is on duty: banks, throughput, reasons, freshness, alerts"),
    "demo": Word("gate.fleet.demo", "twenty gates at two airports, broker, database, collector and page on this machine"),
}


def add_arguments(parser: argparse.ArgumentParser, word: str) -> None:
    """The commands; options only of ``word``, so that nothing else is loaded."""
    commands = parser.add_subparsers(dest="fleet", required=True, metavar="COMMAND")
    for name, (_, helps) in WORDS.items():
        command = commands.add_parser(name, help=helps)
        if name == word:
            _room(name).add_arguments(name, command)


def fleet_command(options: argparse.Namespace) -> int:
    """Run the one that was asked for. Returns its exit status."""
    done: int = _room(options.fleet).run(options.fleet, options)
    return done


def add_collect_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``autogate collect``, the centre's service."""
    _room(COLLECT).add_arguments(COLLECT, parser)


def collect_command(options: argparse.Namespace) -> int:
    """Returns its exit status."""
    done: int = _room(COLLECT).run(COLLECT, options)
    return done


def _room(word: str) -> Any:
    try:
        return import_module(_CENTRE if word == COLLECT else WORDS[word].module)
    except ModuleNotFoundError as error:
        print(f"autogate: {word} needs {error.name}: install autogate with its extras fleet, centre and screens", file=sys.stderr)
        raise SystemExit(EXIT_CANNOT) from error
