"""The fixed plan that a reading is measured against: which APDUs, how long, worked out beforehand and not from what a reader sends.

Before each file a SELECT, then READ BINARY of 223 bytes, or of the whole file where the chip takes extended length; in front PACE with
generic mapping on a curve of 256 bits, behind chip authentication on one. Neither chip nor reader computes. Answers under secure
messaging have the table's lengths, up to five bytes fewer than DO'99' and DO'8E' make them (Doc 9303-11 §9.8.4): at 424 kbit/s that
alone puts an honest reading in short length 2 % above the plan, and reading by short identifier, without SELECT, 1 % below.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardware.sim.chip_link import LinkModel

FILES = {"EF.COM": 26, "EF.SOD": 2_000, "DG1": 93, "DG2": 20_000, "DG14": 400}
"""Bytes of the files of an ordinary passport, in the order of the plan."""
ACTIVE = {"DG15": 170}
"""What one with active authentication has beside them."""
SHORT, WHOLE = 223, 65_536
"""Bytes asked for at a time."""
KBIT_S = (106, 212, 424, 848)

Exchange = tuple[int, int]
"""Bytes of a command and of its response, status included."""

PACE: tuple[Exchange, ...] = ((20, 2), (8, 22), (75, 71), (75, 71), (18, 14))
"""MSE:Set AT; nonce, mapping, key agreement (points of 65 bytes), tokens. In the clear."""
CHIP_AUTHENTICATION: tuple[Exchange, ...] = ((35, 16), (102, 35), (19, 35))
"""MSE:Set AT, GENERAL AUTHENTICATE, and four bytes under the new keys."""
ACTIVE_AUTHENTICATION: tuple[Exchange, ...] = ((38, 99),)
"""Eight bytes of challenge, an ECDSA signature of 64."""

TABLE_MS = {106: (2345, 2050, 37, 33), 212: (1183, 1035, 19, 17), 424: (603, 528, 10, 9), 848: (312, 274, 5, 4)}
"""By rate, as worked out by hand: all files in short length (110 APDUs) and in extended length (12), and what PACE and both proofs add."""


def reading(files: dict[str, int], chunk: int) -> Iterator[Exchange]:
    """The exchanges that read ``files``, at most ``chunk`` bytes in each."""
    for length in files.values():
        yield 37, 18
        for offset in range(0, length, chunk):
            padded = (min(chunk, length - offset) // 16 + 1) * 16
            yield 19, padded + (15 if padded < 256 else 18)


def milliseconds(exchanges: Iterator[Exchange] | tuple[Exchange, ...], kbit_s: float) -> float:
    """What ``exchanges`` take on the air."""
    link = LinkModel(kbit_s=kbit_s)
    return sum(link.seconds(*exchange) for exchange in exchanges) * 1000


def whole_ms(kbit_s: float, chunk: int) -> float:
    """PACE, all of :data:`FILES`, chip authentication."""
    return milliseconds((*PACE, *reading(FILES, chunk), *CHIP_AUTHENTICATION), kbit_s)


def deviations() -> dict[str, float]:
    """How far, in milliseconds, the plan is from the table at each rate: all within the rounding of its figures but for the slowest."""
    found = {}
    for kbit_s, (short, extended, pace, proofs) in TABLE_MS.items():
        everything = FILES | ACTIVE
        found |= {
            f"{kbit_s} short": milliseconds(reading(everything, SHORT), kbit_s) - short,
            f"{kbit_s} extended": milliseconds(reading(everything, WHOLE), kbit_s) - extended,
            f"{kbit_s} PACE": milliseconds(PACE, kbit_s) - pace,
            f"{kbit_s} proofs": milliseconds(CHIP_AUTHENTICATION + ACTIVE_AUTHENTICATION, kbit_s) - proofs,
        }
    return found
