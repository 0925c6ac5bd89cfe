"""Active authentication, the terminal's side (Doc 9303-11 §6.1). Sans-IO; the signature is judged elsewhere, against a verified DG15."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from hardware.emrtd.apdu import EXTENDED_NE, SHORT_NE, CommandApdu

INTERNAL_AUTHENTICATE = 0x88
CHALLENGE = 8
"""Bytes of RND.IFD (§6.1.1)."""
SHORT_SIGNATURE = 223
"""The longest signature that fits a protected short response; RSA keys above 1,784 bits need extended length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationEvidence:
    """The challenge and what the chip answered; an empty ``response`` means that it refused."""

    challenge: bytes
    response: bytes = field(repr=False)


def new_challenge() -> bytes:
    """A fresh challenge, for one transaction only."""
    return secrets.token_bytes(CHALLENGE)


def command(challenge: bytes, dg15: bytes, *, extended: bool) -> CommandApdu:
    """INTERNAL AUTHENTICATE. ``dg15`` tells how long the signature can be, ``extended`` whether the chip takes long APDUs."""
    wide = extended and len(dg15) > SHORT_SIGNATURE
    return CommandApdu(ins=INTERNAL_AUTHENTICATE, data=challenge, ne=EXTENDED_NE if wide else SHORT_NE)
