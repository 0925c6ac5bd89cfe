"""``python -m benchmarks.console_hour [--minutes 60] [--seed 7] [--out FILE]``: two lanes, three officers, an hour of traffic in jumping time.

Officers see what a console shows of both lanes, need seconds to look, choose and sign, and get into one another's way: two rule on the same
traveller, somebody signs for who has left meanwhile, a console sends an order twice. Orders are signed by software authenticators and go the
whole way of a lane's: nonce, verifier, roster, table, log. In the end the log, the doors and the outbox are held against each other:

* ``lost``: orders that were answered as carried out and do not stand in the log, or begun travellers that do not; 0
* ``doubled``: orders that were carried out twice, travellers ruled on twice, closed twice, or for whom the exit opened twice; 0
* ``unfounded``: openings of the exit without a permit or an officer's pass, crossings that nobody made, orders that nobody signed; 0

Exit status 1 if one of them is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import lane_stubs, machine
from benchmarks.authenticator import Authenticator, put_in_force
from benchmarks.console_hour_lane import Lane
from benchmarks.soak_cases import Case
from gate.audit.log import decode, open_readonly
from gate.console.acts import actions, challenge
from gate.console.verifier import Verifier
from gate.evidence import Stage
from gate.policy.schema import load_rules
from gate.processes.messages import ActAnswered, AskNonce, ConsoleView, OfficerAct
from gate.records import DecisionRecord, OfficerActed
from gate.simulation.warped import WarpedClock, WarpedLoop

ORIGIN = "http://localhost:8412"
RULING = {"pass": 55, "counter": 15, "secondary": 10, "eject": 8, "hold": 12}
"""What an officer does with who waits, of a hundred."""
SENT_TWICE, ELSEWHERE = 0.08, 0.02
"""Shares of orders that the console sends again, and of looks in which an officer closes a lane, or opens it again."""
MOVES = {"pass", "counter", "secondary", "eject"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order that an officer signed, and what the lane said of it."""

    lane: str
    officer: str
    act: OfficerAct
    answer: ActAnswered

    @property
    def carried_out(self) -> bool:
        return not self.answer.refused


@dataclass(slots=True)
class Officer:
    """Looks now and then, and acts on what the console showed a moment ago."""

    key: Authenticator
    lanes: Sequence[Lane]
    dice: random.Random
    orders: list[Ordered] = field(default_factory=list)

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.dice.uniform(1.0, 6.0))
            waiting = [lane for lane in self.lanes if lane.view and lane.view.state == "hold"]
            if waiting:
                lane = self.dice.choice(waiting)
                await self._rule(lane, self.dice.choices(list(RULING), list(RULING.values()))[0])
            elif closed := [lane for lane in self.lanes if lane.view and lane.view.troubles]:
                await self._rule(closed[0], "open")
            elif self.dice.random() < ELSEWHERE:
                await self._rule(self.dice.choice(self.lanes), "close")

    async def _rule(self, lane: Lane, action: str) -> None:
        seen = lane.view
        assert seen is not None
        await asyncio.sleep(self.dice.uniform(0.5, 4.0))
        given = lane.officers.nonce(AskNonce(request=1))
        about = actions()[action].about == "traveller"
        if about and given.transaction != seen.transaction:
            return  # the console says that it is too late, and nothing is signed
        act = self._signed(lane, seen, action, given.nonce)
        await asyncio.sleep(self.dice.uniform(0.5, 5.0))
        for _ in range(2 if self.dice.random() < SENT_TWICE else 1):
            self.orders.append(Ordered(lane=lane.name, officer=self.key.name, act=act, answer=await lane.officers.act(act)))

    def _signed(self, lane: Lane, seen: ConsoleView, action: str, nonce: bytes) -> OfficerAct:
        rule = actions()[action]
        order: dict[str, Any] = {"action": action, "lane": lane.name, "reason": self.dice.choice(rule.reasons), "nonce": nonce}
        order["transaction"] = seen.transaction if rule.about == "traveller" else ""
        return OfficerAct(**order, credential=self.key.credential, **self.key.sign(challenge(**order), ORIGIN))


