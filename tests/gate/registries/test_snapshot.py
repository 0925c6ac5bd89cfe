"""Snapshots: signed by their registry for this gate, sealed on its disk, whole or refused, and never older than before."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from gate.registries import issuance, lost_and_stolen, snapshot_store
from gate.registries.base import Contract
from gate.registries.book_file import BookFile
from gate.registries.envelope import signed
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import MAX_LINE, Head, SnapshotRefused, published
from gate.registries.snapshot_store import SnapshotStore

NOW = datetime(2024, 6, 19, 21, 15, tzinfo=UTC)
AS_OF, EXPIRES = NOW - timedelta(hours=1), NOW + timedelta(hours=71)
REGISTRY = OKPKey.generate_key("Ed25519", private=True)
STRANGER = OKPKey.generate_key("Ed25519", private=True)
GATE = "cgk-t3-d07"
BOOKS = {f"X{number:07}": "revoked" if number % 10 == 0 else "active" for number in range(1, 41)}


def line(number: str, status: str = "active") -> bytes:
    record = {"status": status, "document_class": "ordinary", "office": "KANIM SURAKARTA"}
    return msgspec.json.encode({"issuing_state": "IDN", "document_number": number, "records": [record]})


LINES = [line(number, status) for number, status in BOOKS.items()]


def snapshot(lines: list[bytes] | None = None, key: OKPKey = REGISTRY, **changed: Any) -> bytes:
    told = {"registry": "issuance", "gate": GATE, "version": 7, "as_of": AS_OF, "expires": EXPIRES} | changed
    return b"".join(published(LINES if lines is None else lines, key, **told))


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(folder=tmp_path / "snapshots", key=SnapshotKey.derive(b"k" * 32), gate=GATE)


def take(store: SnapshotStore, raw: bytes, contract: Contract[Any] = issuance.CONTRACT, now: datetime = NOW) -> Head:
    return store.take(contract, io.BytesIO(raw), REGISTRY, now)


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(SnapshotRefused) as refused:
        work()
    return refused.value.why


def statuses(store: SnapshotStore) -> dict[str, str]:
    """What the store says of every book that it was told of, and of one that it was not."""
    with closing(store.open_books("issuance")) as file:
        told = {number: msgspec.json.decode(file.records("IDN", number)) for number in (*BOOKS, "X9999999")}
    return {number: records[0]["status"] if records else "unknown" for number, records in told.items()}


EXPECTED = BOOKS | {"X9999999": "unknown"}


def test_a_snapshot_says_what_its_registry_said(store: SnapshotStore) -> None:
    head = take(store, snapshot())
    assert (head.version, head.as_of, head.entries) == (7, AS_OF, len(BOOKS))
    assert statuses(store) == EXPECTED
    with closing(store.open_books("issuance")) as file:
        assert file.head == head
        assert file.records("MYS", "X0000001") == b"[]"


def test_a_snapshot_may_be_empty(store: SnapshotStore) -> None:
    take(store, snapshot([]))
    assert set(statuses(store).values()) == {"unknown"}


# --- on the way --------------------------------------------------------------------------------------------------------------------


def of_another_kind() -> bytes:
    """The registry's own signature, over the right words, as an answer."""
    entries = snapshot().partition(b"\n")[2]
    head = Head(
        registry="issuance",
        gate=GATE,
        version=7,
        as_of=AS_OF,
        expires=EXPIRES,
        entries=len(LINES),
        sha256=hashlib.sha256(entries).hexdigest(),
    )
    return signed(msgspec.json.encode(head), REGISTRY, "answer").encode() + b"\n" + entries


