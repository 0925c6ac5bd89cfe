"""Tamperings with a log of a hundred thousand records, its checkpoints and its receipts: each must be found, and each is named.

Every case begins with the honest log and undoes what it did. Tamperers come in three kinds: who can write the files; who has the key of the chain,
too; who has that and the gate's signing key. What none of them has is the witness's key, and its file.
"""

from __future__ import annotations

import random
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.soak_cases import Case
from gate.audit.chain import AuditReader, Row, chain_key, leaf_data, meta_hash, record_hash
from gate.audit.ledger import Ledger
from gate.audit.log import FILE_NAME, AuditLog
from gate.audit.notary import Notary
from gate.audit.note import WITNESS, Checkpoint, FileSigner, Note, VerifierKey, cosigned, signed
from gate.audit.store import TreeStore, tree_path
from gate.audit.tree import Frontier, leaf_hash
from gate.audit.verify import Evidence, verify_log

KEY = b"k" * 32
RECORDS, LOOKS = 100_000, 25
INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
COLUMNS = ("seq", "at", "boot", "transaction_id", "kind", "body", "previous", "hash")
TEXT = {"at", "transaction_id", "kind"}
AT = "2026-03-02T03:00:00+00:00"


def signer(name: str) -> FileSigner:
    return FileSigner(name=name, key=Ed25519PrivateKey.generate())


@dataclass(slots=True)
class Scene:
    """An honest gate's files, opened for whoever tampers, and what the auditor knows."""

    folder: Path
    gate: FileSigner = field(default_factory=lambda: signer("autogate/L1"))
    witness: FileSigner = field(default_factory=lambda: signer("witness.example/w1"))
    log: sqlite3.Connection = field(init=False)
    tree: TreeStore = field(init=False)
    size: int = 0

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    @property
    def seen(self) -> Path:
        return self.folder / "seen"

    def fill(self, records: int, looks: int, dice: random.Random) -> None:
        AuditLog(self.path, KEY).close()
        sizes = sorted({records, *(dice.randint(1, records) for _ in range(looks - 1))})
        for size in sizes:
            self._append(size, dice)
            notary = Notary(
                self.path,
                self.gate,
                Ledger(self.seen, [VerifierKey.of(self.gate)], self.witness),
                VerifierKey.of(self.witness, WITNESS),
                lambda: datetime.now(UTC),
            )
            standing = notary.look()
            notary.close()
            assert (standing.witnessed, standing.problem) == (size, ""), standing
        self.log = sqlite3.connect(self.path, isolation_level=None)
        self.log.text_factory = bytes
        self.tree = TreeStore(tree_path(self.path, AuditReader(self.log, self.path, KEY).log_id()), create=True)

    def _append(self, size: int, dice: random.Random) -> None:
        with sqlite3.connect(self.path) as log:
            log.text_factory = bytes
            last = (
                log.execute("SELECT hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
                or log.execute("SELECT hash FROM meta").fetchone()
            )
            bodies = (b'{"n":%d,"x":"%s"}' % (n, dice.randbytes(dice.randint(0, 40)).hex().encode()) for n in count())
            log.executemany(INSERT, map(as_text, chained(self.size, size, last[0], bodies)))
        log.close()
        self.size = size

    def evidence(self, **changes: object) -> Evidence:
        own = {"gate": VerifierKey.of(self.gate), "witness": VerifierKey.of(self.witness, WITNESS), "ledger": self.seen}
        return Evidence(**(own | changes))  # type: ignore[arg-type]

    def found(self, **changes: object) -> tuple[str, ...]:
        """What an auditor finds now."""
        verdict = verify_log(AuditReader(self.log, self.path, KEY), self.tree, self.evidence(**changes))
        return tuple(f"{finding.seq}: {finding.what}" for finding in verdict.findings)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens within is undone."""
        self.log.execute("BEGIN")
        self.tree._db.execute("BEGIN")
        try:
            yield
        finally:
            self.log.execute("ROLLBACK")
            self.tree._db.execute("ROLLBACK")

    # --- what tamperers do -----------------------------------------------------------------------------------------------------

    def rows(self, after: int) -> list[Row]:
        return self.log.execute(f"SELECT {', '.join(COLUMNS)} FROM record WHERE seq > ? ORDER BY seq", (after,)).fetchall()

    def rechain(self, after: int, size: int, bodies: Iterable[bytes]) -> None:
        """Write all behind ``after`` anew, chained with the gate's key."""
        self.log.execute("DELETE FROM record WHERE seq > ?", (after,))
        last = (
            self.log.execute("SELECT hash FROM record WHERE seq = ?", (after,)).fetchone()
            or self.log.execute("SELECT hash FROM meta").fetchone()
        )
        self.log.executemany(INSERT, map(as_text, chained(after, size, last[0], bodies)))

    def retree(self, after: int, size: int) -> None:
        """Have the tree fit the log behind ``after``, up to ``size`` records."""
        edge, db = Frontier.of(after, self.tree.node), self.tree._db
        db.execute("DELETE FROM node WHERE (number + 1) << level > ?", (after,))
        made = [node for row in self.rows(after) if row[0] <= size for node in edge.add(leaf_hash(leaf_data(row)))]
        db.executemany("INSERT OR REPLACE INTO node VALUES (?, ?, ?)", made)

    def resign(self, after: int, size: int, witness: FileSigner | None) -> None:
        """Sign what is there now wherever something was signed behind ``after``; ``witness`` signs receipts, if anybody."""
        heads = {row[0]: row[7] for row in self.rows(after)}
        origin = f"{self.gate.name}/{AuditReader(self.log, self.path, KEY).log_id()}"
        self.tree._db.execute("DELETE FROM checkpoint WHERE size > ?", (after,))
        for at in sorted({size, *(each for each in heads if each % 5000 == 0 and each <= size)} - {after}):
            text = Checkpoint(
                origin=origin, size=at, root=Frontier.of(at, self.tree.node).root(), head=heads[at], at=datetime.now(UTC)
            ).text
            note = Note(text=text).with_lines(signed(text, self.gate))
            note = note.with_lines(cosigned(text, witness, 1_800_000_000)) if witness else note
            self.tree._db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (at, note.encoded, int(witness is not None)))


