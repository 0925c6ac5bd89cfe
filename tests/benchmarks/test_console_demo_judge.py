"""The judge of the demonstration that officers resolve (`python -m benchmarks.console_demo`, and in the soak): it sees each way of going wrong."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.console_demo import WAYS, Told, expected, judged, write_cast
from gate.records import OfficerActed

TABLE = expected()
BORROWED = "somebody else's passport"


def test_the_readmes_table_names_everybody_in_the_cast(tmp_path):
    assert len(TABLE) == 12
    assert TABLE[BORROWED] == ("COUNTER", ("FACE_NO_MATCH",))
    assert {outcome for outcome, _ in TABLE.values()} == {"OPEN", "RETRY", "COUNTER", "SECONDARY", "HOLD"}
    names = write_cast(tmp_path / "cast.toml", ())
    assert len(names) == 12 + len(WAYS) - 1
    assert set(WAYS) < set(names)


def traveller(name: str, title: str) -> dict[str, object]:
    outcome, reasons = TABLE[title]
    return {"transaction": f"t-{name}", "title": title, "outcome": outcome, "reasons": list(reasons)}


def order(name: str, action: str) -> OfficerActed:
    return OfficerActed(officer="Sari", role="officer", action=action, transaction=f"t-{name}")


WHOLE = Told(
    travellers={name: traveller(name, BORROWED) for name in WAYS}
    | {"unknown-state": traveller("unknown-state", "chip signed by a State in no trust store")},
    crossings=["t-borrowed", "t-borrowed-hold"],
    orders=[order(name, action) for name, actions in WAYS.items() for action in actions],
    ruled={f"t-{name}": list(actions) for name, actions in WAYS.items()} | {"t-unknown-state": []},
    chain=[],
)


def test_a_run_that_is_as_it_must_be_is_accused_of_nothing():
    assert list(judged(WHOLE, TABLE)) == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"chain": ["record 3: a column was changed"]}, "column"),
        ({"crossings": WHOLE.crossings[:1]}, "no crossing"),
        ({"crossings": [*WHOLE.crossings, "t-borrowed-counter"]}, "borrowed-counter: a crossing"),
        ({"crossings": [*WHOLE.crossings, "t-borrowed"]}, "told twice"),
        ({"orders": WHOLE.orders[1:]}, "the log holds []"),
        ({"orders": [*WHOLE.orders, order("borrowed", "pass")]}, "['pass', 'pass']"),
        ({"orders": [*WHOLE.orders, order("unknown-state", "pass")]}, "unknown-state: the log holds ['pass']"),
        ({"ruled": WHOLE.ruled | {"t-borrowed-eject": []}}, "borrowed-eject: its record tells []"),
        ({"travellers": WHOLE.travellers | {"borrowed": WHOLE.travellers["borrowed"] | {"outcome": "OPEN"}}}, "borrowed: OPEN"),
    ],
)
def test_each_way_of_going_wrong_is_found(changed, what):
    assert any(what in found for found in judged(dataclasses.replace(WHOLE, **changed), TABLE))
