"""Officers with authenticators of their own, a roster that two people signed, and the lane that they order about."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import shutil
from copy import copy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.clock import civil_time
from gate.console.acts import actions, challenge
from gate.console.assertion import encoded
from gate.console.roster import Officer, RosterVersions
from gate.console.shifts import WHOLE_DAY
from gate.console.verifier import Verifier
from gate.evidence import CheckResult, Fact, successful
from gate.lane import State
from gate.outcome import Outcome
from gate.processes import messages as m
from gate.processes.messages import ActAnswered, AskNonce, OfficerAct
from gate.processes.officers import Officers
from gate.records import OfficerActed
from gate.signer_key import public_hex

ORIGIN = "http://localhost:8412"
TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)  # the calendar of the checkpoint is ahead of the one of the tests


def another_shift() -> str:
    """One of an hour, half a day away from now."""
    now = civil_time(datetime.now(UTC), "CGK")
    return f"{(now.hour + 12) % 24:02}:00-{(now.hour + 13) % 24:02}:00"


class Authenticator:
    """A security key in somebody's hand: counts, verifies its user, signs what it is shown."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self.credential, self.counter = encoded(secrets.token_bytes(16)), 0

    @property
    def public(self) -> str:
        return encoded(self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def sign(
        self,
        challenge: bytes,
        *,
        origin: str = ORIGIN,
        type_: str = "webauthn.get",
        flags: int = 0x05,
        rp: str = "localhost",
        counter: int | None = None,
        tail: bytes = b"",
        **client: Any,
    ) -> dict[str, bytes]:
        self.counter = self.counter + 1 if counter is None else counter
        data = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big") + tail
        said = {"type": type_, "challenge": encoded(challenge), "origin": origin, "crossOrigin": False} | client
        raw = json.dumps(said).encode()
        signature = self._key.sign(data + hashlib.sha256(raw).digest(), ECDSA(SHA256()))
        return {"authenticator_data": data, "client_data": raw, "signature": signature}

    def officer(
        self, name: str, role: str = "officer", since: date = TODAY - DAY, until: date = TODAY + DAY, shift: str = WHOLE_DAY
    ) -> Officer:
        return Officer(name=name, role=role, credential=self.credential, key=self.public, since=since, until=until, shift=shift)


class Administration:
    """Two people who sign rosters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {name: Ed25519PrivateKey.generate() for name in ("Ratna", "Yusuf")}
        self.signers = tuple(f"{name}:{public_hex(key)}" for name, key in self.keys.items())

    def put_in_force(self, *officers: Officer, by: tuple[str, ...] = ("Ratna", "Yusuf"), signers: Any = None) -> None:
        versions = RosterVersions(self.folder)
        version = versions.add(officers)
        for name in by:
            versions.sign(version, self.keys[name], now=datetime.now(UTC))
        versions.activate(version, "activate", signers or {public_hex(key): name for name, key in self.keys.items()})


class Staff:
    """Officers with their keys, and the roster that they stand on."""

    def __init__(self, folder: Path) -> None:
        self.office = Administration(folder)
        self.keys = {
            name: Authenticator()
            for name in ("Sari", "Made", "Chief", "Former", "Future", "Night", "Auditor", "Engineer", "Stranger")
        }
        past, future = TODAY - timedelta(days=9), TODAY + timedelta(days=9)
        self.people = [
            self.keys["Sari"].officer("Sari"),
            self.keys["Made"].officer("Made"),
            self.keys["Chief"].officer("Chief", "supervisor"),
            self.keys["Former"].officer("Former", since=past, until=past),
            self.keys["Future"].officer("Future", since=future, until=future),
            self.keys["Night"].officer("Night", shift=another_shift()),
            self.keys["Auditor"].officer("Auditor", "auditor"),
            self.keys["Engineer"].officer("Engineer", "engineer"),
        ]
        self.office.put_in_force(*self.people)


class Desk:
    """Officers before a console that passes on what they sign, or what the test would rather have it pass on."""

    def __init__(self, hand: Any, folder: Path, house: Staff) -> None:
        self.hand, self.folder = hand, folder
        shutil.copytree(house.office.folder, folder / "roster")
        self.office, self.people = copy(house.office), list(house.people)
        self.office.folder = folder / "roster"
        self.keys = {name: copy(key) for name, key in house.keys.items()}
        self.verifier: Verifier | None = Verifier(folder, self.office.folder, self.office.signers, ORIGIN)
        self.asked = 0
        self.officers = Officers(hand.case._config, hand.clock, hand.actor, hand.case, self._ask)
        hand.actor.post(lambda: hand.actor.on_peer("console", {}, joined=True))

    def _ask(self, question: Any) -> bool:
        self.asked += 1
        if self.verifier is None:
            return False
        answer = self.verifier.answer(question)
        asyncio.get_running_loop().call_soon(self.officers.proven, answer)
        return True

    def nonce(self) -> Any:
        return self.officers.nonce(AskNonce(request=1))

    def prepared(
        self, who: str, action: str, *, given: Any = None, says: dict[str, Any] | None = None, **signing: Any
    ) -> OfficerAct:
        """An order as ``who`` signs it; ``says``: what the console claims instead of what was signed."""
        given = given or self.nonce()
        order = {
            "action": action,
            "transaction": given.transaction if actions()[action].about == "traveller" else "",
            "lane": "x",
            "reason": actions()[action].reasons[0],
            "nonce": given.nonce,
        }
        proof = self.keys[who].sign(challenge(**order), **signing)
        return OfficerAct(**(order | {"credential": self.keys[who].credential} | proof | (says or {})))

    async def act(self, who: str, action: str, **how: Any) -> ActAnswered:
        answer = await self.officers.act(self.prepared(who, action, **how))
        await self.hand.settle()
        return answer

    async def send(self, act: OfficerAct) -> ActAnswered:
        answer = await self.officers.act(act)
        await self.hand.settle()
        return answer

    async def written(self, count: int) -> list[OfficerActed]:
        """The officers' records in the log, once there are ``count``."""
        for _ in range(500):
            with open_readonly(self.hand.folder / FILE_NAME) as log:
                found = [decode(record, OfficerActed) for record in log.records("officer")]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(found)} records of officers, not {count}")


@pytest.fixture(scope="session")
def new_authenticator():
    """Makes one."""
    return Authenticator


@pytest.fixture(scope="session")
def staff(tmp_path_factory):
    return Staff(tmp_path_factory.mktemp("staff") / "roster")


@pytest.fixture
def desk(hand, tmp_path, staff):
    hand.actor._timeouts = msgspec.structs.replace(hand.actor._timeouts, await_officer_s=60)
    return Desk(hand, tmp_path, staff)


@pytest.fixture
async def waiting(desk):
    """Somebody was referred at the exit, for the camera may see a picture of a face, and waits between the locked doors."""
    hand = desk.hand
    await hand.inside()
    told = {"face": successful("match"), "pad": Fact(value="attack", result=CheckResult.FAILED)}
    await hand.say(
        "vision", m.FaceChecked(transaction=hand.transaction, facts=told, stages=(), chosen_frame_boot=hand.clock.boot())
    )
    assert (hand.state, hand.case.running.last_decision.outcome) == (State.HOLD, Outcome.SECONDARY)
    return desk


@pytest.fixture
def held(waiting):
    """The same, and a rule said HOLD."""
    decisions = waiting.hand.case.running._decisions
    worse = msgspec.structs.replace(decisions[-1].decision, outcome=Outcome.HOLD)
    decisions.append(msgspec.structs.replace(decisions[-1], decision=worse))
    return waiting
