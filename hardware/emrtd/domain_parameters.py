"""Domain parameters: standardised ones by their number (Doc 9303-11 §9.5.1, table 12)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hardware.emrtd.curves import CURVES
from hardware.emrtd.dh_groups import DH_GROUPS
from hardware.emrtd.groups import KeyAgreementGroup

FIRST_CURVE = 8

STANDARDIZED: Mapping[int, KeyAgreementGroup] = MappingProxyType(
    {
        **dict(enumerate(DH_GROUPS)),
        **dict(enumerate(CURVES, FIRST_CURVE)),
    }
)
"""Group by parameter id: 0 to 2 Diffie-Hellman, 8 to 18 elliptic curves; all others are reserved or the chip's own."""
