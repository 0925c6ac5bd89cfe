"""Commands on serial links beside what the libraries do by themselves, on a clean line; `make bench-serial` has the bad one, too."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import serial_table

COMMANDS, ORDERS = 400, 20
PEERS = {
    "pymodbus client, its defaults": "make setup-modbus",
    "libosdp as ready-made, defaults": "make setup-osdp setup-osdp-peer",
}


@pytest.mark.timeout(600)  # libosdp waits by itself for as long as it likes
def test_commands_beside_peers(benchmark):
    """A round is the whole run: each link by itself, as two on one machine would disturb each other."""
    benchmark.group = "serial: command → outcome, each link by itself"
    benchmark.extra_info |= benchmark.pedantic(links, rounds=1)


def links() -> dict[str, Any]:
    """Link or library → p50 and p99 in milliseconds of a command on a clean line, or what is missing for it."""
    told: dict[str, Any] = {}
    for name, (measure, lacks) in serial_table.LINKS.items():
        if what := lacks():
            told[name] = f"absent ({what})"
            continue
        for link, row in measure(COMMANDS, ORDERS).items():
            quick = row["clean"].get("executed_ms", row["clean"].get("outcome_ms"))
            told[link] = {f"clean {share}": quick[share] for share in ("p50", "p99")}
    absent = {peer: f"absent ({install})" for peer, install in PEERS.items() if peer not in told}
    return told | absent
