"""Personal fields leave a record whole, come back whole, and nobody adds a field without judging it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from gate.audit.chain import encode
from gate.audit.fields import FILE, MARK, Box, kinds, opened, parts_of, sealed, table, taken
from gate.audit.log import Kind
from gate.audit.retention import PACKAGED, RetentionError, load_retention
from gate.decision import Outcome, PolicyDecision
from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.records import (
    CaseViewed,
    DecisionRecord,
    InspectionCheck,
    KeysDestroyed,
    LaneEvent,
    LinkWaived,
    OfficerActed,
    OfficerWatched,
    PanelEvent,
    PicturesShown,
    RulesInForce,
    SopStage,
    SopTrail,
    StageTiming,
    Tally,
    TransactionRecord,
)

AT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
BODIES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "permit": (DecisionRecord,),
    "decision": (DecisionRecord,),
    "transaction": (TransactionRecord,),
    "event": (LaneEvent, LinkWaived, RulesInForce, KeysDestroyed),
    "panel": (PanelEvent,),
    "officer": (OfficerActed,),
    "watch": (OfficerWatched,),
    "viewed": (CaseViewed,),
    "pictures": (PicturesShown,),
    "tally": (Tally,),
}
DECISION = """at evidence.transaction evidence.lane evidence.checkpoint evidence.direction evidence.civil_date
    decision.stage decision.outcome decision.rules_version"""
OPEN = {
    DecisionRecord: DECISION,
    TransactionRecord: " ".join(f"decisions.*.{name}" for name in DECISION.split())
    + """ transaction lane checkpoint direction started ended outcome backends.* demonstration kind""",
    LaneEvent: "before after event entry exit occupancy",
    # Names of those who sign for a gate stand in its configuration and in what they signed: they are not theirs as travellers' are.
    LinkWaived: "link granted_by reason until signature",
    RulesInForce: "rules_version before statement people.* begins",
    KeysDestroyed: "number field_kind until keys at why signed_by.*",
    PanelEvent: "what detail left_out",
    OfficerActed: "role action reason transaction refused awaits_second nonce left_out",
    OfficerWatched: "role event refused detail seconds nonce",
    CaseViewed: "on_watch transaction refused",
    PicturesShown: "transaction",
    Tally: "day demonstration unread counts.*.direction counts.*.passed counts.*.since counts.*.document_class counts.*.cause counts.*.count",
}
"""What lies open in a record, judged field by field."""


def leaves(kind: inspect.Type, at: str = "") -> Iterator[str]:
    """Paths of all values that a body of this type can hold."""
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                yield from leaves(field.type, f"{at}.{field.encode_name}".removeprefix("."))
        case inspect.VarTupleType() | inspect.ListType():
            yield from leaves(kind.item_type, f"{at}.*")
        case inspect.DictType():
            yield from leaves(kind.value_type, f"{at}.*")
        case inspect.UnionType():
            for each in kind.types:
                if not isinstance(each, inspect.NoneType):
                    yield from leaves(each, at)
        case _:
            yield at


def covers(path: str, leaf: str) -> bool:
    return leaf == path or leaf.startswith(f"{path}.")


def test_every_kind_of_record_is_judged():
    assert set(BODIES) == set(get_args(Kind))


@pytest.mark.parametrize(("record", "body"), [(record, body) for record, bodies in BODIES.items() for body in bodies])
def test_every_field_of_a_record_is_sealed_or_judged_to_lie_open(record, body):
    paths = [row.path for row in table() if record in row.records]
    left = {leaf for leaf in leaves(inspect.type_info(body)) if not any(covers(path, leaf) for path in paths)}
    assert left == set(OPEN[body].split())


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{'+'.join(row.records)} {row.path}")
def test_no_row_of_the_table_is_idle(row):
    for record in row.records:
        assert any(covers(row.path, leaf) for body in BODIES[record] for leaf in leaves(inspect.type_info(body))), record


def test_rows_of_the_table_say_nothing_but_what_is_read():
    assert len(tomllib.loads(FILE.read_text())["field"]) == len(table())
    assert kinds() == ("scores", "findings", "document", "officers")


# --- taking out and putting back -------------------------------------------------------------------------------------------


def decision(stage: Stage = Stage.EXIT) -> DecisionRecord:
    facts = {
        "nationality": Fact(value="citizen", result=CheckResult.SUCCESSFUL),
        "wanted": Fact(value="hit", result=CheckResult.FAILED, source="watchlist", as_of=AT),
        "face": Fact(value="match", result=CheckResult.SUCCESSFUL, score=0.61803, threshold=0.41421),
    }
    return DecisionRecord(
        at=AT,
        evidence=Evidence(
            transaction="t-1",
            lane="L1",
            checkpoint="CGK",
            direction=Direction.DEPARTURE,
            civil_date=date(2026, 3, 2),
            facts=facts,
        ),
        decision=PolicyDecision(
            stage=stage,
            outcome=Outcome.HOLD,
            reasons=("WANTED_HIT",),
            grant=None,
            rules=("WL-003",),
            tolerances=("T-1",),
            unmet=("wanted=hit",),
            rules_version="draft@00",
            annotations=("TOLD",),
        ),
    )


def transaction() -> TransactionRecord:
    return TransactionRecord(
        transaction="t-1",
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=AT,
        ended=AT,
        document_class="diplomatic",
        document_key="00ff" * 8,
        outcome=Outcome.HOLD,
        reasons=("WANTED_HIT",),
        stages=(StageTiming(name="registry.watchlist", start_ms=0.5, duration_ms=1.5, result="clear, hit"),),
        decisions=(decision(Stage.ENTRY), decision()),
        backends={"chip": "virtual"},
        demonstration=True,
        inspection=(InspectionCheck(step=1, name="x", group="y", result=CheckResult.FAILED, detail="CN=Signer 7"),),
        trail=SopTrail(sop_version="1", issuing_office="Kanim Kelas I", stages=(SopStage(name="interview", at=AT),)),
        ruled=(OfficerActed(officer="sari", role="officer", action="pass"),),
    )


RECORDS = {
    "permit": decision(),
    "transaction": transaction(),
    "officer": OfficerActed(
        officer="sari", role="officer", action="pass", proof=("AA", "BB"), authenticator="c1", first_officer="budi"
    ),
    "watch": OfficerWatched(officer="sari", event="signed", beside=("x", None), proof=("AA",)),
    "viewed": CaseViewed(officer="sari", on_watch=True, transaction="t-1"),
}
SECRETS = {
    "permit": (b"citizen", b"hit", b"WANTED", b"0.618", b"0.414", b"WL-003", b"TOLD", b'T-1"'),
    "transaction": (b"citizen", b"hit", b"WANTED", b"0.618", b"diplomatic", b"00ff", b"Kanim", b"Signer 7", b"sari"),
    "officer": (b"sari", b"budi", b"AA", b"c1"),
    "watch": (b"sari", b"AA"),
    "viewed": (b"sari",),
}
"""What nobody may read without a key."""


class Boxes:
    """Keeps what was sealed in a drawer; not what the gate does."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[bytes, bytes]] = {}
        self.lost: set[str] = set()

    def seal(self, transaction: str, record: str, body: bytes) -> bytes:
        from gate.audit.fields import place

        clear, parts = taken(record, body)
        boxes = {}
        for number, (kind, plain) in enumerate(parts.items(), len(self.kept) + 1):
            self.kept[number] = place(transaction, record, kind, number), plain
            boxes[kind] = Box(key=number, box=b"box")
        return sealed(clear, boxes)

    def unseal(self, number: int, box: bytes, where: bytes) -> bytes | None:
        found, plain = self.kept[number]
        if found != where:
            raise ValueError("another place")
        return None if any(f'"{kind}"'.encode() in where for kind in self.lost) else plain


