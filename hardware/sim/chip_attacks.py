"""Attacks that a virtual passport can mount, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hardware.sim.chip_attack import Attack
from hardware.sim.chip_attacks_on_messages import ATTACKS_ON_MESSAGES
from hardware.sim.chip_attacks_on_protocols import ATTACKS_ON_PROTOCOLS

ATTACKS: Mapping[str, Callable[[], Attack]] = MappingProxyType({**ATTACKS_ON_MESSAGES, **ATTACKS_ON_PROTOCOLS})
"""How to mount each. Which rule it breaks, and what must come of it, stands in ``tests/hardware/evil/variants.toml``."""
