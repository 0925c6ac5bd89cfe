"""Getting into a chip: PACE wherever EF.CardAccess offers it, else basic access control (Doc 9303-11 §4.2).

**Fail closed.** A chip that offers PACE is not read over BAC: anybody between us and the chip could spoil PACE to get at the weaker
protocol. A malformed EF.CardAccess counts as an offer. The one way round is the named tolerance, and it stands in the evidence. An
EF.CardAccess that was hidden altogether shows afterwards, when it is held against the signed DG14. A next offer is tried only where
the chip turned one down by name, before anything that depends on the password was sent; a wrong password is never tried twice, since
chips slow down or block.

After a lost tag the same chip must be entered in the same way: same EF.CardAccess, same protocol, same parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hardware.emrtd import pace
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import OK, SHORT_NE, WRONG_LENGTH, CommandApdu, ResponseApdu
from hardware.emrtd.bac import KEYING, NONCE, BacExchange
from hardware.emrtd.channel import Channel
from hardware.emrtd.errors import AccessError, ApduError, ChipChangedError, ChipError
from hardware.emrtd.files import REFUSED, Download, FileReader
from hardware.emrtd.pace import PaceOffer, PaceSession
from hardware.emrtd.steps import Steps

BAC_WHERE_PACE_FAILED = "bac_where_pace_failed"
"""The tolerance: read over BAC a chip that turns its own PACE down, or whose PACE is none that we know."""
TOLERABLE = frozenset({"PACE_REFUSED", "PACE_UNSUPPORTED", "CARD_ACCESS_MALFORMED"})
"""Codes that the tolerance covers. A wrong password is one for BAC, too, and must not be tried twice; a wrong answer is no chip's habit."""
GET_CHALLENGE, EXTERNAL_AUTHENTICATE = 0x84, 0x82
SEALED = 40
"""Bytes of EXTERNAL AUTHENTICATE's data, either way. Some chips refuse to be asked for exactly these, and answer to Le 00."""
WRONG_LE = 0x6C
MAX_OFFERS = 4
"""So many of a chip's offers are tried; chips make one or two."""
CARD_ACCESS = "EF.CardAccess"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvidence:
    """How the chip was entered. ``oid`` and ``parameter_id`` are those of PACE (empty and None for BAC), ``tolerance`` is the one that
    was used, ``sessions`` counts the runs of access control: more than one where the tag was lost or a session broke.
    """

    protocol: Literal["bac", "pace"]
    oid: str
    parameter_id: int | None
    password: Literal["mrz", "can"]
    tolerance: str
    sessions: int


