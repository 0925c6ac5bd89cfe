"""Active authentication, the terminal's side (Doc 9303-11 §6.1). Sans-IO; the signature is judged elsewhere, against a verified DG15."""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.emrtd.apdu import EXTENDED_NE, SHORT_NE, CommandApdu

INTERNAL_AUTHENTICATE = 0x88
CHALLENGE = 8
"""Bytes of RND.IFD, fresh for each transaction (§6.1.2.1)."""
RSA_ENCRYPTION = bytes.fromhex("06092A864886F70D010101")
SHORT_DG15 = 261
"""The longest DG15 with an RSA key whose signature fits a protected short response (223 bytes, and 38 of frame around the modulus)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationEvidence:
    """The challenge and what the chip answered; an empty ``response`` means that it refused."""

    challenge: bytes
    response: bytes = field(repr=False)


def command(challenge: bytes, dg15: bytes) -> CommandApdu:
    """INTERNAL AUTHENTICATE (§6.1). ``dg15`` hints at the signature's length: a chip whose key needs extended length must take it,
    even where it says so only in its ATS, which we do not see (Doc 9303-10 §3.6.4.1).
    """
    wide = RSA_ENCRYPTION in dg15[:40] and len(dg15) > SHORT_DG15
    return CommandApdu(ins=INTERNAL_AUTHENTICATE, data=challenge, ne=EXTENDED_NE if wide else SHORT_NE)
