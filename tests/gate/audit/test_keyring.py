"""Keys of personal fields: each record its own, on the disk before it is used, and gone from every file once destroyed."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.audit.chain import AuditError
from gate.audit.fields import place
from gate.audit.keyring import AHEAD, FILE_NAME, Cause, Keyring, sealing_key

SECRET = bytes(range(32))
TODAY, BEFORE = date(2026, 3, 2), date(2026, 2, 1)
CAUSE = Cause(why="the test", at=datetime(2026, 3, 2, 3, 0, tzinfo=UTC))


@pytest.fixture
def ring(tmp_path):
    with Keyring(tmp_path / FILE_NAME, SECRET, "make") as ring:
        yield ring


def opened(ring: Keyring, box, transaction: str = "t-1", kind: str = "findings") -> bytes | None:
    return ring.unseal(box.key, box.box, place(transaction, "permit", kind, box.key))


def wrapped(folder: Path) -> dict[int, tuple[bytes, bytes]]:
    """Each key as it lies in the file: itself, and what it is wrapped with."""
    with closing(sqlite3.connect(f"{(folder / FILE_NAME).as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT key.number, key.wrapped, period.wrapped FROM key JOIN period ON period.number = key.period")
        return {number: (own, over) for number, own, over in rows.fetchall()}


def on_disk(folder: Path, *needles: bytes) -> set[bytes]:
    """Which of ``needles`` any file below ``folder`` holds."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {needle for needle in needles if any(needle in file for file in files)}


def test_what_is_sealed_opens_at_its_place_alone(ring):
    one, other = (ring.seal("t-1", "permit", "findings", plain, TODAY) for plain in (b"hit", b"clear"))
    assert (opened(ring, one), opened(ring, other)) == (b"hit", b"clear")
    assert one.key != other.key
    for transaction, kind in (("t-2", "findings"), ("t-1", "scores")):
        with pytest.raises(ValueError, match="changed"):
            opened(ring, one, transaction, kind)
    with pytest.raises(ValueError, match="changed"):
        ring.unseal(other.key, one.box, place("t-1", "permit", "findings", one.key))


@given(box=st.binary(max_size=60))
@settings(max_examples=50)
def test_no_other_bytes_open(tmp_path_factory, box):
    with Keyring(tmp_path_factory.mktemp("ring") / FILE_NAME, SECRET, "make") as ring:
        number = ring.seal("t-1", "permit", "findings", b"hit", TODAY).key
        with pytest.raises(ValueError, match="changed"):
            ring.unseal(number, box, b"place")


def test_a_key_is_on_the_disk_before_it_is_handed_out(ring, tmp_path):
    """Another process, and another start, open what was sealed just now."""
    boxes = [ring.seal("t-1", "permit", "findings", b"hit", TODAY) for _ in range(AHEAD + 3)]
    with Keyring(tmp_path / FILE_NAME, SECRET) as reader:
        assert {opened(reader, box) for box in boxes} == {b"hit"}
    with Keyring(tmp_path / FILE_NAME, SECRET, "make") as again:
        fresh = again.seal("t-1", "permit", "findings", b"hit", TODAY)
        assert fresh.key not in {box.key for box in boxes}
    assert len({box.key for box in boxes}) == len(boxes)


def test_keys_are_of_the_day_on_which_they_are_used(ring):
    ring.seal("t-1", "permit", "findings", b"old", BEFORE)
    box = ring.seal("t-1", "permit", "findings", b"new", TODAY)
    assert ring.count("findings", BEFORE) == AHEAD
    ring.destroy_days("findings", BEFORE, CAUSE)
    assert opened(ring, box) == b"new"


