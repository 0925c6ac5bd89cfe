"""Chips of attackers, broken and odd chips, each read once on every kind of access control: each ends as ``variants.toml`` says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.outcomes import Failed
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hardware.emrtd import tlv
from hardware.emrtd.access import Access
from hardware.emrtd.errors import AccessError, ApduError, ChipChangedError, ChipError, SecureMessagingError
from hardware.emrtd.lds import FILES
from hardware.emrtd.reader import ChipData
from hardware.emrtd.secure_messaging import pad
from hardware.ports import TagLost
from hardware.sim.chip import SPOILABLE
from hardware.sim.chip_attacks import ATTACKS

TABLE = tomllib.loads((Path(__file__).parent / "variants.toml").read_text(encoding="utf-8"))
VARIANTS = TABLE["evil"] + TABLE["honest"]
KINDS = ("bac", "pace", "dh", "im", "cam")
MOST_COMMANDS = 100
"""An honest chip with a portrait of 3 kB and short length takes some forty."""
MOST_CALLS = 4_000
"""Function calls, C's included, between a response and the next command. An honest chip causes 800 at most."""
KEYS = {
    *("name", "breaks", "set", "edits", "chips", "mrz", "reads", "commands", "error", "file", "reset", "pace_steps"),
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
@pytest.mark.conforms("Doc 9303-11 §9.8", "negative", case="MAC changed, bac")
@pytest.mark.conforms("Doc 9303-11 §9.8", "negative", case="counter one behind, pace")
def test_a_chip_ends_as_the_table_says(workshop, kind: str, case: dict[str, Any]) -> None:
    judge(workshop, kind, case)


def judge(workshop, kind: str, case: dict[str, Any]) -> None:
    chip = workshop.build(kind, case.get("edits", []), attributes(case))
    for _ in range(case.get("reads", 0)):
        workshop.counting(chip).read()
        if case.get("reset", True):
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
    if "pace_steps" in case:
        assert sum(command[:2] in {b"\x10\x86", b"\x00\x86"} for command in line.sent) == case["pace_steps"]
    assert line.commands <= case.get("commands", MOST_COMMANDS)
    assert line.most_calls <= MOST_CALLS


DEFECTS = {
    "MAC changed": ("hardware.emrtd.secure_messaging.hmac", SimpleNamespace(compare_digest=lambda *_: True)),
    "counter one behind": (
        "hardware.emrtd.secure_messaging.SecureMessaging._mac",
        lambda self, _, message: self._cipher.mac(pad(message, self._cipher.block)),
    ),
    "sealed without padding": (
        "hardware.emrtd.secure_messaging.unpadded",
        lambda data, end, _: data.rfind(0x80, 0, end) % (end + 1),
    ),
    "PACE turned down: referenced data not found": ("hardware.emrtd.access.Access._choose", Access._bac),
    "ephemeral key: ours sent back": (
        "hardware.emrtd.pace._Run._trade",
        lambda self, tag, own, answer: self._group.check(self._step(tlv.encode(tag, own), answer, ne=self._ne)[answer]),
    ),
    "authentication token changed": ("hardware.emrtd.pace.hmac", SimpleNamespace(compare_digest=lambda *_: True)),
    "DG15 dropped from EF.COM": ("hardware.emrtd.reader.SMALL_FILES", ("EF.SOD", "DG1", "DG14")),
    "a clone: the files without the keys": ("hardware.emrtd.proofs._proves", lambda *_: True),
    "a clone after the tag was lost": ("hardware.emrtd.proofs._proves", lambda *_: True),
    "a longer portrait after the tag was lost": ("hardware.emrtd.files.FileReader._take_up", lambda *_: None),
    "EF.SOD announced at 60 kB, without end": (
        "hardware.emrtd.files.FILES",
        {name: replace(file, cap=1 << 20) for name, file in FILES.items()},
    ),
    "fifteen bytes at a time": ("hardware.emrtd.files.LEAST_PROGRESS", 1),
}
"""Variant → a rule that is taken out of the reader."""


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.conforms("Doc 9303-11 §4.2", "defect", case="PACE turned down: referenced data not found")
@pytest.mark.conforms("Doc 9303-11 §4.4", "defect", case="authentication token changed")
@pytest.mark.conforms("Doc 9303-11 §4.4", "defect", case="ephemeral key: ours sent back")
@pytest.mark.conforms("Doc 9303-11 §6.2", "defect", case="a clone: the files without the keys")
@pytest.mark.conforms("Doc 9303-11 §9.8", "defect", case="MAC changed")
@pytest.mark.conforms("Doc 9303-11 §9.8", "defect", case="counter one behind")
@pytest.mark.conforms("Doc 9303-11 §9.8", "defect", case="sealed without padding")
def test_a_reader_without_its_rule_does_not_get_by(workshop, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variant = next(variant for variant in VARIANTS if variant["name"] == name)
    kind = "pace" if "pace" in variant.get("chips", ("pace",)) else "bac"
    monkeypatch.setattr(*DEFECTS[name])
    workshop.counting(workshop.passport(kind)).read()  # an honest chip does not miss the rule
    with pytest.raises((AssertionError, Failed, ChipError)):
        judge(workshop, kind, variant | variant.get(kind, {}))


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
