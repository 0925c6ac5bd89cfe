"""The lane's end of sealing and the other: what is written, in which order, and what is written when nobody seals."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import gate.audit.sealing
from gate.audit.chain import encode
from gate.audit.fields import MARK, Box, parts_of
from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.log import FILE_NAME, SEALING_KEY_FILE, AuditError, AuditLog, AuditWriter, decode, open_readonly
from gate.audit.sealer import Retainer, Sealer
from gate.audit.sealing import MOST_TOLD, AskedSealer, ToldDestroyed
from gate.config import Audit, Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.evidence import Direction
from gate.processes.display import Display
from gate.processes.messages import DestroyedTold, FieldsSealed, TellDestroyed
from gate.records import DecisionRecord, KeysDestroyed, OfficerActed
from gate.replay import recorded_decisions, unreadable

KEY = b"k" * 32
AT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DECISION = b"""{"at": "2026-03-02T03:00:00Z",
"evidence": {"transaction": "t-1", "lane": "L1", "checkpoint": "CGK", "direction": "departure", "civil_date": "2026-03-02", "facts": {
"nationality": {"value": "citizen"}, "face": {"value": "match", "score": 0.61803, "threshold": 0.41421}}},
"decision": {"stage": "exit", "outcome": "HOLD", "reasons": ["WANTED_HIT"], "grant": null, "rules": ["WL-003"], "tolerances": [],
"unmet": ["wanted=hit"], "rules_version": "draft@00"}}"""
SECRETS = (b"citizen", b"WANTED", b"sari")


def decision() -> DecisionRecord:
    return msgspec.json.decode(DECISION, type=DecisionRecord)


class Clock:
    def __init__(self, now: datetime = AT) -> None:
        self.now, self.sure = now, True

    def wall(self) -> datetime:
        return self.now

    def boot(self) -> float:
        return self.now.timestamp()

    def trusted(self) -> bool:
        return self.sure


def config(folder, profile: str = "demo") -> Config:
    return Config(
        profile=profile,
        state_dir=folder,
        lane=Lane(id="x", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="simulator", address="x"),
        camera=Camera(kind="simulator", address="x"),
        controller=Controller(device="x"),
        face=Face(pack="demo", packs_dir=folder),
        trust=Trust(store=folder),
        audit=Audit(key=folder / "audit.key", sealing_key=folder / SEALING_KEY_FILE),
    )


class Pair:
    """Both ends; between them no socket, and whatever ``between`` does with an answer."""

    def __init__(self, folder, profile: str = "demo") -> None:
        self.folder, self.clock = folder, Clock()
        (folder / SEALING_KEY_FILE).write_text("5a" * 32)
        (folder / SEALING_KEY_FILE).chmod(0o600)
        self.there, self.said = True, []
        self.sealer = Sealer(config(folder, profile), self.post, self.clock)
        self.lane = AskedSealer(self.sealer.on_message, lambda: self.there)
        self.writer = AuditWriter(AuditLog(folder / FILE_NAME, KEY))
        self.writer.sealer = self.lane
        self.between = self.lane.heard

    def post(self, message) -> None:
        if isinstance(message, FieldsSealed):
            asyncio.get_running_loop().call_soon(self.between, message)
        else:
            self.said.append(message)

    async def permit(self, transaction: str = "t-1", **how) -> int:
        return await self.writer.append("permit", transaction, decision(), AT, 1.0, **how)

    def close(self) -> None:
        self.sealer.close()
        self.writer.close()

    def bodies(self) -> list[bytes]:
        with closing(sqlite3.connect(self.folder / FILE_NAME)) as log:
            return [body for (body,) in log.execute("SELECT body FROM record ORDER BY seq")]

    def read(self, **how):
        return open_readonly(self.folder / FILE_NAME, KEY, **how)


@pytest.fixture
async def pair(tmp_path):
    made = Pair(tmp_path)
    yield made
    made.close()


def plain_on_disk(folder) -> set[bytes]:
    files = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    return {secret for secret in SECRETS if any(secret in file for file in files)}


@pytest.mark.conforms("UU 27/2022 art. 35", "positive")
async def test_what_is_written_is_sealed_and_reads_as_if_it_were_not(pair):
    await pair.permit(whole=True)
    await pair.writer.append("officer", "t-1", OfficerActed(officer="sari", role="officer", action="pass"), AT, 2.0, whole=True)
    assert plain_on_disk(pair.folder) == set()
    with pair.read() as log:
        permit, act = log.records()
        assert decode(permit, DecisionRecord) == decision()
        assert decode(act, OfficerActed).officer == "sari"
        assert (permit.gone, act.gone) == ((), ())
        assert log.verify() == []


@pytest.mark.conforms("UU 27/2022 art. 35", "defect")
async def test_the_control_without_a_sealer_it_all_lies_open(pair):
    pair.writer.sealer = None
    await pair.permit()
    await pair.writer.append("officer", "t-1", OfficerActed(officer="sari", role="officer", action="pass"), AT, 2.0)
    assert plain_on_disk(pair.folder) == set(SECRETS)


async def test_without_the_key_everything_else_still_reads_and_the_chain_holds(pair):
    await pair.permit()
    (pair.folder / SEALING_KEY_FILE).rename(pair.folder / "elsewhere")
    with pair.read() as log:
        (permit,) = log.records()
        assert set(permit.gone) == {"scores", "findings"}
        assert decode(permit, DecisionRecord).decision.outcome == "HOLD"
        assert (list(recorded_decisions(log)), unreadable(log)) == ([], {"t-1": 1})
        assert log.verify() == []
    with pair.read(sealing_key=pair.folder / "elsewhere") as log:
        assert next(recorded_decisions(log)) == decision()


async def test_records_keep_their_order_whatever_has_to_be_sealed(pair):
    async def event(name: str) -> int:
        return await pair.writer.append("event", name, b"{}", AT, 1.0)

    numbers = await asyncio.gather(pair.permit("a"), event("b"), pair.permit("c"), event("d"), pair.permit("e"), event("f"))
    assert numbers == [1, 2, 3, 4, 5, 6]
    with pair.read() as log:
        assert [record.transaction for record in log.records()] == list("abcdef")


async def away(pair) -> None:
    pair.there = False


async def silent(pair) -> None:
    pair.between = lambda _: None


async def gone(pair) -> None:
    pair.between = lambda _: pair.lane.gone()


async def half(pair) -> None:
    pair.between = lambda answer: pair.lane.heard(
        FieldsSealed(number=answer.number, parts={"findings": answer.parts["findings"]})
    )


async def fat(pair) -> None:
    boxes = {kind: Box(key=1, box=bytes(90_000)) for kind in ("scores", "findings")}
    pair.between = lambda answer: pair.lane.heard(FieldsSealed(number=answer.number, parts=boxes))


async def without_disk(pair) -> None:
    for path in pair.folder.glob(f"{KEYS}*"):
        path.unlink()
    pair.sealer._ring.close()


@pytest.mark.parametrize("trouble", [away, silent, gone, half, fat, without_disk])
@pytest.mark.conforms("UU 27/2022 art. 35", "negative")
async def test_where_nobody_seals_no_permit_is_written_and_no_field_lies_open(pair, trouble, monkeypatch, capsys):
    monkeypatch.setattr(gate.audit.sealing, "SEAL_S", 0.05)
    await trouble(pair)
    with pytest.raises(AuditError, match="could not be sealed"):
        await pair.permit(whole=True)
    assert await pair.writer.append("decision", "t-1", decision(), AT, 1.0) == 1
    assert await pair.writer.append("event", "", b'{"x":1}', AT, 1.0) == 2
    assert plain_on_disk(pair.folder) == set()
    sealed, event = pair.bodies()
    assert parts_of(sealed) == {"scores": None, "findings": None}
    assert event == b'{"x":1}'
    with pair.read() as log:
        assert unreadable(log) == {"t-1": 1}


async def test_an_answer_that_nobody_waits_for_is_dropped(pair):
    pair.lane.heard(FieldsSealed(number=99, parts={}))
    await pair.permit()
    pair.lane.heard(FieldsSealed(number=1, parts={}))
    assert pair.bodies()[0].startswith(MARK)


async def test_a_body_that_is_no_json_is_refused(pair):
    with pytest.raises(AuditError, match="cannot be read"):
        await pair.writer.append("permit", "t-1", b"{", AT, 1.0)


async def test_a_sealed_part_that_was_changed_is_told(pair):
    await pair.permit()
    with closing(sqlite3.connect(pair.folder / FILE_NAME)) as log:
        (body,) = log.execute("SELECT body FROM record").fetchone()
        log.execute("UPDATE record SET transaction_id = 't-2'")
        log.commit()
    assert parts_of(body)
    with pair.read() as log, pytest.raises(AuditError, match="record 1: a sealed part was changed"):
        list(log.records())


# --- in time -----------------------------------------------------------------------------------------------------------------


async def test_what_is_due_goes_by_itself_and_the_log_hears_of_it_once(pair):
    await pair.permit()
    retainer = Retainer(config(pair.folder), pair.said.append, pair.clock)
    retainer.look()
    assert pair.said == []
    pair.clock.now = AT + timedelta(days=31)
    retainer.look()
    (told,) = pair.said
    assert isinstance(told, TellDestroyed)
    assert (told.destroyed.field_kind, told.destroyed.until, told.destroyed.signed_by) == ("scores", "2026-03-02", ())
    with pair.read() as log:
        (permit,) = log.records()
        assert permit.gone == ("scores",)
        kept = decode(permit, DecisionRecord)
        assert (kept.evidence.facts["face"].value, kept.evidence.facts["face"].score) == ("match", None)
        assert log.verify() == []
    pair.clock.now = AT + timedelta(days=181)
    retainer.look()
    assert [each.destroyed.field_kind for each in pair.said] == ["scores", "findings"]
    pair.sealer.on_message(DestroyedTold(number=1))
    fresh = Retainer(config(pair.folder), pair.said.append, pair.clock)
    fresh.look()
    assert [each.destroyed.number for each in pair.said] == [
        1,
        2,
        2,
    ]  # what the log does not have yet is told again after a start
    fresh.close()
    retainer.close()
    with pair.read() as log:
        assert unreadable(log) == {"t-1": 1}
        assert log.verify() == []


@pytest.mark.parametrize("why", ["a doubtful clock", "a gate in operation"])
async def test_nothing_goes_by_itself_where_it_must_not(tmp_path, why, capsys):
    pair = Pair(tmp_path, "trial" if why == "a gate in operation" else "demo")
    await pair.permit()
    pair.clock.now, pair.clock.sure = AT + timedelta(days=3000), why == "a gate in operation"
    retainer = Retainer(config(tmp_path), pair.said.append, pair.clock)
    retainer.look()
    retainer.close()
    assert pair.said == []
    with pair.read() as log:
        assert next(log.records()).gone == ()
    assert "are due to be destroyed: autogate audit retain" in capsys.readouterr().err
    pair.close()


def test_a_record_costs_what_its_kind_says():
    """Officers' names alone are taken from an order: no key is spent on what is not there."""
    from gate.audit.fields import taken

    _, parts = taken("officer", encode(OfficerActed(officer="", role="command", action="eject")))
    assert parts == {}


