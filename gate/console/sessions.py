"""Who is signed in at the console. A session shows lanes and orders nothing: for each order the lane wants a signature of its own.

Signing in is an assertion as well, over a random challenge of the console's, so that no password exists that could be stolen.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from gate.console.acts import Refused
from gate.console.assertion import Assertion, prove, public_key
from gate.console.roster import Officer, Roster
from pki.errors import PkiError

SESSION_S, IDLE_S = 8 * 3600.0, 1800.0
"""A shift, and how long a screen that nobody touches stays signed in."""
CHALLENGE_S = 120.0
MOST_SESSIONS, MOST_CHALLENGES = 32, 32


@dataclass(slots=True, kw_only=True)
class Session:
    officer: Officer
    began: float
    used: float


class Sessions:
    """``roster`` opens the roster in force (raises PkiError, OSError), ``today`` is the checkpoint's date, ``now`` tells seconds."""

    def __init__(
        self,
        roster: Callable[[], Roster],
        today: Callable[[], date],
        origin: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roster, self._today, self._origin, self._now = roster, today, origin, now
        self._challenges: dict[bytes, float] = {}
        self._sessions: dict[str, Session] = {}

    def begin(self) -> bytes:
        """A challenge to sign in with, good once and for two minutes."""
        while len(self._challenges) >= MOST_CHALLENGES:
            del self._challenges[next(iter(self._challenges))]
        challenge = secrets.token_bytes(32)
        self._challenges[challenge] = self._now()
        return challenge

    def finish(self, challenge: bytes, credential: str, assertion: Assertion) -> str | Refused:
        """The token of a new session, or why there is none."""
        given = self._challenges.pop(challenge, None)
        if given is None or self._now() - given > CHALLENGE_S:
            return Refused.NONCE_UNKNOWN
        try:
            officer = self._roster().find(credential)
        except (PkiError, OSError):
            return Refused.NOT_VERIFIABLE
        if officer is None:
            return Refused.UNKNOWN_AUTHENTICATOR
        proven = prove(assertion, key=public_key(officer.key), challenge=challenge, origin=self._origin)
        if proven.refused:
            return proven.refused
        if not officer.since <= self._today() <= officer.until:
            return Refused.OFFICER_NOT_VALID
        return self._open(officer)

    def _open(self, officer: Officer) -> str:
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(officer=officer, began=self._now(), used=self._now())
        return token

    def find(self, token: str, *, touched: bool = False) -> Officer | None:
        """Whose session that is; None where it is none, or over. ``touched``: somebody did something, so it does not go idle."""
        session = self._sessions.get(token)
        if session is None:
            return None
        now = self._now()
        if now - session.began > SESSION_S or now - session.used > IDLE_S:
            del self._sessions[token]
            return None
        if touched:
            session.used = now
        return session.officer

    def end(self, token: str) -> None:
        self._sessions.pop(token, None)
