"""The proofs that a chip is no copy, as it gives them: evidence, never a verdict (Doc 9303-11 §6.1, §6.2, §4.4.3.5).

What a proof is worth, and whether its key was signed, is for others to judge. A chip that answers anything but a proof has not proven
itself; that is evidence, too, and no error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hardware.emrtd import active_authentication, chip_authentication, pace
from hardware.emrtd.active_authentication import CHALLENGE, ActiveAuthenticationEvidence
from hardware.emrtd.apdu import OK, SHORT_NE, CommandApdu
from hardware.emrtd.card_security import security_infos_of
from hardware.emrtd.channel import Channel
from hardware.emrtd.chip_authentication import ChipAuthenticationEvidence, Choice
from hardware.emrtd.errors import ChipError
from hardware.emrtd.files import READ_BINARY
from hardware.emrtd.lds import FILES
from hardware.emrtd.pace import PaceOffer, PaceSession
from hardware.emrtd.security_infos import parse_security_infos
from hardware.emrtd.steps import Steps

Random = Callable[[int], bytes]
CARD_SECURITY = "EF.CardSecurity"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceCamEvidence:
    """PACE with chip authentication mapping. ``public_key`` is the SubjectPublicKeyInfo (DER) in EF.CardSecurity whose private key
    the chip used in the newest session, empty where none fits; it counts only once EF.CardSecurity is proven. It is hidden in repr: it
    names one chip for life.
    """

    public_key: bytes = field(repr=False)
    oid: str
    succeeded: bool


def authenticate_chip(channel: Channel, dg14: bytes, steps: Steps, random: Random) -> ChipAuthenticationEvidence | None:
    """Run chip authentication; None where DG14 offers none that we can run. TagLost and DeviceError pass through.

    On success the channel goes on under the new keys, after a refusal under the old ones; otherwise its session is broken.
    """
    with steps.step("chip_authentication") as outcome:
        try:
            choice = chip_authentication.choose(dg14)
        except ChipError as error:
            outcome.result = error.code
            return None
        if choice is None:
            outcome.result = "not_supported"
            return None
        succeeded = _proves(channel, choice, random)
        outcome.result = "successful" if succeeded else "failed"
        return choice.evidence(succeeded=succeeded)


def _proves(channel: Channel, choice: Choice, random: Random) -> bool:
    """Agree on keys, then read four bytes under them: only an authentic answer shows that the chip holds its key (§6.2.2)."""
    try:
        channel.secure(chip_authentication.run(channel.exchange, choice, random))
        channel.exchange(CommandApdu(ins=READ_BINARY, p1=0x80 | FILES["EF.COM"].sfi, ne=4))
    except ChipError as error:
        if error.code != "CA_REFUSED":
            channel.abandon()
        return False
    return True


def authenticate_actively(channel: Channel, dg15: bytes, steps: Steps, random: Random) -> ActiveAuthenticationEvidence:
    """Run active authentication. TagLost and DeviceError pass through. A device that is too narrow for the signature gets none."""
    challenge, response = random(CHALLENGE), b""
    command = active_authentication.command(challenge, dg15)
    command = replace(command, ne=min(command.ne or SHORT_NE, max(SHORT_NE, channel.longest_response)))
    with steps.step("active_authentication") as outcome:
        try:
            answer = channel.exchange(command)
            response = answer.data if answer.sw == OK else b""
            outcome.result = "successful" if response else "refused"
        except ChipError as error:
            outcome.result = error.code
    return ActiveAuthenticationEvidence(challenge=challenge, response=response)


def pace_cam(offer: PaceOffer, session: PaceSession, card_security: bytes) -> PaceCamEvidence:
    """Hold what PACE left in ``session`` against the keys in EF.CardSecurity as read (empty where it is missing)."""
    try:
        infos = parse_security_infos(security_infos_of(card_security), CARD_SECURITY)
        key = pace.cam_public_key(session, infos, offer)
    except ChipError:
        key = None
    return PaceCamEvidence(public_key=key or b"", oid=offer.oid, succeeded=key is not None)
