"""Who is signed in at the console. A session shows lanes and orders nothing: for each order the lane wants a signature of its own.

Signing in with a key is an assertion over nonces of the lanes as well, so that the same touch puts its officer on watch there. A password
opens a session that may look and nothing else. Every session ends with the shift.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from gate.console.acts import Refused, watch_challenge, watch_part
from gate.console.assertion import Assertion, prove, public_key
from gate.console.passwords import hashed, matches
from gate.console.roster import Officer, Roster, Viewer
from gate.console.shifts import duty_left_s
from pki.errors import PkiError

SESSION_S, IDLE_S = 8 * 3600.0, 900.0
"""A shift at most, and how long a screen that nobody touches stays signed in."""
CHALLENGE_S = 60.0
"""As long as the lanes' nonces in it are good."""
MOST_SESSIONS, MOST_CHALLENGES = 32, 32
TRIES, TRY_EVERY_S = 5, 20.0
"""Passwords that may be tried for one name at once, and the time in which one more may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is signed in. ``credential``: of the key they signed in with; empty: with a password, which may look and nothing else."""

    name: str
    role: str
    credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a key is to sign: the console's own part, and each lane's."""

    since: float
    parts: tuple[bytes, ...]
    nonces: dict[str, bytes]
    """Of the lanes, by name."""


@dataclass(slots=True, kw_only=True)
class Session:
    person: Person
    ends: float
    used: float


class Sessions:
    """``roster`` opens the roster in force (raises PkiError, OSError), ``civil`` is the checkpoint's time without zone, ``now`` tells seconds."""

    def __init__(
        self,
        roster: Callable[[], Roster],
        civil: Callable[[], datetime],
        origin: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roster, self._civil, self._origin, self._now = roster, civil, origin, now
        self._begun: dict[bytes, Begun] = {}
        self._sessions: dict[str, Session] = {}
        self._tries: dict[str, tuple[float, float]] = {}

    # --- with a key ---------------------------------------------------------------------------------------------------------------

    def begin(self, nonces: dict[str, bytes]) -> bytes:
        """A challenge to sign in with, good once and for a minute. ``nonces``: of the lanes that can be reached."""
        while len(self._begun) >= MOST_CHALLENGES:
            del self._begun[next(iter(self._begun))]
        own = hashlib.sha256(secrets.token_bytes(32)).digest()
        parts = (own, *(watch_part(lane, nonce) for lane, nonce in sorted(nonces.items())))
        challenge = watch_challenge(parts)
        self._begun[challenge] = Begun(since=self._now(), parts=parts, nonces=dict(nonces))
        return challenge

    def prove(self, challenge: bytes, credential: str, assertion: Assertion) -> tuple[Begun, Officer] | Refused:
        """Whose key signed ``challenge``, and what for. What they may do is said elsewhere."""
        begun = self._begun.pop(challenge, None)
        if begun is None or self._now() - begun.since > CHALLENGE_S:
            return Refused.NONCE_UNKNOWN
        try:
            officer = self._roster().find(credential)
        except (PkiError, OSError):
            return Refused.NOT_VERIFIABLE
        if officer is None:
            return Refused.UNKNOWN_AUTHENTICATOR
        proven = prove(assertion, key=public_key(officer.key), challenge=challenge, origin=self._origin)
        return proven.refused or (begun, officer)

    def open(self, officer: Officer) -> str | Refused:
        """The token of a session of who proved to be ``officer``, or why there is none."""
        return self._open(officer, Person(name=officer.name, role=officer.role, credential=officer.credential))

    # --- with a password ----------------------------------------------------------------------------------------------------------

    def may_try(self, name: str) -> bool:
        """Whether another password may be tried for ``name``: a guess costs a tenth of a second of the processor, and a thief many."""
        left, since = self._tries.pop(name, (float(TRIES), self._now()))
        left = min(TRIES, left + (self._now() - since) / TRY_EVERY_S)
        while len(self._tries) >= MOST_SESSIONS:
            del self._tries[next(iter(self._tries))]
        self._tries[name] = (left - 1 if left >= 1 else left, self._now())
        return left >= 1

    def look_in(self, name: str, password: str) -> tuple[Viewer, bool] | Refused:
        """Whose password it may be, and whether it is. For a thread of its own: takes a tenth of a second, whether there is such a name or not."""
        try:
            viewer = self._roster().viewer(name)
        except (PkiError, OSError):
            return Refused.NOT_VERIFIABLE
        right = matches(password, viewer.password if viewer else _nobodys())
        return (viewer, right) if viewer else Refused.WRONG_PASSWORD

    def open_viewer(self, looked: tuple[Viewer, bool] | Refused) -> str | Refused:
        """The token of a session that may look, after :meth:`look_in`."""
        if isinstance(looked, Refused):
            return looked
        viewer, right = looked
        return self._open(viewer, Person(name=viewer.name, role=viewer.role)) if right else Refused.WRONG_PASSWORD

    # --- sessions -----------------------------------------------------------------------------------------------------------------

    def _open(self, listed: Officer | Viewer, person: Person) -> str | Refused:
        left = duty_left_s(self._civil(), since=listed.since, until=listed.until, shift=listed.shift)
        if left <= 0:
            return Refused.OFFICER_NOT_VALID
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(person=person, ends=self._now() + min(SESSION_S, left), used=self._now())
        return token

    def find(self, token: str, *, touched: bool = False) -> Person | None:
        """Whose session that is; None where it is none, or over. ``touched``: somebody did something, so it does not go idle."""
        session = self._sessions.get(token)
        if session is None:
            return None
        if self._over(session):
            del self._sessions[token]
            return None
        if touched:
            session.used = self._now()
        return session.person

    def _over(self, session: Session) -> bool:
        return self._now() >= session.ends or self._now() - session.used > IDLE_S

    def end(self, token: str) -> Person | None:
        """Whose session it was."""
        session = self._sessions.pop(token, None)
        return session.person if session else None

    def present(self) -> frozenset[str]:
        """Names of officers who are signed in with a key and did something lately."""
        for token in [token for token, session in self._sessions.items() if self._over(session)]:
            del self._sessions[token]
        return frozenset(each.person.name for each in self._sessions.values() if each.person.credential)


@cache
def _nobodys() -> str:
    """What a password is held against where there is no such name, so that the time taken does not tell."""
    return hashed(secrets.token_hex(16))