async def play(folder: Path, seconds: float, seed: int) -> tuple[list[Lane], list[Ordered]]:
    """The whole time. The lanes have closed their logs; what they saw remains."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpedLoop)
    clock, rules = WarpedClock(loop, datetime.now(UTC)), load_rules()
    keys = [Authenticator("Sari"), Authenticator("Made"), Authenticator("Chief", "supervisor")]
    signers = put_in_force(folder / "roster", keys)
    lanes = []
    for number in (1, 2):
        state = folder / f"lane-{number}"
        state.mkdir()
        verifier = Verifier(state, folder / "roster", signers, ORIGIN)
        dice = random.Random(f"{seed} lane {number}")
        lanes.append(Lane(state, f"T{number}", rules=rules, clock=clock, verifier=verifier, dice=dice))
    officers = [Officer(key, lanes, random.Random(f"{seed} {key.name}")) for key in keys]
    await asyncio.gather(*(lane.open() for lane in lanes))
    working = [loop.create_task(officer.work()) for officer in officers]
    serving = asyncio.gather(*(lane.serve_visitors(seconds) for lane in lanes))
    await asyncio.wait([serving, *working], return_when=asyncio.FIRST_COMPLETED)
    for task in (task for task in working if task.done()):
        task.result()
    await serving
    await asyncio.sleep(10.0)  # orders that are on their way
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    for lane in lanes:
        await lane.close()
    return lanes, [order for officer in officers for order in officer.orders]


# --- the judge ---------------------------------------------------------------------------------------------------------------


def judged(lanes: Sequence[Lane], orders: Sequence[Ordered]) -> dict[str, Any]:
    findings: dict[str, list[str]] = {"lost": [], "doubled": [], "unfounded": [], "chain": []}
    for lane in lanes:
        _judge_lane(lane, [order for order in orders if order.lane == lane.name], findings)
    answers = Counter(
        order.answer.refused or ("first of two" if order.answer.awaits_second else "carried out") for order in orders
    )
    ended = Counter(str(record.outcome) for lane in lanes for record in lane.seen.ended)
    return {
        "travellers": sum(len(lane.seen.begun) for lane in lanes),
        "outcomes": dict(ended),
        "orders": len(orders),
        "answers": dict(answers),
        "by_officer": dict(Counter(order.officer for order in orders)),
        "passed": sum(lane.seen.out for lane in lanes),
        **{name: len(found) for name, found in findings.items()},
        "findings": findings,
    }


def _judge_lane(lane: Lane, orders: Sequence[Ordered], findings: dict[str, list[str]]) -> None:
    with open_readonly(lane.path, lane_stubs.KEY) as log:
        findings["chain"] += [f"{lane.name} record {found.seq}: {found.what}" for found in log.verify()]
        records = list(log.records())
    acted = [decode(record, OfficerActed) for record in records if record.kind == "officer"]
    granted = [decode(record, DecisionRecord) for record in records if record.kind == "permit"]
    permits = {each.evidence.transaction for each in granted if each.decision.stage is Stage.EXIT}
    twice = Counter((each.evidence.transaction, str(each.decision.stage)) for each in granted)
    closed = Counter(record.transaction for record in records if record.kind == "transaction")
    told = [each for each in acted if not each.refused]
    _judge_orders(lane, orders, acted, told, findings)
    passes = [each.transaction for each in told if each.action == "pass" and not each.awaits_second]
    exits = Counter(lane.seen.exits)
    findings["lost"] += [f"{lane.name}: {each} was begun and never closed" for each in lane.seen.begun if not closed[each]]
    findings["doubled"] += [f"{lane.name}: {each} {times} times closed" for each, times in closed.items() if times > 1]
    findings["doubled"] += [
        f"{lane.name}: the exit opened {times} times for {each}" for each, times in exits.items() if times > 1
    ]
    findings["doubled"] += [f"{lane.name}: {times} permits of {place}" for place, times in twice.items() if times > 1]
    findings["lost"] += [
        f"{lane.name}: {each.transaction} ended, and is in no log" for each in lane.seen.ended if not closed[each.transaction]
    ]
    findings["unfounded"] += [f"{lane.name}: the exit opened for {each}" for each in exits if each not in {*permits, *passes}]
    findings["lost"] += [f"{lane.name}: {each} may pass, and the exit stayed shut" for each in {*passes} - {*exits}]
    ends = Counter(lane.seen.crossings)
    findings["lost"] += [f"{lane.name}: no crossing of {each}" for each in exits if ends[each, "passed"] == 0]
    findings["doubled"] += [
        f"{lane.name}: {end} {times} times" for (_, end), times in ends.items() if times > 1 and end != "permitted"
    ]
    findings["unfounded"] += [f"{lane.name}: a crossing of {each}" for each, end in ends if end == "passed" and each not in exits]
    if lane.seen.out != len(lane.seen.exits):
        findings["unfounded"].append(f"{lane.name}: {lane.seen.out} persons left by {len(lane.seen.exits)} openings")


def _judge_orders(
    lane: Lane,
    orders: Sequence[Ordered],
    acted: Sequence[OfficerActed],
    told: Sequence[OfficerActed],
    findings: dict[str, list[str]],
) -> None:
    done = {order.act.nonce.hex() for order in orders if order.carried_out}
    nonces = Counter(each.nonce for each in told)
    findings["lost"] += [f"{lane.name}: order {nonce[:8]} was carried out, says the lane" for nonce in done - nonces.keys()]
    findings["doubled"] += [f"{lane.name}: order {nonce[:8]} {times} times" for nonce, times in nonces.items() if times > 1]
    findings["unfounded"] += [
        f"{lane.name}: order {each.nonce[:8]} {each.action}"
        for each in told
        if each.nonce not in done and not _came_to_nothing(each, acted)
    ]
    moved = Counter(each.transaction for each in told if each.action in MOVES and not each.awaits_second and each.nonce in done)
    findings["doubled"] += [f"{lane.name}: {each} ruled on {times} times" for each, times in moved.items() if times > 1]
    refused = sum(not order.carried_out for order in orders)
    written = sum(bool(each.refused) for each in acted) + sum(each.left_out for each in acted) + lane.left_out
    if refused != written:
        findings["lost"].append(f"{lane.name}: {refused} orders were refused, and {written} are told of")


def _came_to_nothing(order: OfficerActed, acted: Sequence[OfficerActed]) -> bool:
    """A pass whose permit was durable, and which the lane then had no use for: it says so in a further record."""
    return any(each.refused and (each.nonce, each.action) == (order.nonce, "pass") for each in acted)


def run(minutes: float, seed: int) -> dict[str, Any]:
    """One such time, in a fresh folder."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hour-") as folder:
        told = judged(*played(Path(folder), minutes, seed))
    return {"minutes": minutes, "seed": seed, "seconds": round(time.monotonic() - begun, 1), **told}


def played(folder: Path, minutes: float, seed: int) -> tuple[list[Lane], list[Ordered]]:
    """:func:`play` on a loop of its own."""
    loop = WarpedLoop()
    try:
        return loop.run_until_complete(play(folder, minutes * 60, seed))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


MUST_SEE = {"carried out", "first of two", "too_late", "nonce_unknown"}
"""Answers without which an hour proves nothing about officers who get into one another's way."""
WRONG = ("lost", "doubled", "unfounded", "chain")


@contextmanager
def hours() -> Iterator[Case]:
    """For the soak: a case is an hour."""

    def case(dice: random.Random) -> str:
        told = run(60, dice.randrange(1 << 30))
        assert not any(told[wrong] for wrong in WRONG), told["findings"]
        assert told["answers"].keys() >= MUST_SEE, told["answers"]
        return "an hour"

    yield case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console_hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    told = run(options.minutes, options.seed)
    text = json.dumps({"machine": machine.facts(), **told}, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return int(any(told[wrong] for wrong in WRONG))


if __name__ == "__main__":
    sys.exit(main())
