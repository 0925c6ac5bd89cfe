"""EF.CardSecurity from the terminal's side: what it says, unproven (Doc 9303-11 §9.2.11). Its signature is judged elsewhere."""

from __future__ import annotations

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError, TlvError
from hardware.emrtd.tlv import CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET


def security_infos_of(card_security: bytes) -> bytes:
    """Return the SET OF SecurityInfo (DER) inside the CMS SignedData of EF.CardSecurity (RFC 5652 §3, §5.1). Raises ChipError."""
    try:
        _, content = _fields(tlv.only(card_security, SEQUENCE), OBJECT_IDENTIFIER, CONTEXT_0)
        _, _, encapsulated = _fields(tlv.only(content, SEQUENCE), INTEGER, SET, SEQUENCE)
        _, content = _fields(encapsulated, OBJECT_IDENTIFIER, CONTEXT_0)
        return tlv.only(content, OCTET_STRING)
    except TlvError as error:
        raise ChipError("CARD_SECURITY_MALFORMED", error.what, file="EF.CardSecurity", offset=error.offset) from error


def _fields(data: bytes, *tags: int) -> list[bytes]:
    """Values of the first fields of ``data``, which must have these tags; what follows them is left. Raises TlvError."""
    values, offset = [], 0
    for tag in tags:
        item = tlv.read_tlv(data, offset)
        if item.tag != tag:
            raise TlvError("TLV_TAG", f"tag {item.tag:02X} where {tag:02X} must stand", offset=offset)
        values.append(item.value)
        offset = item.end
    return values
