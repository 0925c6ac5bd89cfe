"""Long suites on what registries say: signed answers spoilt at random, and strangers who only have the contract."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from benchmarks.soak_cases import NOW, Case, spoil
from gate.demo.registries import DemoRegistries
from gate.registries import issuance
from gate.registries.envelope import AnswerReader, EnvelopeError, signed

GATE, NONCE, BODY = "soak-1", "0f" * 16, b'{"question": 1}'
READ = "read"
CONTRACT = Path(__file__).resolve().parents[1] / "docs" / "registries" / "openapi.json"


@contextmanager
def signed_answers() -> Iterator[Case]:
    """One answer, one thing about it changed: read only if that changes nothing, refused by the right name where that is known."""
    key, stranger = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    bound = {"registry": "issuance", "gate": GATE, "nonce": NONCE, "question": hashlib.sha256(BODY).hexdigest()}
    reply = {"answer": "found", "record": {"status": "active", "document_class": "ordinary"}}

    def case(dice: random.Random) -> str:
        kind = dice.choice(["byte", "claim", "time", "key", "kind", "nothing"])
        claims: dict[str, Any] = bound | {name: _moment(seconds) for name, seconds in _TIMES.items()} | {"reply": reply}
        expected = {"key": "forged", "kind": "forged", "nothing": READ}.get(kind, "")
        if kind == "claim":
            name, expected = dice.choice([*_REFUSED.items()])
            claims[name] = dice.choice(["", "another", "00" * 16, "00" * 32, None, 5])
            expected = expected if isinstance(claims[name], str) and _fits(name, claims[name]) else "malformed"
        if kind == "time":
            claims, expected = _shifted(claims, dice)
        token = signed(
            json.dumps(claims).encode(), stranger if kind == "key" else key, "snapshot" if kind == "kind" else "answer"
        )
        raw = spoil(token.encode(), dice) if kind == "byte" else token.encode()
        expected = READ if raw == token.encode() and kind == "byte" else expected
        told = _told(raw, key)
        assert not expected or told == expected, f"{kind}: {told} for {expected}: {raw!r}"
        assert expected or told in {"forged", "malformed"}, f"{told}: {raw!r}"
        return told

    yield case


_TIMES = {"signed_at": 0.0, "expires": 60.0, "as_of": -5.0}
_REFUSED = {"registry": "misaddressed", "gate": "misaddressed", "nonce": "replayed", "question": "replayed"}


def _moment(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


def _fits(name: str, value: str) -> bool:
    """Whether ``value`` has the shape of the claim, so that it is refused for what it says."""
    shapes = {"registry": True, "gate": 0 < len(value) <= 32, "nonce": len(value) == 32, "question": len(value) == 64}
    return shapes[name] and (name in {"registry", "gate"} or value.strip("0") == "")


def _shifted(claims: dict[str, Any], dice: random.Random) -> tuple[dict[str, Any], str]:
    """The answer at another time, and what it is then."""
    off = dice.choice([-90_000, -3600, -61, -60, -30, 0, 30, 60, 61, 3600, 90_000])
    which = dice.choice(["signed_at", "expires", "as_of"])
    told = claims | {which: _moment(off)}
    if which == "signed_at":
        return told, "clock" if abs(off) > 60 else READ
    if which == "expires":
        return told, "expired" if off < 0 else READ
    return told, "clock" if off > 60 else "stale" if off < -86_400 else READ


def _told(raw: bytes, key: OKPKey) -> str:
    try:
        AnswerReader(issuance.CONTRACT, GATE, key, wall=_now).read(raw, BODY, NONCE, 0.0)
    except EnvelopeError as error:
        return error.why
    return READ


def _now() -> datetime:
    return NOW


@contextmanager
def interface() -> Iterator[Case]:
    """schemathesis against the reference server, another seed each time."""
    with tempfile.TemporaryDirectory(prefix="interface-") as name:
        folder = Path(name)
        server = DemoRegistries(folder / "run", folder / "log", GATE, tls=False)
        server.start({})

        def case(dice: random.Random) -> str:
            command = [sys.executable, "-m", "schemathesis.cli", "run", str(CONTRACT), "--url", f"http://127.0.0.1:{server.port}"]
            command += [
                "--phases",
                "coverage,fuzzing",
                "--max-examples",
                "50",
                "--seed",
                str(dice.randrange(1 << 30)),
                "--no-color",
            ]
            command += ["--generation-database", "none"]
            run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
            assert run.returncode == 0, run.stdout[-4000:]
            return "clean"

        try:
            yield case
        finally:
            server.stop()