@pytest.mark.parametrize("record", sorted(RECORDS))
def test_what_is_taken_out_is_gone_and_comes_back_whole(record):
    body, boxes = encode(RECORDS[record]), Boxes()
    written = boxes.seal("t-1", record, body)
    assert written.startswith(MARK)
    assert [secret for secret in SECRETS[record] if secret in written] == []
    assert [secret for secret in SECRETS[record] if secret not in body] == []  # the control: they were there
    again, gone = opened("t-1", record, written, boxes.unseal)
    assert gone == ()
    assert msgspec.json.decode(again, type=type(RECORDS[record])) == RECORDS[record]


@pytest.mark.parametrize("record", sorted(RECORDS))
def test_what_cannot_be_opened_leaves_a_record_that_still_reads(record):
    written = Boxes().seal("t-1", record, encode(RECORDS[record]))
    blank, gone = opened("t-1", record, written, None)
    assert set(gone) == set(parts_of(written)) != set()
    read = msgspec.json.decode(blank, type=type(RECORDS[record]))
    assert [secret for secret in SECRETS[record] if secret in encode(read)] == []


@given(st.integers(0, 12_000))
def test_a_sealed_part_has_one_of_a_few_lengths(much):
    body = encode(msgspec.structs.replace(transaction(), reasons=("X" * much,)))
    _, parts = taken("transaction", body)
    assert {len(part) for part in parts.values()} <= {128, 256, 512, 1024, 2048, 4096, 8192, 12_288, 16_384}
    assert len(parts["findings"]) < 4096 + 2 * (much + 1024)