def swapped_records() -> bytes:
    """Two entries with each other's records, under the signed head."""
    whole = snapshot().splitlines(keepends=True)
    whole[1], whole[10] = (
        whole[1].replace(b"X0000001", b"X0000010"),
        whole[10].replace(b"X0000010", b"X0000001"),
    )
    return b"".join(whole)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (lambda: snapshot(key=STRANGER), "forged"),
        (of_another_kind, "forged"),
        (swapped_records, "forged"),
        (lambda: snapshot().replace(b"revoked", b"active\x20", 1), "malformed"),
        (lambda: snapshot().replace(b'"revoked"', b'"active" ', 1), "forged"),
        (lambda: snapshot(gate="cgk-t3-d08"), "misaddressed"),
        (lambda: snapshot(registry="lost_and_stolen"), "misaddressed"),
        (lambda: snapshot(expires=NOW), "expired"),
        (lambda: snapshot(as_of=NOW + timedelta(minutes=2)), "clock"),
        (lambda: snapshot() + line("X0000041") + b"\n", "malformed"),
        (lambda: snapshot()[:-1], "malformed"),
        (lambda: snapshot([*LINES, LINES[0]]), "contradictory"),
        (lambda: snapshot([*LINES, b"[]"]), "malformed"),
        (lambda: snapshot([*LINES, b"[" * 30_000]), "malformed"),
        (lambda: snapshot([*LINES, line("X" * MAX_LINE)]), "malformed"),
        (lambda: snapshot([line("X0000001", "fine")]), "malformed"),
        (
            lambda: snapshot([b'{"issuing_state": "IDN", "document_number": "X1", "records": [' + b"[" * 9000 + b"]}"]),
            "malformed",
        ),
        (lambda: b"", "malformed"),
        (lambda: b"no line end", "malformed"),
    ],
)
def test_what_is_not_exactly_right_is_refused_and_the_old_one_goes_on(
    store: SnapshotStore, raw: Callable[[], bytes], why: str
) -> None:
    take(store, snapshot(version=6))
    assert refusal(lambda: take(store, raw())) == why
    assert statuses(store) == EXPECTED
    assert not list(store.folder.glob("*.part"))
    with closing(store.open_books("issuance")) as file:
        assert file.head.version == 6


def test_half_a_snapshot_is_none(store: SnapshotStore) -> None:
    raw = snapshot()
    ends = [index + 1 for index, byte in enumerate(raw[:-1]) if byte == ord("\n")]
    for end in (*ends, *range(0, len(raw) - 1, 97)):
        assert refusal(lambda end=end: take(store, raw[:end])) == "malformed"
    assert not store.path("issuance").exists()