def chained(after: int, size: int, last: bytes, bodies: Iterable[bytes]) -> Iterator[Row]:
    """Records from ``after`` + 1 to ``size``, chained with the gate's key."""
    key, bodies = chain_key(KEY), iter(bodies)
    for seq in range(after + 1, size + 1):
        columns = (seq, AT.encode(), float(seq), b"t-%d" % (seq // 4), b"event", next(bodies), last)
        row = (*columns, record_hash(key, *columns))
        yield row
        last = row[7]


def as_text(row: Row) -> tuple[object, ...]:
    return row[0], row[1].decode(), row[2], row[3].decode(), row[4].decode(), *row[5:]


# --- who can write the files ----------------------------------------------------------------------------------------------------


def bit_flipped(scene: Scene, dice: random.Random) -> None:
    column, seq = dice.choice(COLUMNS), dice.randint(1, scene.size)
    (value,) = scene.log.execute(f"SELECT {column} FROM record WHERE seq = ?", (seq,)).fetchone()
    match value:
        case int():
            changed: object = value ^ (1 << dice.randrange(40, 60))
        case float():
            raw = bytearray(struct.pack(">d", value))
            raw[dice.randrange(1, 8)] ^= 1 << dice.randrange(8)
            changed = struct.unpack(">d", raw)[0]
        case _:
            raw = bytearray(value)
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
            changed = bytes(raw)
    place = "CAST(? AS TEXT)" if column in TEXT else "?"
    scene.log.execute(f"UPDATE record SET {column} = {place} WHERE seq = ?", (changed, seq))


def deleted(scene: Scene, dice: random.Random) -> None:
    first = dice.randint(1, scene.size - 1)
    scene.log.execute(
        "DELETE FROM record WHERE seq BETWEEN ? AND ?", (first, min(first + dice.choice((0, 0, 5, 500)), scene.size - 1))
    )


def deleted_and_renumbered(scene: Scene, dice: random.Random) -> None:
    seq = dice.randint(1, scene.size - 1)
    rows = scene.rows(seq)
    scene.log.execute("DELETE FROM record WHERE seq >= ?", (seq,))
    scene.log.executemany(INSERT, (as_text((row[0] - 1, *row[1:])) for row in rows))


def inserted(scene: Scene, dice: random.Random) -> None:
    row = scene.rows(dice.randint(0, scene.size - 1))[0]
    scene.log.execute(INSERT, as_text((scene.size + 1, *row[1:])))


def swapped(scene: Scene, dice: random.Random) -> None:
    one, two = dice.sample(range(1, scene.size + 1), 2)
    for old, new in ((one, -1), (two, one), (-1, two)):
        scene.log.execute("UPDATE record SET seq = ? WHERE seq = ?", (new, old))


def tail_cut(scene: Scene, dice: random.Random) -> None:
    scene.log.execute("DELETE FROM record WHERE seq > ?", (dice.randrange(scene.size),))


def tail_cut_with_tree(scene: Scene, dice: random.Random) -> None:
    """Tree and checkpoints are cut as well."""
    size = dice.randrange(scene.size)
    scene.log.execute("DELETE FROM record WHERE seq > ?", (size,))
    scene.tree._db.execute("DELETE FROM node WHERE (number + 1) << level > ?", (size,))
    scene.tree._db.execute("DELETE FROM checkpoint WHERE size > ?", (size,))


def meta_changed(scene: Scene, dice: random.Random) -> None:
    scene.log.execute("UPDATE meta SET created = ?", (f"2026-03-{dice.randint(10, 28)}",))


def tree_changed(scene: Scene, dice: random.Random) -> None:
    scene.tree._db.execute(
        "UPDATE node SET hash = ? WHERE level = 0 AND number = ?", (dice.randbytes(32), dice.randrange(scene.size))
    )


def checkpoint_changed(scene: Scene, dice: random.Random) -> None:
    kept = dice.choice(scene.tree.checkpoints())
    raw = bytearray(kept.note.encode())
    raw[dice.randrange(kept.note.encode().index(b"\n\n"))] ^= 1
    scene.tree._db.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (raw.decode(errors="replace"), kept.size))


def receipt_withheld(scene: Scene, dice: random.Random) -> None:
    """Of all but the newest, whose answer may still be on the way."""
    kept = dice.choice(scene.tree.checkpoints()[:-1])
    note = Note.parse(kept.note)
    alone = Note(text=note.text, signatures=note.signatures[:1]).encoded
    told = dice.randrange(2)
    scene.tree._db.execute("UPDATE checkpoint SET note = ?, witnessed = ? WHERE size = ?", (alone, told, kept.size))


def receipt_forged(scene: Scene, dice: random.Random) -> None:
    """With another key under the witness's name, or with a byte changed."""
    kept = dice.choice(scene.tree.checkpoints())
    note = Note.parse(kept.note)
    name, id_, value = note.signatures[1]
    value = value[:8] + dice.randbytes(64) if dice.randrange(2) else value[:7] + bytes([value[7] ^ 1]) + value[8:]
    forged = Note(text=note.text, signatures=(note.signatures[0], (name, id_, value))).encoded
    scene.tree._db.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (forged, kept.size))


