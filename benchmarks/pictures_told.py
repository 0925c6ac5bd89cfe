"""The pictures process, which says where it listens and what is on offer: ``python -P pictures_told.py FILE OPTIONS…``.

It runs the same code. What it writes into FILE the lane tells only to a console whose officer is on watch; whoever looks in a benchmark has no console.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from gate.processes import pictures
from gate.processes.messages import OfferPictures
from gate.processes.pictures_http import Case, Server


def main() -> int:
    file, told = Path(sys.argv.pop(1)), dict[str, object]()
    listen, offered = Server.listen, Case.offered

    def tell(**more: object) -> None:
        told.update(more)
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(told), encoding="ascii")
        draft.replace(file)

    async def listens(self: Server) -> asyncio.Server:
        server = await listen(self)
        tell(port=server.sockets[0].getsockname()[1])
        return server

    def offers(self: Case, offer: OfferPictures) -> None:
        offered(self, offer)
        tell(token=offer.token)

    Server.listen, Case.offered = listens, offers  # type: ignore[method-assign]  # the point of this file
    return pictures.main()


if __name__ == "__main__":
    raise SystemExit(main())
