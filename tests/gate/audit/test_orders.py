"""Destroying by order: two people sign what, of which log, and why; nothing else is destroyed, and the log says who ordered it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from gate.__main__ import main
from gate.audit.fields import parts_of, sealed, taken
from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.keyring import Keyring
from gate.audit.log import FILE_NAME, SEALING_KEY_FILE, AuditError, AuditLog, open_readonly
from gate.audit.order import DestructionOrder, SignedOrder
from gate.replay import unreadable

AT = datetime.now(UTC)
PEOPLE = {name: Ed25519PrivateKey.generate() for name in ("siti", "budi", "stranger")}
BODY = b"""{"at": "2026-03-02T03:00:00Z", "evidence": {"transaction": "%s", "lane": "L1", "checkpoint": "CGK", "direction": "departure",
"civil_date": "2026-03-02", "facts": {"wanted": {"value": "hit"}, "face": {"value": "match", "score": 0.61803}}},
"decision": {"stage": "exit", "outcome": "HOLD", "reasons": ["WANTED_HIT"], "grant": null, "rules": [], "tolerances": [], "unmet": [],
"rules_version": "draft@00"}}"""


def signer(name: str) -> str:
    return f"{name}:{PEOPLE[name].public_key().public_bytes_raw().hex()}"


class House:
    """A gate's state folder with three travellers of as many days, and the keys of those who sign."""

    def __init__(self, folder) -> None:
        self.state, self.order = folder / "state", folder / "order.json"
        self.state.mkdir()
        (self.state / SEALING_KEY_FILE).write_text("5a" * 32)
        (self.state / SEALING_KEY_FILE).chmod(0o600)
        for name, key in PEOPLE.items():
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.key").write_bytes(pem)
        log = AuditLog(self.state / FILE_NAME, b"k" * 32)
        with Keyring.of(self.state, self.state / SEALING_KEY_FILE, "make") as ring:
            for age, name in ((400, "t-1"), (40, "t-2"), (0, "t-3")):
                clear, parts = taken("permit", BODY % name.encode())
                day = (AT - timedelta(days=age)).date()
                boxes = {kind: ring.seal(name, "permit", kind, plain, day) for kind, plain in parts.items()}
                log.append("permit", name, sealed(clear, boxes), AT, 1.0)
        log.close()
        self.folder = folder

    def gone(self) -> dict[str, tuple[str, ...]]:
        with open_readonly(self.state / FILE_NAME, b"k" * 32) as log:
            assert log.verify() == []
            return {record.transaction: record.gone for record in log.records()}

    def sign(self, name: str, *more: str) -> int:
        own = ["--signer", signer("siti"), "--signer", signer("budi")]
        who = ["--key", str(self.folder / f"{name}.key"), "--name", name]
        return main(["audit", "order", "--state", str(self.state), "--file", str(self.order), *own, *who, *more])

    def retain(self, *more: str) -> int:
        return main(["audit", "retain", "--state", str(self.state), *more])

    def by_order(self) -> int:
        return self.retain("--order", str(self.order), "--signer", signer("siti"), "--signer", signer("budi"))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


WHAT = ("--kind", "findings", "--kind", "scores", "--transaction", "t-3", "--because", "the traveller asked for it")


def test_what_is_due_is_told_and_destroyed_when_it_is_said_so(house, capsys):
    assert house.retain() == 0
    assert "findings, kept for 180 days: 32 keys" in capsys.readouterr().out
    assert house.gone() == {"t-1": (), "t-2": (), "t-3": ()}
    assert house.retain("--do") == 0
    assert house.gone() == {"t-1": ("scores", "findings"), "t-2": ("scores",), "t-3": ()}
    with Keyring(house.state / KEYS, None) as ring:
        assert [each.signed_by for each in ring.unlogged()] == [(), ()]
    with open_readonly(house.state / FILE_NAME) as log:
        assert unreadable(log) == {"t-1": 1}


def test_a_gate_in_operation_wants_an_order(house, capsys):
    with Keyring(house.state / KEYS, None, "change") as ring:
        ring.demand_orders()
    assert house.retain("--do") == 2
    assert "without an order that two people signed" in capsys.readouterr().err
    assert house.gone() == {"t-1": (), "t-2": (), "t-3": ()}
    days = (AT - timedelta(days=10)).date().isoformat()
    assert house.sign("siti", "--kind", "scores", "--until", days, "--because", "due") == 0
    assert house.sign("budi") == 0
    assert house.by_order() == 0
    assert house.gone() == {"t-1": ("scores",), "t-2": ("scores",), "t-3": ()}
    with Keyring(house.state / KEYS, None) as ring:
        (told,) = ring.unlogged()
    assert (told.signed_by, told.until) == (("budi", "siti"), days)
    assert told.why.startswith("due (order ")


