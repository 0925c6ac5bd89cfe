"""The process that proves officers' signatures for the lane, which loads no cryptography. It answers questions and does nothing else.

It takes the roster as two people signed it, never one from before the newest that this gate has worked under, reads it anew for each
order, and remembers each authenticator's counter on the disk before it says yes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from gate import seen
from gate.config import Config
from gate.console.acts import Refused
from gate.console.assertion import Assertion, prove, public_key
from gate.console.roster import COMMAND, Officer, Roster, open_roster
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.officer_messages import (
    ActVerified,
    VerifyAct,
)
from gate.processes.worker import JOIN_EVERY_S, LANE_START_S, worker_main
from gate.runtime import Runtime
from pki.durable import read_file, write_file
from pki.errors import PkiError
from pki.signed_statement import parse_signers

SEEN_FILE, COUNTERS_FILE = "roster-seen.json", "officer-counters.json"
"""In the gate's state folder: the newest roster it has worked under; the last counter of each authenticator."""
MAX_COUNTERS = 1 << 20


class Verifier:
    """Answers for one lane. ``origin``: of the pages on which officers of this lane may sign."""

    def __init__(self, state: Path, roster: Path, signers: tuple[str, ...], origin: str) -> None:
        self._state, self._folder, self._origin = state, roster, origin
        self._signers = parse_signers(signers)

    def answer(self, asked: VerifyAct) -> ActVerified:
        """Whose order it is, or why nobody's. Never raises: what cannot be proven is refused."""
        try:
            return self._answer(asked)
        except (PkiError, OSError, msgspec.MsgspecError) as error:
            what = error.detail if isinstance(error, PkiError) else str(error)
            print(f"verifier: {what}", file=sys.stderr, flush=True)
            return ActVerified(nonce=asked.nonce, refused=Refused.NOT_VERIFIABLE, detail=what)

    def _answer(self, asked: VerifyAct) -> ActVerified:
        officer = self._roster().find(asked.credential)
        if officer is None:
            return ActVerified(nonce=asked.nonce, refused=Refused.UNKNOWN_AUTHENTICATOR)
        assertion = Assertion(
            authenticator_data=asked.authenticator_data, client_data=asked.client_data, signature=asked.signature
        )
        proven = prove(assertion, key=public_key(officer.key), challenge=asked.challenge, origin=self._origin)
        refused = proven.refused or self._counted(officer, proven.counter)
        if refused:
            return ActVerified(nonce=asked.nonce, refused=refused)
        return ActVerified(
            nonce=asked.nonce,
            officer=officer.name,
            role=officer.role,
            since=officer.since,
            until=officer.until,
            shift=officer.shift,
        )

    def _roster(self) -> Roster:
        before = seen.last_seen(self._state / SEEN_FILE, f"{COMMAND} list")
        roster, now = open_roster(self._folder, self._signers, before)
        seen.remember(now, self._state / SEEN_FILE, f"{COMMAND} list")
        return roster

    def _counted(self, officer: Officer, counter: int) -> Refused | None:
        """An authenticator that counts must count up (§6.1.1); one that never counted says 0 for ever."""
        path = self._state / COUNTERS_FILE
        known = msgspec.json.decode(read_file(path, MAX_COUNTERS), type=dict[str, int]) if path.exists() else {}
        last = known.get(officer.credential, 0)
        if (last or counter) and counter <= last:
            return Refused.COUNTER_WENT_BACK
        if counter != last:
            write_file(path, msgspec.json.encode(known | {officer.credential: counter}))
        return None


async def serve(config: Config, runtime: Runtime) -> None:
    """Answer the lane until it hangs up. Raises ChannelClosed."""
    console = config.console
    assert console.roster is not None
    verifier = Verifier(config.state_dir, console.roster, console.signers, console.page_origin)
    channel = await _join(runtime)
    while True:
        asked = await channel.receive()
        if isinstance(asked, VerifyAct):
            await channel.send(verifier.answer(asked))


async def _join(runtime: Runtime) -> Channel:
    """Connect, waiting a while for a lane that is only just starting. Raises ChannelClosed."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + LANE_START_S
    while True:
        try:
            return await connect(runtime.lane_socket, "verifier", runtime.secret_for("verifier"))
        except ChannelClosed:
            if loop.time() > give_up:
                raise
            await asyncio.sleep(JOIN_EVERY_S)


if __name__ == "__main__":
    raise SystemExit(worker_main("verifier", serve))
