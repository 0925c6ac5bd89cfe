"""Chips of attackers, broken and odd chips, each read once on every kind of access control: each ends as ``variants.toml`` says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hardware.emrtd.errors import AccessError, ApduError, ChipChangedError, ChipError, SecureMessagingError
from hardware.emrtd.reader import ChipData
from hardware.ports import TagLost
from hardware.sim.chip import SPOILABLE
from hardware.sim.chip_attacks import ATTACKS

TABLE = tomllib.loads((Path(__file__).parent / "variants.toml").read_text(encoding="utf-8"))
VARIANTS = TABLE["evil"] + TABLE["honest"]
KINDS = ("bac", "pace", "dh", "im", "cam")
MOST_COMMANDS = 100
"""An honest chip with a portrait of 3 kB and short length takes some forty."""
MOST_CALLS = 20_000
"""Function calls between a response and the next command. An honest chip causes 3,000 at most, by PACE and for EF.SOD."""
KEYS = {
    *("name", "breaks", "set", "edits", "chips", "mrz", "reads", "commands", "error", "file"),
    *("access", "sessions", "missing", "changed", "chip", "active", "mapped", "steps"),
    *KINDS,
}
ERRORS = {
    "SM_": SecureMessagingError,
    "RESPONSE_": ApduError,
    "ACCESS_": AccessError,
    "PACE_": AccessError,
    "NO_APPLICATION": AccessError,
    "CHIP_CHANGED": ChipChangedError,
    "TagLost": TagLost,
}


def cases() -> Iterator[Any]:
    for variant in VARIANTS:
        for kind in variant.get("chips", ("bac", "pace")):
            case = variant | variant.get(kind, {})
            yield pytest.param(kind, case, id=f"{variant['name']}, {kind}")


@pytest.mark.parametrize(("kind", "case"), list(cases()))
def test_a_chip_ends_as_the_table_says(workshop, kind: str, case: dict[str, Any]) -> None:
    chip = workshop.build(kind, case.get("edits", []), attributes(case))
    for _ in range(case.get("reads", 0)):
        workshop.counting(chip).read()
        chip.reconnect(0)
    line = workshop.counting(chip)
    reading = [case["mrz"]] if "mrz" in case else []
    if "error" in case:
        with pytest.raises(error_class(case["error"])) as caught:
            line.read(*reading)
        if isinstance(caught.value, ChipError):
            assert (caught.value.code, caught.value.file) == (case["error"], case.get("file", caught.value.file))
    else:
        data = line.read(*reading)
        assert told(workshop, data, kind) == expected(kind, case)
        assert case.get("steps", {}).items() <= {step.name: step.result for step in data.steps}.items()
    assert line.commands <= case.get("commands", MOST_COMMANDS)
    assert line.most_calls <= MOST_CALLS


def attributes(case: dict[str, Any]) -> dict[str, Any]:
    """TOML has no keys but strings; instructions are numbers."""
    by_instruction = {"statuses", "plain_statuses"}
    return {
        name: {int(ins, 16): status for ins, status in value.items()} if name in by_instruction else value
        for name, value in case.get("set", {}).items()
    }


def error_class(code: str) -> type[Exception]:
    return next((kind for start, kind in ERRORS.items() if code.startswith(start)), ChipError)


def expected(kind: str, case: dict[str, Any]) -> dict[str, Any]:
    honest = {"access": "bac" if kind == "bac" else "pace", "sessions": 1, "missing": {}, "changed": []}
    honest |= {"chip": "succeeded", "active": "verifies", "mapped": "succeeded" if kind == "cam" else "none"}
    return honest | {name: value for name, value in case.items() if name in honest}


def told(workshop, data: ChipData, kind: str) -> dict[str, Any]:
    """What came of a reading, in the words of the table."""
    honest = workshop.files(kind)
    there = set(honest) - set(data.missing) - ({"EF.CardSecurity"} if data.access.protocol == "bac" else set())
    return {
        "access": data.access.protocol,
        "sessions": data.access.sessions,
        "missing": dict(data.missing),
        "changed": sorted(name for name in there if bytes(data.files.get(name, b"")) != honest[name]),
        "chip": _word(data.chip_authentication and data.chip_authentication.succeeded, "failed"),
        "active": _active(workshop, data),
        "mapped": _word(data.pace_cam and data.pace_cam.succeeded, "failed"),
    }


def _word(succeeded: bool | None, otherwise: str) -> str:
    return "none" if succeeded is None else "succeeded" if succeeded else otherwise


def _active(workshop, data: ChipData) -> str:
    evidence = data.active_authentication
    if evidence is None or not evidence.response:
        return "none" if evidence is None else "refused"
    r, s = evidence.response[:32], evidence.response[32:]
    try:
        signature = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
        workshop.active_key.public_key().verify(signature, evidence.challenge, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return "wrong"
    return "verifies"


def test_the_table_says_what_it_means() -> None:
    assert len({variant["name"] for variant in VARIANTS}) == len(VARIANTS) >= 60
    for variant in VARIANTS:
        assert set(variant) <= KEYS, variant["name"]
        assert variant["breaks"]
        assert set(variant.get("set", {})) <= SPOILABLE | {"statuses", "plain_statuses"}, variant["name"]


def test_every_attack_and_every_edit_stands_in_the_table(workshop) -> None:
    assert {variant["set"]["attack"] for variant in VARIANTS if "attack" in variant.get("set", {})} == set(ATTACKS)
    assert {edit for variant in VARIANTS for edit in variant.get("edits", ())} == workshop.edits