# --- who has the key of the chain ------------------------------------------------------------------------------------------------


def chain_written_anew(scene: Scene, dice: random.Random) -> None:
    after = dice.randrange(scene.size)
    scene.rechain(after, scene.size, others(scene, after, dice))


def chain_and_tree_written_anew(scene: Scene, dice: random.Random) -> None:
    after = dice.randrange(scene.size)
    scene.rechain(after, scene.size, others(scene, after, dice))
    scene.retree(after, scene.size)


# --- who has every key of the gate -----------------------------------------------------------------------------------------------


def all_written_anew(scene: Scene, dice: random.Random) -> None:
    """From the first record, or from any; receipts are left out, or signed by somebody else."""
    after = dice.choice((0, dice.randrange(scene.size)))
    scene.rechain(after, scene.size, others(scene, after, dice))
    scene.retree(after, scene.size)
    scene.resign(after, scene.size, None if dice.randrange(2) else signer(scene.witness.name))


def forked(scene: Scene, dice: random.Random) -> None:
    """Another story from the last records on, longer than the first."""
    after = scene.size - dice.randint(1, min(2000, scene.size - 1))
    size = scene.size + dice.randint(1, 2000)
    scene.rechain(after, size, others(scene, after, dice))
    scene.retree(after, size)
    scene.resign(after, size, None)


