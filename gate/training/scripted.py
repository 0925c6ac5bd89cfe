"""A scripted officer, for tests and for trying out cases: signs in at the real console over HTTP, with a key that is made for the run.

Does what a case expects, or its first mistake. It knows the pages' routes and nothing of the gate's insides.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.console.acts import RP_ID, actions
from gate.console.assertion import PRESENT, VERIFIED, decoded, encoded
from gate.training.case import NOTHING, Act, Case, Mistake, reasons_of

Play = Literal["right", "wrong"]
TIMEOUT_S, AGAIN_S = 10.0, 0.2
OFFERED_S = 60.0
"""How long the officer waits for the console to offer what they mean to do."""


class Key:
    """An authenticator in software: its user is always verified."""

    def __init__(self) -> None:
        self._key, self._counter = generate_private_key(SECP256R1()), 0
        self.credential = encoded(secrets.token_bytes(16))

    @property
    def public(self) -> str:
        return encoded(self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def sign(self, challenge: str, origin: str) -> dict[str, str]:
        """An assertion over ``challenge`` (base64url), as a browser at ``origin`` hands it over."""
        self._counter += 1
        data = hashlib.sha256(RP_ID.encode()).digest() + bytes([PRESENT | VERIFIED]) + self._counter.to_bytes(4, "big")
        said = {"type": "webauthn.get", "challenge": encoded(decoded(challenge)), "origin": origin, "crossOrigin": False}
        client = json.dumps(said).encode()
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return {"authenticator_data": encoded(data), "client_data": encoded(client), "signature": encoded(signature)}


class _Page:
    """A page's listener on this machine, as its script uses it."""

    def __init__(self, port: int) -> None:
        self._port, self.origin = port, f"http://localhost:{port}"
        self._cookie = ""

    def post(self, path: str, told: dict[str, Any]) -> dict[str, Any]:
        """Raises OSError, HTTPException; RuntimeError where the page refuses."""
        line = HTTPConnection("localhost", self._port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Origin": self.origin, "Cookie": self._cookie}
        line.request("POST", path, json.dumps(told), headers)
        answer = line.getresponse()
        body = json.loads(answer.read())
        if cookie := answer.getheader("Set-Cookie"):
            self._cookie = cookie.partition(";")[0]
        line.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {body}")
        return dict(body)

    def parts(self, name: str) -> Iterator[Any]:
        """What the page's stream says under ``name``, as it comes; None where it says something else."""
        line = HTTPConnection("localhost", self._port, timeout=TIMEOUT_S)
        line.request("GET", "/events", headers={"Cookie": self._cookie})
        answer = line.getresponse()
        try:
            yield from _parts(answer, name)
        finally:
            line.close()


def _parts(answer: HTTPResponse, name: str) -> Iterator[Any]:
    event = ""
    for raw in answer:
        kind, _, value = raw.decode().rstrip("\n").partition(":")
        if kind == "event":
            event = value.strip()
        elif kind == "data" and event == name:
            yield json.loads(value)
        elif kind == "data":
            yield None


class ScriptedOfficer:
    """Works in a thread of its own, from the desk's first page to its last review."""

    def __init__(self, key: Key, cases: Sequence[Case], ports: tuple[int, int], play: Play) -> None:
        """``ports``: of the desk and of the console."""
        self._key, self._play = key, play
        self._cases = {case.title[1]: case for case in cases}
        self._desk, self._console = _Page(ports[0]), _Page(ports[1])
        self._acts: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._work, name="officer", daemon=True)
        self._stopped = False
        self.failure: Exception | None = None
        """Why they gave up."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True

    def _work(self) -> None:
        try:
            self._patiently(self._sign_in)
            for told in self._desk.parts("desk"):
                if told is not None:
                    self._at_desk(told)
        except (OSError, HTTPException, RuntimeError, ValueError, KeyError) as error:
            self.failure = None if self._stopped else error

    def _patiently(self, work: Callable[[], None]) -> None:
        """A page may still be coming up."""
        deadline = time.monotonic() + OFFERED_S
        while True:
            try:
                return work()
            except (OSError, HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)

    def _sign_in(self) -> None:
        given = self._console.post("/signin/begin", {})["challenge"]
        signed = self._key.sign(given, self._console.origin)
        self._console.post("/signin", {"challenge": given, "credential": self._key.credential} | signed)

    # --- at the desk ---------------------------------------------------------------------------------------------------------------

    def _at_desk(self, told: dict[str, Any]) -> None:
        match told["phase"]:
            case "briefing":
                self._acts = list(self._meant(self._cases[told["title"][1]]))
                self._desk.post("/begin", {})
            case "review" if told["number"] < told["count"]:
                self._desk.post("/begin", {})
            case "gate" if "waited" in told and told["place"] == "gate":
                self._look_at(told)
                self._each(self._order)
            case "counter":
                self._look_at(told)
                self._each(self._decide)
            case _:
                pass

    def _meant(self, case: Case) -> Iterator[tuple[str, str]]:
        """What they will do, and for which reasons."""
        chosen: Sequence[Act | Mistake] = case.expected if self._play == "right" else case.wrong[:1]
        known = reasons_of(case.place)
        for act in chosen:
            if act.action != NOTHING:
                yield act.action, (act.reasons or known[act.action])[0]

    def _each(self, do: Callable[[str, str], None]) -> None:
        acts, self._acts = self._acts, []
        for action, reason in acts:
            do(action, reason)

    def _look_at(self, told: dict[str, Any]) -> None:
        for look in told["looks"] if self._play == "right" else ():
            if look["finding"] is None and self._acts:
                self._desk.post("/look", {"look": look["id"]})

    def _decide(self, action: str, reason: str) -> None:
        told = {"action": action, "reason": reason}
        signed = self._key.sign(self._desk.post("/prepare", told)["challenge"], self._desk.origin)
        self._desk.post("/decide", told | signed)

    # --- at the console --------------------------------------------------------------------------------------------------------------

    def _order(self, action: str, reason: str) -> None:
        """As soon as the lane offers it. Raises RuntimeError where it never does."""
        lane = self._offering(action)
        transaction = lane["case"]["transaction"] if lane["case"] and actions()[action].about == "traveller" else ""
        told = {"lane": lane["name"], "action": action, "reason": reason, "transaction": transaction}
        given = self._console.post("/prepare", told)
        signed = self._key.sign(given["challenge"], self._console.origin)
        self._console.post("/act", told | {"nonce": given["nonce"], "credential": self._key.credential} | signed)

    def _offering(self, action: str) -> dict[str, Any]:
        deadline = time.monotonic() + OFFERED_S
        for lane in self._console.parts("lane0"):
            if lane is not None and action in lane.get("offers", ()):
                return dict(lane)
            if time.monotonic() > deadline:
                break
        raise RuntimeError(f"the console never offered {action}")
