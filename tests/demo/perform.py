"""Runs ``autogate demo`` with one room's result taken away: ``perform.py [pki|faceverify] OPTIONS…``.

The process of that room is replaced by one that runs the same code, but hands the lane none of the room's facts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

WITHHELD = {
    "pki": ("reader", ("passive_authentication", "revocation", "chip_authenticity", "dg1_mrz")),
    "faceverify": ("vision", ("face", "pad")),
}


def change(commands: Mapping[str, Sequence[str]], room: str) -> dict[str, Sequence[str]]:
    """The commands with the room's process replaced by this very file, as ``--withhold``."""
    process, _ = WITHHELD[room]
    python, _, _, *rest = commands[process]
    return {**commands, process: [python, __file__, "--withhold", room, *rest]}


def withhold(room: str) -> int:
    """Be the room's process, without its facts."""
    import importlib

    import msgspec

    from gate.processes.worker import Worker, worker_main

    process, facts = WITHHELD[room]
    post = Worker.post

    def silent(self: Worker, message: object) -> None:
        told = getattr(message, "facts", None)
        if told is not None:
            kept = {name: fact for name, fact in told.items() if name not in facts}
            message = msgspec.structs.replace(message, facts=kept)  # type: ignore[type-var] # all messages are structs
        post(self, message)  # type: ignore[arg-type] # as it came

    Worker.post = silent  # type: ignore[method-assign] # the point of this file
    return worker_main(process, importlib.import_module(f"gate.processes.{process}").serve)


def main() -> int:
    if sys.argv[1] == "--withhold":
        room = sys.argv[2]
        del sys.argv[1:3]
        return withhold(room)
    import argparse

    from gate.demo.run import add_arguments, demo_command

    room = sys.argv.pop(1)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return demo_command(parser.parse_args(), (lambda commands: change(commands, room)) if room else dict)


if __name__ == "__main__":
    sys.path.pop(0) if sys.path[0] == str(Path(__file__).parent) else None
    raise SystemExit(main())