def tail_cut_and_signed(scene: Scene, dice: random.Random) -> None:
    size = dice.randint(1, scene.size - 1)
    tail_cut_at(scene, size)
    scene.resign(size - 1, size, None)


def begun_anew(scene: Scene, dice: random.Random) -> None:
    """Another log under another name, as if the first had never been."""
    nonce, created = dice.randbytes(16), AT
    digest = meta_hash(chain_key(KEY), 1, created.encode(), nonce)
    scene.log.execute("UPDATE meta SET created = ?, nonce = ?, hash = ?", (created, nonce, digest))
    scene.rechain(0, scene.size, others(scene, 0, dice))
    scene.retree(0, scene.size)
    scene.resign(0, scene.size, None)


def tail_cut_at(scene: Scene, size: int) -> None:
    scene.log.execute("DELETE FROM record WHERE seq > ?", (size,))
    scene.tree._db.execute("DELETE FROM node WHERE (number + 1) << level > ?", (size,))
    scene.tree._db.execute("DELETE FROM checkpoint WHERE size >= ?", (size,))


def others(scene: Scene, after: int, dice: random.Random) -> Iterator[bytes]:
    """The bodies behind ``after``, the first of them another."""
    bodies = [row[5] for row in scene.rows(after)]
    return chain([b'{"never":"%s"}' % dice.randbytes(4).hex().encode()], bodies[1:], repeat(b"{}"))


TAMPERERS: dict[str, Callable[[Scene, random.Random], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        bit_flipped,
        deleted,
        deleted_and_renumbered,
        inserted,
        swapped,
        tail_cut,
        tail_cut_with_tree,
        meta_changed,
        tree_changed,
        checkpoint_changed,
        receipt_withheld,
        receipt_forged,
        chain_written_anew,
        chain_and_tree_written_anew,
        all_written_anew,
        forked,
        tail_cut_and_signed,
        begun_anew,
    )
}
MUST_SEE = frozenset(TAMPERERS)
LOCAL = frozenset(TAMPERERS) - {
    "tail cut with tree",
    "receipt withheld",
    "all written anew",
    "forked",
    "tail cut and signed",
    "begun anew",
}
"""What is found without the witness's file, whatever the tamperer's luck."""


@contextmanager
def scene(records: int, looks: int, dice: random.Random) -> Iterator[Scene]:
    """An honest log, of which an auditor finds nothing."""
    with TemporaryDirectory(prefix="autogate-audit-") as folder:
        made = Scene(Path(folder))
        made.fill(records, looks, dice)
        try:
            assert made.found() == (), "an honest log was accused"
            yield made
        finally:
            made.log.close()
            made.tree.close()


def tampered(made: Scene, name: str, dice: random.Random) -> str:
    """Tamper in the way of that ``name``, and have it found. Returns the name."""
    with made.undone():
        TAMPERERS[name](made, dice)
        found = made.found(ledger=None) if name in LOCAL else made.found()
        assert found, f"{name}: nobody noticed"
    return name


@contextmanager
def tamperings() -> Iterator[Case]:
    """A case is a tampering; every fiftieth is the honest log again."""
    numbers = count(1)
    with scene(RECORDS, LOOKS, random.Random(RECORDS)) as made:

        def case(dice: random.Random) -> str:
            if next(numbers) % 50 == 0:
                assert made.found() == (), "an honest log was accused"
                return "honest"
            return tampered(made, dice.choice(sorted(TAMPERERS)), dice)

        yield case
