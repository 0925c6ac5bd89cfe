"""The lane's part in showing pictures to officers: while a traveller waits for one, under a token of its own, and written down before.

No picture passes through here. Vision sends none before somebody who knows the token has asked and the log has taken that they did.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from gate.doctor import LOOPBACK
from gate.processes.messages import AnyMessage, Forget, OfferPictures, PicturesAsked, PicturesListen, Role, ShowPictures

TOKEN_BYTES = 32
RENEW_EVERY_S = 15.0
"""The offer is said again this often, and lapses after four times as long (``gate.processes.pictures``)."""
LAST_PORT = 65_535


class PictureDesk:
    """Who may be looked at, and where. Runs on the lane's loop alone."""

    def __init__(
        self, boot: Callable[[], float], tell: Callable[[Role, AnyMessage], None], write: Callable[[Callable[[], None]], None]
    ) -> None:
        """``boot`` tells boot seconds; ``tell`` sends to a role without waiting; ``write`` puts into the log that the running traveller is
        looked at, and calls what it is given once that is durable.
        """
        self._boot, self._tell, self._write = boot, tell, write
        self._waits = ""
        self._port, self._offer, self._asked, self._told = 0, OfferPictures(), False, 0.0

    @property
    def address(self) -> str:
        """Of the pictures, with the token without which they are not to be had; empty while there are none."""
        return f"http://{LOOPBACK}:{self._port}/{self._offer.token}" if self._offer.token else ""

    def gone(self) -> None:
        """The process that shows them came or went, with all that it held: it says where it listens."""
        self._port, self._offer, self._asked = 0, OfferPictures(), False

    def hear(self, told: AnyMessage) -> None:
        """What that process says; what it says of another case than the one on offer is dropped."""
        match told:
            case PicturesListen() if 0 < told.port <= LAST_PORT:
                self._port = told.port
            case PicturesAsked() if self._offer.token and told.transaction == self._offer.transaction and not self._asked:
                self._asked, offer = True, self._offer
                self._write(lambda: self._show(offer))
            case _:
                pass

    def _show(self, offer: OfferPictures) -> None:
        if offer is self._offer:  # what was asked may be over
            self._tell("vision", ShowPictures(transaction=offer.transaction))

    def follow(self, waits: str) -> None:
        """``waits``: the transaction of whoever waits for an officer; empty: nobody does."""
        if waits != self._waits:
            self._withdraw()
            self._waits = waits
        if not waits or not self._port:
            return
        now = self._boot()
        if not self._offer.token:
            self._offer, self._asked = OfferPictures(transaction=waits, token=secrets.token_urlsafe(TOKEN_BYTES)), False
        elif now - self._told < RENEW_EVERY_S:
            return
        self._told = now
        self._tell("pictures", self._offer)

    def _withdraw(self) -> None:
        if self._waits:
            self._tell("vision", Forget(transaction=self._waits))
        if self._offer.token:
            self._offer = OfferPictures()
            self._tell("pictures", self._offer)