def test_scores_can_go_while_the_evidence_stays():
    boxes = Boxes()
    written = boxes.seal("t-1", "permit", encode(decision()))
    boxes.lost = {"scores"}
    body, gone = opened("t-1", "permit", written, boxes.unseal)
    kept = msgspec.json.decode(body, type=DecisionRecord)
    assert gone == ("scores",)
    assert (kept.evidence.facts["face"].score, kept.evidence.facts["face"].value) == (None, "match")
    assert kept.decision == decision().decision
    boxes.lost = {"findings"}
    body, gone = opened("t-1", "permit", written, boxes.unseal)
    assert gone == ("findings",)
    assert msgspec.json.decode(body, type=DecisionRecord).evidence.facts == {}


def test_a_record_of_which_nothing_could_be_sealed_says_so():
    clear, parts = taken("permit", encode(decision()))
    body, gone = opened("t-1", "permit", sealed(clear, dict.fromkeys(parts)), lambda *_: b"")
    assert set(gone) == {"scores", "findings"}
    assert msgspec.json.decode(body, type=DecisionRecord).decision.outcome is Outcome.HOLD


def test_a_box_of_another_record_is_not_opened():
    boxes = Boxes()
    written = boxes.seal("t-1", "permit", encode(decision()))
    with pytest.raises(ValueError, match="another place"):
        opened("t-2", "permit", written, boxes.unseal)


@pytest.mark.parametrize("record", ["event", "panel", "pictures", "tally"])
def test_what_is_about_nobody_is_written_as_it_is(record):
    assert taken(record, b'{"officer":"x"}') == (b'{"officer":"x"}', {})


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda rest: MARK + rest))
def test_any_body_is_read_or_refused(raw):
    try:
        body, gone = opened("t", "permit", raw, lambda *_: b"[]")
    except ValueError:
        return
    assert gone == () or body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["evidence", "facts", "decision", "reasons", "grant", "a", "score"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_shape_a_body_has_nothing_is_lost(whole):
    raw, boxes = msgspec.json.encode(whole), Boxes()
    clear, parts = taken("permit", raw)
    if not parts:
        assert clear == raw
        return
    again, gone = opened("t", "permit", boxes.seal("t", "permit", raw), boxes.unseal)
    assert (msgspec.json.decode(again), gone) == (whole, ())


# --- periods ------------------------------------------------------------------------------------------------------------------


def test_each_kind_of_field_has_a_period_and_a_basis():
    retention = load_retention()
    assert set(retention.periods) == set(kinds())
    assert all(period.basis.startswith("UU ") for period in retention.periods.values())


def test_a_day_counts_from_its_end():
    retention = load_retention()
    assert retention.periods["scores"].days == 30
    assert retention.last_due("scores", date(2026, 3, 2)) == date(2026, 1, 30)


GOOD = PACKAGED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("days = 30", "days = 0", "days"),
        ("days = 30", 'days = "30"', "days"),
        ("[kind.scores]", "[kind.score]", "a period for each of"),
        ("[kind.scores]", "[kind.scores", "Expected"),
        ("days = 30", "dayz = 30", "dayz"),
        ("days = 30", f"days = 30 #{'x' * 70_000}", "longer"),
    ],
)
def test_a_file_of_periods_that_leaves_something_open_is_refused(tmp_path, old, new, what):
    path = tmp_path / "retention.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(RetentionError, match=what) as error:
        load_retention(path)
    assert str(path) in str(error.value)


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_any_file_of_periods_is_read_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "retention-any.toml"
    path.write_bytes(raw)
    with pytest.raises(RetentionError):
        load_retention(path)


def test_the_page_on_retention_says_what_the_file_says():
    page = (FILE.parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
    for name, period in load_retention().periods.items():
        assert f"| `{name}` | {period.days} |" in page
