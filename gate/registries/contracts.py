"""Every contract there is, by the name of its registry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gate.registries import (
    arrival_declaration,
    connected_one,
    crossing_record,
    exit_permit,
    issuance,
    lost_and_stolen,
    stay_permit,
    watchlist,
)
from gate.registries.base import Contract

_ALL: tuple[Contract[Any], ...] = (
    connected_one.CONTRACT,
    issuance.CONTRACT,
    exit_permit.CONTRACT,
    watchlist.CONTRACT,
    lost_and_stolen.CONTRACT,
    stay_permit.CONTRACT,
    arrival_declaration.CONTRACT,
    crossing_record.CONTRACT,
)
CONTRACTS: Mapping[str, Contract[Any]] = MappingProxyType({contract.name: contract for contract in _ALL})
CROSSING = crossing_record.CONTRACT.name
"""The one that is told and not asked."""
