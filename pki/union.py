"""The union of all sources of trust anchors, never only the newest: with the newest list alone most signers find no CSCA.

For the home State other rules hold: nobody else may say who signs its passports. Its certificates are pinned by fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pki.trust import Csca

UNCONFIRMED = "unconfirmed copy"
"""In the provenance of a pinned certificate: its fingerprint was taken from a published copy, not from the State's own hand."""

INDONESIA: Mapping[str, str] = {
    "ae2d0404bae2ad5020155b909588bcf3ee92015db9182fd09ce8f842ddc56990": "2010 series, CSCA of 2010-12",
    "b89b71919c2a5a50be7cfc8e68d79c6fe7257e6f77ce2311d34ee8ec294c0df5": "2010 series, CSCA of 2016-01",
    "5abd42771a1529a87176863895b00024002d8b91e99ff67d0bcded65d5731533": "2010 series, link of 2016-01",
    "7fa32cd7257d6e095242e49f2718f8dae85e2f0eb8dc34ca191fde4ff2be4982": "2010 series, CSCA of 2020-10",
    "22d2f0c0007c5b37e724f5cecbb7b8f08f3708705ee494023cee4edb6a9d2e4e": "2010 series, link of 2020-10",
    "0bc5002e649afe62f5e7ad4f1fca9ca118add11a00ec7e64c4ffcc651d542c53": "CSCAProd of 2018-12",
    "37ca89483f0d2a3ef84e47b968135c7c5879bcaf47e9bc6399e4c3af8eb439dd": "CSCAProd of 2021-12",
    "775cd899900f9928647d96cba54d0706fcdee72ad7be27133c2affd9e09dd65f": "CSCAProd of 2022-10",
}
"""SHA-256 over the certificate → what it is: Indonesia's two series. None is confirmed by the directorate general yet."""
PINNED: Mapping[str, Mapping[str, str]] = {"ID": INDONESIA}
"""Country → its pinned certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """``refused``: certificates of a pinned country that are not among its pins, as they came."""

    anchors: tuple[Csca, ...]
    refused: tuple[Csca, ...]


def union(sources: Iterable[Csca], *, pinned: Mapping[str, Mapping[str, str]] = PINNED) -> Union:
    """Each certificate once, its provenances joined in the order they came."""
    found: dict[bytes, Csca] = {}
    refused: dict[bytes, Csca] = {}
    for csca in sources:
        pin = _pin(csca, pinned)
        if pin is None:
            refused.setdefault(csca.certificate, csca)
        elif csca.certificate in found:
            earlier = found[csca.certificate]
            found[csca.certificate] = replace(earlier, provenance=f"{earlier.provenance}; {csca.provenance}")
        else:
            found[csca.certificate] = replace(csca, provenance="; ".join(filter(None, (pin, csca.provenance))))
    return Union(anchors=tuple(found.values()), refused=tuple(refused.values()))


def _pin(csca: Csca, pinned: Mapping[str, Mapping[str, str]]) -> str | None:
    """What the provenance begins with; empty for a country without pins, None if the certificate is none of the pinned."""
    if csca.country not in pinned:
        return ""
    what = pinned[csca.country].get(hashlib.sha256(csca.certificate).hexdigest())
    return None if what is None else f"{what}, {UNCONFIRMED}"