def test_one_travellers_fields_go_by_order_and_nobody_elses(house):
    assert house.sign("siti", *WHAT) == 0
    assert house.sign("budi") == 0
    assert house.by_order() == 0
    assert house.gone() == {"t-1": (), "t-2": (), "t-3": ("scores", "findings")}
    assert house.by_order() == 0  # again: nothing more
    assert house.gone()["t-1"] == ()


@pytest.mark.parametrize("signers", [("siti",), ("siti", "siti"), ("siti", "stranger")])
def test_one_person_orders_nothing(house, signers, capsys):
    for name in signers:
        house.sign(name, *WHAT)
    assert house.by_order() == 2
    assert "signed by 1 of 2 people (siti)" in capsys.readouterr().err
    assert house.gone() == {"t-1": (), "t-2": (), "t-3": ()}


def test_signatures_of_strangers_count_for_nothing(house):
    house.sign("siti", *WHAT)
    signed = SignedOrder.parse(house.order.read_bytes()).signed_with(PEOPLE["stranger"])
    house.order.write_bytes(signed.encoded)
    assert len(signed.signatures) == 2
    assert house.by_order() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"transactions": ["t-1"]},
        {"kinds": ["findings"]},
        {"because": "another"},
        {"log": "0" * 16},
        {"until": "2026-01-01", "transactions": []},
    ],
)
def test_an_order_that_was_changed_after_it_was_signed_is_none(house, change):
    house.sign("siti", *WHAT)
    house.sign("budi")
    told = json.loads(house.order.read_bytes())
    told["order"] |= change
    house.order.write_text(json.dumps(told))
    assert house.by_order() == 2
    assert house.gone() == {"t-1": (), "t-2": (), "t-3": ()}


def test_an_order_about_another_log_destroys_nothing_here(house, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    far = House(other)
    far.order = house.order
    far.sign("siti", *WHAT)
    far.sign("budi")
    assert house.by_order() == 2
    assert house.gone()["t-3"] == ()


@pytest.mark.parametrize(
    "more",
    [
        ("--kind", "findings", "--because", "x"),
        ("--kind", "findings", "--transaction", "t-3", "--until", "2026-01-01", "--because", "x"),
        ("--kind", "everything", "--transaction", "t-3", "--because", "x"),
        ("--transaction", "t-3", "--because", "x"),
        ("--kind", "findings", "--until", "yesterday", "--because", "x"),
        ("--kind", "findings", "--transaction", "t-3"),
        ("--kind", "findings", "--transaction", "t\n3", "--because", "x"),
    ],
)
def test_an_order_that_says_nothing_too_much_or_no_reason_is_not_made(house, more):
    assert house.sign("siti", *more) == 2
    assert not house.order.exists()


def test_today_is_not_over(house):
    house.sign("siti", "--kind", "scores", "--until", AT.date().isoformat(), "--because", "x")
    house.sign("budi")
    if house.by_order() == 0:  # midnight came between the two lines
        assert datetime.now(UTC).date() > AT.date()
    else:
        assert house.gone()["t-3"] == ()


def test_a_record_is_shown_as_far_as_it_can_be_read(house, capsys):
    assert main(["audit", "show", "--state", str(house.state), "1"]) == 0
    assert '"hit"' in capsys.readouterr().out
    house.retain("--do")
    assert main(["audit", "show", "--state", str(house.state), "1"]) == 0
    told = capsys.readouterr()
    assert '"hit"' not in told.out
    assert "findings: cannot be read" in told.err
    assert main(["audit", "show", "--state", str(house.state), "9"]) == 2


def test_without_keys_there_is_nothing_to_retain(tmp_path, capsys):
    assert main(["audit", "retain", "--state", str(tmp_path)]) == 2
    assert KEYS in capsys.readouterr().err


@given(
    st.binary(max_size=300)
    | st.dictionaries(st.sampled_from(["order", "signatures"]), st.none() | st.integers()).map(msgspec.json.encode)
)
def test_any_bytes_are_an_order_or_refused(raw):
    with pytest.raises(AuditError):
        SignedOrder.parse(raw)


def test_an_order_is_read_as_it_was_written():
    order = DestructionOrder(log="0" * 16, kinds=("scores",), until="2026-01-01", because="x", date="2026-02-01")
    signed = SignedOrder(order=order).signed_with(PEOPLE["siti"])
    assert SignedOrder.parse(signed.encoded) == signed
    assert parts_of(signed.encoded) == {}