def test_an_entry_that_was_left_out_on_the_way_is_noticed(store: SnapshotStore) -> None:
    whole = snapshot().splitlines(keepends=True)
    for index in (1, 20, len(whole) - 1):
        assert refusal(lambda index=index: take(store, b"".join(whole[:index] + whole[index + 1 :]))) == "malformed"
        doubled = [*whole[:index], *whole[index + 1 :], whole[1 if index > 1 else 2]]
        assert refusal(lambda doubled=doubled: take(store, b"".join(doubled))) in {"contradictory", "forged"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(raw=st.binary(max_size=200), at=st.integers(0, 600), put=st.binary(max_size=3))
def test_any_bytes_are_a_snapshot_or_refused(store: SnapshotStore, raw: bytes, at: int, put: bytes) -> None:
    refusal(lambda: take(store, raw))
    changed = snapshot()[:at] + put + snapshot()[at + len(put) :]
    try:
        take(store, changed)
    except SnapshotRefused:
        return
    assert statuses(store) == EXPECTED


# --- never back --------------------------------------------------------------------------------------------------------------------


def test_an_older_version_is_refused_whoever_signed_it(store: SnapshotStore) -> None:
    take(store, snapshot(version=8))
    assert refusal(lambda: take(store, snapshot(version=7))) == "rolled_back"
    take(store, snapshot(version=9))
    assert refusal(lambda: take(store, snapshot(version=8))) == "rolled_back"


def test_a_version_says_one_thing_only(store: SnapshotStore) -> None:
    take(store, snapshot())
    take(store, snapshot())
    assert refusal(lambda: take(store, snapshot(LINES[:-1]))) == "contradictory"


def test_an_old_file_put_back_is_refused(store: SnapshotStore) -> None:
    take(store, snapshot(version=7))
    old = store.path("issuance").read_bytes()
    take(store, snapshot(version=8))
    store.path("issuance").write_bytes(old)
    assert refusal(lambda: store.open_books("issuance")) == "rolled_back"
    take(store, snapshot(version=8))
    assert statuses(store) == EXPECTED


@pytest.mark.parametrize("damage", [b"", b"7", None])
def test_who_takes_the_newest_version_away_opens_nothing_by_it(store: SnapshotStore, damage: bytes | None) -> None:
    take(store, snapshot())
    (mark,) = store.folder.glob("*.mark")
    mark.unlink() if damage is None else mark.write_bytes(damage)
    assert refusal(lambda: store.open_books("issuance")) == "rolled_back"


def test_a_mark_of_another_registry_is_none(store: SnapshotStore) -> None:
    take(store, snapshot())
    take(store, snapshot([], registry="lost_and_stolen", version=1), lost_and_stolen.CONTRACT)
    (store.folder / "lost_and_stolen.mark").replace(store.folder / "issuance.mark")
    assert refusal(lambda: take(store, snapshot(version=8))) == "rolled_back"


def test_nobody_puts_in_place_what_the_gate_could_not_read(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    take(store, snapshot())
    before = sorted(path.name for path in store.folder.iterdir())
    monkeypatch.setattr("os.geteuid", lambda: store.folder.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="run this as the gate"):
        take(store, snapshot(version=8))
    assert sorted(path.name for path in store.folder.iterdir()) == before


def test_one_import_at_a_time(store: SnapshotStore) -> None:
    take(store, snapshot())
    with store._alone(), pytest.raises(OSError):
        take(store, snapshot(version=8))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("step", range(7))
def test_an_import_that_dies_at_any_step_leaves_the_old_one_or_the_new(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch, step: int, *, first: bool
) -> None:
    """The steps are the moments at which something becomes durable, and the writing of the file itself."""
    if not first:
        take(store, snapshot(version=6))
    left = [step]

    def dying(work: Callable[..., Any]) -> Callable[..., Any]:
        def worked(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            return work(*arguments)

        return worked

    with monkeypatch.context() as patch:
        for place, name in ((snapshot_store, "write_books"), (snapshot_store, "put_in_place"), (os, "fsync")):
            patch.setattr(place, name, dying(getattr(place, name)))
        with contextlib.suppress(OSError):
            take(store, snapshot(version=7))
    if store.path("issuance").exists():
        assert statuses(store) == EXPECTED
    take(store, snapshot(version=7))
    assert statuses(store) == EXPECTED
    assert not list(store.folder.glob("*.part"))


# --- on the disk -------------------------------------------------------------------------------------------------------------------


def test_a_stolen_disk_shows_how_many_there_are_and_nothing_else(store: SnapshotStore) -> None:
    take(store, snapshot())
    stolen = {file: file.read_bytes() for file in store.folder.iterdir()}
    planted = (*BOOKS, "revoked", "active", "ordinary", "SURAKARTA", "KANIM", GATE, str(AS_OF.year))
    for raw in stolen.values():
        for word in planted:
            for told in (word.encode(), word.encode("utf-16-le"), word.encode().hex().encode()):
                assert told not in raw, word
    assert {file.stat().st_mode & 0o777 for file in stolen if file.suffix == ".snapshot"} == {0o600}
    with closing(sqlite3.connect(store.path("issuance"))) as file:
        assert file.execute("SELECT count(*) FROM book").fetchone() == (len(BOOKS),)


def test_two_imports_of_one_snapshot_have_nothing_in_common(store: SnapshotStore) -> None:
    def rows() -> set[bytes]:
        with closing(sqlite3.connect(store.path("issuance"))) as file:
            return {value for row in file.execute("SELECT key, sealed FROM book") for value in row}

    take(store, snapshot())
    before = rows()
    take(store, snapshot())
    assert len(before) == 2 * len(BOOKS)
    assert not before & rows()


def change(store: SnapshotStore, *statements: str) -> None:
    with closing(sqlite3.connect(store.path("issuance"))) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()


@pytest.mark.parametrize(
    "attack",
    [
        ("DELETE FROM book WHERE key = (SELECT key FROM book LIMIT 1)",),
        (
            "UPDATE book SET sealed = (SELECT sealed FROM book ORDER BY key DESC LIMIT 1) WHERE key = (SELECT key FROM book LIMIT 1)",
        ),
        ("INSERT INTO book VALUES (zeroblob(16), zeroblob(64))",),
        ("DELETE FROM book",),
        ("DELETE FROM head",),
        ("UPDATE head SET salt = zeroblob(16)",),
        ("UPDATE head SET sealed = zeroblob(300)",),
        ("ALTER TABLE book RENAME TO shelf", "CREATE VIEW book AS SELECT * FROM shelf WHERE abs(random()) % 2"),
        ("DROP TABLE book",),
    ],
)
def test_a_file_that_was_tampered_with_speaks_for_nobody(store: SnapshotStore, attack: tuple[str, ...]) -> None:
    take(store, snapshot())
    change(store, *attack)
    assert refusal(lambda: store.open_books("issuance")) in {"forged", "malformed"}


def test_rows_swapped_between_two_books_speak_for_nobody(store: SnapshotStore) -> None:
    take(store, snapshot())
    with closing(sqlite3.connect(store.path("issuance"))) as file:
        (one, its), (other, others) = file.execute("SELECT key, sealed FROM book LIMIT 2").fetchall()
        file.executemany("UPDATE book SET sealed = ? WHERE key = ?", [(others, one), (its, other)])
        file.commit()
    assert refusal(lambda: store.open_books("issuance")) == "forged"


def test_rows_of_an_older_file_are_none_of_the_newer_one(store: SnapshotStore) -> None:
    take(store, snapshot(version=7))
    with closing(sqlite3.connect(store.path("issuance"))) as file:
        old = file.execute("SELECT key, sealed FROM book").fetchall()
    take(store, snapshot(version=8))
    with closing(sqlite3.connect(store.path("issuance"))) as file:
        file.execute("DELETE FROM book")
        file.executemany("INSERT INTO book VALUES (?, ?)", old)
        file.commit()
    assert refusal(lambda: store.open_books("issuance")) == "forged"


def test_a_file_under_another_key_is_forged(store: SnapshotStore) -> None:
    take(store, snapshot())
    other = SnapshotStore(folder=store.folder, key=SnapshotKey.derive(b"l" * 32), gate=GATE)
    assert refusal(lambda: other.open_books("issuance")) == "forged"


def test_a_file_of_another_registry_under_this_name_is_misaddressed(store: SnapshotStore) -> None:
    """A list on which hardly anybody stands, in the place of one on which everybody must."""
    take(store, snapshot())
    take(store, snapshot([], registry="lost_and_stolen", version=9), lost_and_stolen.CONTRACT)
    store.path("lost_and_stolen").replace(store.path("issuance"))
    assert refusal(lambda: store.open_books("issuance")) == "misaddressed"


def test_a_file_of_another_gate_with_the_same_key_is_misaddressed(store: SnapshotStore) -> None:
    take(store, snapshot())
    other = SnapshotStore(folder=store.folder, key=store.key, gate="cgk-t3-d08")
    assert refusal(lambda: other.open_books("issuance")) == "misaddressed"


def damaged(raw: bytes) -> Iterator[bytes]:
    """Cut short, and with a byte changed, at places all over the file."""
    for end in range(0, len(raw), len(raw) // 40):
        yield raw[:end]
    for at in range(0, len(raw), len(raw) // 160):
        yield raw[:at] + bytes([raw[at] ^ 0x40]) + raw[at + 1 :]


def test_a_damaged_file_never_forgets_a_book(store: SnapshotStore) -> None:
    """It is refused, or says what it said: a byte between the rows may be any."""
    take(store, snapshot())
    whole = store.path("issuance").read_bytes()
    said = []
    for raw in damaged(whole):
        store.path("issuance").write_bytes(raw)
        try:
            said.append("whole" if statuses(store) == EXPECTED else "WRONG")
        except SnapshotRefused as error:
            said.append(error.why)
    assert set(said) <= {"whole", "malformed", "forged"}
    assert said.count("malformed") + said.count("forged") > 60


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(raw=st.binary(max_size=300))
def test_any_file_is_a_snapshot_or_refused(store: SnapshotStore, raw: bytes) -> None:
    path = store.folder.parent / "any"
    for told in (raw, b"SQLite format 3\x00" + raw):
        path.write_bytes(told)
        assert refusal(lambda: BookFile.open(path, store.key)) in {"malformed", "forged"}


def test_no_file_is_malformed(store: SnapshotStore) -> None:
    assert refusal(lambda: store.open_books("issuance")) == "malformed"