# --- a process that lies -----------------------------------------------------------------------------------------------------


def said(number: int, **how) -> KeysDestroyed:
    words = {"field_kind": "scores", "until": "2026-01-01", "keys": 3, "at": "2026-03-02", "why": "in time", "signed_by": ()}
    return KeysDestroyed(number=number, **(words | how))


def test_what_was_destroyed_is_logged_once_in_bounded_words_and_a_flood_is_not():
    told = ToldDestroyed()
    assert told.taken(said(1)) == said(1)
    assert told.taken(said(1, keys=4)) is None
    assert told.taken(said(2, field_kind="everything")) is None
    long = told.taken(said(2, why="\u202e" + "x" * 10_000, until="y" * 999, signed_by=("z" * 999,) * 99))
    assert long is not None
    assert long.why.startswith("?x")
    assert len(encode(long)) < 2_000
    assert sum(told.taken(said(number)) is not None for number in range(3, 5_000)) == MOST_TOLD - 2


@pytest.mark.parametrize("seals", [True, False])
def test_a_lane_begins_with_nobody_without_the_process_that_seals(tmp_path, seals):
    audit = Audit(key=tmp_path / "audit.key", sealing_key=tmp_path / "sealing.key" if seals else None)
    display = Display(msgspec.structs.replace(config(tmp_path), audit=audit), lambda *_: None)
    assert ("audit" in display.workers) == seals
