"""EF.DIR and EF.ATR/INFO, the two files beside the application that anyone may read (Doc 9303-10 §3.11.1, §3.11.2).

Neither is signed: what they say is a hint, and a lie costs a retry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hardware.emrtd import tlv
from hardware.emrtd.lds_objects import DataObject, Octets, objects

APPLICATION_TEMPLATE, APPLICATION_IDENTIFIER = 0x61, 0x4F
MAX_IDENTIFIER = 16
"""Octets of an application identifier (ISO/IEC 7816-4 §8.2.1.2)."""
CARD_CAPABILITIES, EXTENDED_LENGTH_INFORMATION, MAXIMUM = 0x47, 0x7F66, 0x02
_CHAINING, _EXTENDED = 0x80, 0x40
"""Bits 8 and 7 of the third software function octet (Table 29)."""
MAX_LIMIT_OCTETS = 3
"""Extended length ends at 65,536 + the header; three octets hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtrInfo:
    """What the chip says it can take. ``max_command`` and ``max_response`` are octets of a whole APDU, 0 where not stated."""

    command_chaining: bool = False
    extended_length: bool = False
    max_command: int = 0
    max_response: int = 0


def parse_atr_info(data: Octets) -> AtrInfo:
    """EF.ATR/INFO, whose data objects follow one another without a template. Unknown ones are passed over. Raises LdsError."""
    items = {item.tag: item for item in objects("EF.ATR/INFO", memoryview(data), 0, len(data))}
    capabilities = items[CARD_CAPABILITIES].value if CARD_CAPABILITIES in items else b""
    functions = capabilities[2] if len(capabilities) > 2 else 0
    limits = _limits(items[EXTENDED_LENGTH_INFORMATION]) if EXTENDED_LENGTH_INFORMATION in items else (0, 0)
    return AtrInfo(
        command_chaining=bool(functions & _CHAINING),
        extended_length=bool(functions & _EXTENDED),
        max_command=limits[0],
        max_response=limits[1],
    )


def _limits(item: DataObject) -> tuple[int, int]:
    limits = item.children(2)
    if len(limits) != 2 or any(limit.tag != MAXIMUM or not 0 < limit.end - limit.body <= MAX_LIMIT_OCTETS for limit in limits):
        raise item.error("LIMITS", "not two lengths")
    return int.from_bytes(limits[0].value), int.from_bytes(limits[1].value)


def parse_dir(data: Octets) -> tuple[bytes, ...]:
    """The application identifiers in EF.DIR, in the chip's order. Raises LdsError."""
    return tuple(_identifier(template) for template in objects("EF.DIR", memoryview(data), 0, len(data)))


def _identifier(template: DataObject) -> bytes:
    if template.tag != APPLICATION_TEMPLATE:
        raise template.error("TEMPLATE", f"tag {template.tag:02X} among the application templates")
    identifier = template.by_tag().get(APPLICATION_IDENTIFIER)
    if identifier is None or not 0 < identifier.end - identifier.body <= MAX_IDENTIFIER:
        raise template.error("TEMPLATE", "no application identifier")
    return identifier.value


def build_dir(identifiers: Iterable[bytes]) -> bytes:
    """EF.DIR with these application identifiers."""
    return b"".join(tlv.encode(APPLICATION_TEMPLATE, tlv.encode(APPLICATION_IDENTIFIER, each)) for each in identifiers)


def build_atr_info(info: AtrInfo) -> bytes:
    """EF.ATR/INFO that says ``info``; selection by name and short identifiers are always offered."""
    functions = info.command_chaining * _CHAINING | info.extended_length * _EXTENDED | 0x20 * bool(info.max_response)
    file = tlv.encode(CARD_CAPABILITIES, bytes([0x84, 0x01, functions]))
    if info.max_response:
        limits = (tlv.encode(MAXIMUM, limit.to_bytes(MAX_LIMIT_OCTETS)) for limit in (info.max_command, info.max_response))
        file += tlv.encode(EXTENDED_LENGTH_INFORMATION, b"".join(limits))
    return file