class Access:
    """Enters a chip over ``channel``, and enters it again in the same way."""

    def __init__(
        self,
        channel: Channel,
        reader: FileReader,
        key: AccessKey,
        *,
        steps: Steps,
        tolerances: frozenset[str],
        random: Callable[[int], bytes],
    ) -> None:
        self._channel, self._reader, self._key = channel, reader, key
        self._steps, self._random = steps, random
        self._tolerant = BAC_WHERE_PACE_FAILED in tolerances and key.kind == "mrz"
        self._tolerance = ""
        self._sessions = 0
        self._looked = False
        self.offer: PaceOffer | None = None
        """The offer that PACE ran with; None for BAC."""
        self.session: PaceSession | None = None
        """What PACE left in the newest session; None for BAC."""
        self.card_access: bytearray | None = None
        """EF.CardAccess as read; None where the chip has none, empty where it is malformed."""

    @property
    def evidence(self) -> AccessEvidence:
        """Once :meth:`enter` returned."""
        return AccessEvidence(
            protocol="pace" if self.offer else "bac",
            oid=self.offer.oid if self.offer else "",
            parameter_id=self.offer.parameter_id if self.offer else None,
            password=self._key.kind,
            tolerance=self._tolerance,
            sessions=self._sessions,
        )

    def look(self) -> None:
        """On a chip as it is after power-on: read what it offers, in the clear. Raises ChipError (CHIP_CHANGED where it is not what it
        was); TagLost and DeviceError pass through.
        """
        self._channel.restart()
        self._reader.restart()
        if not self._looked:
            with self._steps.step("capabilities"):
                self._reader.learn_length()
        with self._steps.step("card_access") as outcome:
            seen = self._offered()
            if self._looked and seen != self.card_access:
                raise ChipChangedError("CHIP_CHANGED", "not the offer that was made before", file=CARD_ACCESS)
            self.card_access, self._looked = seen, True
            if seen is None:
                outcome.result = "not_supported"

    def enter(self) -> None:
        """After :meth:`look`: pass access control, the first time or again. Raises as that does, and AccessError."""
        if not self._sessions:
            self._choose()
        elif self.offer:
            self._pace((self.offer,))
        else:
            self._bac()
        self._sessions += 1

    def close(self) -> None:
        """Forget the session and what PACE left of it."""
        self._channel.restart()
        self.session = None

    def _offered(self) -> bytearray | None:
        """EF.CardAccess; None where the chip answers by a refusal, empty where it answers with anything that is no such file: a file
        that begins and is then refused is one that the chip has.
        """
        download = Download(name=CARD_ACCESS)
        try:
            self._reader.read(download)
        except ApduError:
            raise
        except ChipError as error:
            return None if error.code in REFUSED and not download.content else bytearray()
        return download.content

    def _choose(self) -> None:
        try:
            offers = () if self._tolerance else self._offers()
            if offers:
                return self._pace(offers)
        except ChipError as error:
            if not self._tolerant or error.code not in TOLERABLE:
                raise
            self._channel.restart()
            self._tolerance = BAC_WHERE_PACE_FAILED
        return self._bac()

    def _offers(self) -> tuple[PaceOffer, ...]:
        if self.card_access is None:
            return ()
        if not self.card_access:
            raise AccessError("CARD_ACCESS_MALFORMED", "neither a file nor a refusal", file=CARD_ACCESS)
        return pace.offers(bytes(self.card_access))[:MAX_OFFERS]

    def _pace(self, offers: tuple[PaceOffer, ...]) -> None:
        with self._steps.step("pace"):
            for count, offer in enumerate(offers, 1):
                try:
                    self.session = pace.establish(self._channel.exchange, offer, self._key, random=self._random)
                except AccessError as error:
                    if error.code != "PACE_REFUSED" or count == len(offers):
                        raise
                else:
                    self.offer = offer
                    self._channel.secure(self.session.session)
                    return

    def _bac(self) -> None:
        if self._key.kind != "mrz":
            raise AccessError("CAN_NEEDS_PACE", "the CAN is a password of PACE, which this chip does not offer")
        with self._steps.step("bac"):
            self._reader.enter_application()
            cipher = self._key.bac_cipher()
            for ne in (SEALED, SHORT_NE):
                run = BacExchange(rnd_ic=self._challenge(), rnd_ifd=self._random(NONCE), k_ifd=self._random(KEYING))
                response = self._channel.exchange(CommandApdu(ins=EXTERNAL_AUTHENTICATE, data=run.request(cipher), ne=ne))
                if response.sw != WRONG_LENGTH and response.sw >> 8 != WRONG_LE:
                    break
            self._channel.secure(run.session(cipher, _accepted(response, "EXTERNAL AUTHENTICATE")))

    def _challenge(self) -> bytes:
        rnd_ic = _accepted(self._channel.exchange(CommandApdu(ins=GET_CHALLENGE, ne=NONCE)), "GET CHALLENGE")
        if len(rnd_ic) != NONCE:
            raise AccessError("ACCESS_REPLY_WRONG", f"a challenge of {len(rnd_ic)} bytes")
        return rnd_ic


def _accepted(response: ResponseApdu, name: str) -> bytes:
    if response.sw != OK:
        raise AccessError("ACCESS_DENIED", f"{name} ended with status {response.sw:04X}")
    return response.data