def test_keys_are_made_ahead_so_that_nobody_waits_for_the_disk(ring, monkeypatch):
    ring.stock("findings", TODAY)
    monkeypatch.setattr(ring, "_written", None)  # whoever writes now fails
    for _ in range(AHEAD // 2):
        ring.seal("t-1", "permit", "findings", b"hit", TODAY)


def test_another_sealing_key_opens_nothing_and_is_told(ring, tmp_path):
    box = ring.seal("t-1", "permit", "findings", b"hit", TODAY)
    with pytest.raises(AuditError, match="another"):
        Keyring(tmp_path / FILE_NAME, bytes(32))
    with Keyring(tmp_path / FILE_NAME, None) as without:
        assert opened(without, box) is None
        with pytest.raises(AuditError):
            without.seal("t-1", "permit", "findings", b"hit", TODAY)


def test_the_file_is_for_its_user_alone_and_nothing_in_it_opens_without_the_sealing_key(ring, tmp_path):
    box = ring.seal("t-1", "permit", "findings", b"hit", TODAY)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    own, over = wrapped(tmp_path)[box.key]
    key = aes_key_unwrap(aes_key_unwrap(SECRET, over), own)
    assert AESGCM(key).decrypt(box.box[:12], box.box[12:], place("t-1", "permit", "findings", box.key)) == b"hit"
    assert on_disk(tmp_path, own, over) == {own, over}
    assert on_disk(tmp_path, key, aes_key_unwrap(SECRET, over)) == set()


# --- destroying --------------------------------------------------------------------------------------------------------------


@pytest.mark.conforms("UU 27/2022 art. 42-44", "positive")
def test_destroyed_keys_are_in_no_file_any_more(ring, tmp_path):
    """Of whole days with what they were wrapped with, and single ones; the control: before, all of them are found."""
    dice, days = random.Random(1), [date(2026, 2, day) for day in range(1, 9)]
    boxes = [ring.seal("t-1", "permit", dice.choice(("findings", "scores")), os.urandom(40), days[n // 100]) for n in range(800)]
    before = wrapped(tmp_path)
    everything = {each for pair in before.values() for each in pair}
    assert on_disk(tmp_path, *everything) == everything
    single = [box.key for box in dice.sample(boxes[600:], 90)]
    assert ring.destroy(single, CAUSE) == 90
    assert ring.destroy_days("findings", days[3], CAUSE) + ring.destroy_days("scores", days[5], CAUSE) > 500
    kept = {each for pair in wrapped(tmp_path).values() for each in pair}
    assert on_disk(tmp_path, *everything) == kept
    assert kept < everything
    assert not {before[number][0] for number in single} & kept
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size == 0


@pytest.mark.conforms("UU 27/2022 art. 42-44", "defect")
def test_a_destruction_that_leaves_keys_in_the_file_is_noticed(ring, tmp_path, monkeypatch):
    monkeypatch.setattr(Keyring, "erase", lambda _: None)
    with pytest.raises(AssertionError):
        test_destroyed_keys_are_in_no_file_any_more(ring, tmp_path)


@pytest.mark.conforms("UU 27/2022 art. 42-44", "negative")
def test_whoever_reads_meanwhile_is_told_of_and_the_next_look_erases(ring, tmp_path):
    box = ring.seal("t-1", "permit", "findings", b"hit", BEFORE)
    own, _ = wrapped(tmp_path)[box.key]
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM key").fetchall()
        with pytest.raises(AuditError, match="somebody reads"):
            ring.destroy_days("findings", BEFORE, CAUSE)
        assert opened(ring, box) is None
        assert on_disk(tmp_path, own) == {own}
        reader.execute("COMMIT")
    ring.erase()
    assert on_disk(tmp_path, own) == set()


def test_a_destruction_is_told_until_it_stands_in_the_log(ring, tmp_path):
    boxes = [ring.seal("t-1", "permit", kind, b"hit", BEFORE) for kind in ("findings", "scores")]
    ring.destroy([box.key for box in boxes], Cause(why="asked for", signed_by=("budi", "siti"), at=CAUSE.at))
    ring.destroy_days("findings", BEFORE, CAUSE)
    ring.destroy_days("findings", BEFORE, CAUSE)  # there is none left: nothing to tell
    told = ring.unlogged()
    assert [(each.number, each.kind, each.until, each.keys, each.signed_by) for each in told] == [
        (1, "findings", "", 1, ("budi", "siti")),
        (2, "scores", "", 1, ("budi", "siti")),
        (3, "findings", "2026-02-01", AHEAD - 1, ()),
    ]
    with Keyring(tmp_path / FILE_NAME, None, "change") as other:
        other.logged(2)
    assert [each.number for each in ring.unlogged()] == [1, 3]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like one" * 40, b"\x00" * 4096])
def test_a_file_that_is_no_keyring_is_refused(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    for mode in ("read", "change", "make"):
        with pytest.raises(AuditError, match=FILE_NAME):
            Keyring(tmp_path / FILE_NAME, SECRET, mode)


@pytest.mark.parametrize(("content", "mode"), [("00" * 31, 0o600), ("zz" * 32, 0o600), ("00" * 32, 0o604), (None, 0)])
def test_a_sealing_key_that_is_none_or_everybodys_is_refused(tmp_path, content, mode):
    path = tmp_path / "sealing.key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(AuditError, match=r"audit\.sealing_key"):
        sealing_key(path)
