"""The long suites. Each prepares itself once and then judges single cases, drawn from the dice it is handed.

A case returns a word for what came out, or raises: AssertionError where a property does not hold, anything else where the product let
through an exception that it should not. ``must_see`` are words without which a suite proves nothing. Keys of pretend States are fresh in
each run, so a case repeats by its number in everything but those.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks.soak_cases import Case
from benchmarks.soak_documents import chip_responses, images, mrz_text, sod_mutations
from benchmarks.soak_gate import channel_messages, gate_link, lane_walks, policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """``prepare`` gives the case; ``cases`` is the full count."""

    cases: int
    prepare: Callable[[], AbstractContextManager[Case]]
    must_see: frozenset[str]


SUITES: dict[str, Suite] = {
    "sod_mutations": Suite(cases=100_000, prepare=sod_mutations, must_see=frozenset({"SIGNATURE_INVALID", "MALFORMED"})),
    "chip_responses": Suite(cases=10_000, prepare=chip_responses, must_see=frozenset({"authentic"})),
    "mrz_text": Suite(
        cases=500_000, prepare=mrz_text, must_see=frozenset({"malformed", "check digits right", "check digits wrong"})
    ),
    "images": Suite(cases=20_000, prepare=images, must_see=frozenset({"good", "decoded", "undecodable"})),
    "gate_link": Suite(cases=5_000, prepare=gate_link, must_see=frozenset({"every command answered, line damaged"})),
    "lane_walks": Suite(cases=20_000, prepare=lane_walks, must_see=frozenset({"an exit opened", "nothing opened"})),
    "policy": Suite(cases=500_000, prepare=policy, must_see=frozenset({"OPEN", "COUNTER", "HOLD"})),
    "channel_messages": Suite(cases=300_000, prepare=channel_messages, must_see=frozenset({"hung up", "DocumentChecked"})),
}
