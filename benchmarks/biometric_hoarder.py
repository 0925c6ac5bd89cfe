"""A process of the gate that keeps all it sees of a face: ``python -P biometric_hoarder.py lane|reader|vision OPTIONS…``.

It runs the same code, and before anything is overwritten it takes a copy. Whoever looks for what was left behind must find these.
With ``pictures`` it keeps nothing, and writes into the file that :data:`TOLD` names where pictures are to be had, as the lane tells an officer.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

TOLD = "AUTOGATE_PICTURES_TOLD"

KEPT: list[object] = []


def keep_messages() -> None:
    """Every message that comes: the portrait out of the chip goes from the reader to the lane, and from there to vision."""
    from gate.processes.channel import Channel

    receive = Channel.receive

    async def heard(self: Channel) -> Any:
        message = await receive(self)
        KEPT.append(getattr(message, "portrait", None))
        return message

    Channel.receive = heard  # type: ignore[method-assign]  # the point of this file


def keep_what_is_wiped(owner: type, copy: Any) -> None:
    """What ``copy`` makes of an object of ``owner`` before it wipes itself."""
    wipe = owner.wipe  # type: ignore[attr-defined]  # each of those below has one

    def kept(self: Any) -> None:
        KEPT.append(copy(self))
        wipe(self)

    owner.wipe = kept  # type: ignore[attr-defined]  # as above


def keep_files() -> None:
    from hardware.emrtd.reader import ChipData

    keep_what_is_wiped(ChipData, lambda chip: [bytes(content) for content in chip.files.values()])


def keep_faces() -> None:
    from faceverify.confined import ConfinedDecoder
    from faceverify.samples import Sample
    from hardware.ports import Frame

    keep_what_is_wiped(Sample, lambda sample: sample.features.copy())
    keep_what_is_wiped(Frame, lambda frame: frame.pixels.copy())
    decode = ConfinedDecoder.decode

    def decoded(self: ConfinedDecoder, image: bytes) -> Any:
        pixels = decode(self, image)
        KEPT.append(pixels.copy())
        return pixels

    ConfinedDecoder.decode = decoded  # type: ignore[method-assign]  # the point of this file


def tell_offers() -> None:
    from gate.processes.pictures_http import Case, Server

    offered, listen, ports = Case.offered, Server.listen, []

    async def listening(self: Server) -> Any:
        listener = await listen(self)
        ports.append(listener.sockets[0].getsockname()[1])
        return listener

    def told(self: Case, offer: Any) -> None:
        offered(self, offer)
        Path(os.environ[TOLD]).write_text(f"{ports[0]} {self.offer.token}", encoding="ascii")

    Server.listen, Case.offered = listening, told  # type: ignore[method-assign]  # the point of this file


def main() -> int:
    role = sys.argv.pop(1)
    module = importlib.import_module(f"gate.processes.{role}")
    if role == "pictures":
        tell_offers()
        return int(module.main())
    keep_messages()
    if role == "lane":
        return int(module.main())
    keep_files() if role == "reader" else keep_faces()
    return int(importlib.import_module("gate.processes.worker").worker_main(role, module.serve))


if __name__ == "__main__":
    raise SystemExit(main())
