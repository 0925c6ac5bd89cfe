"""One document, one trust store: the reader's own thread, and a store that comes while a chip is being read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from gate.clock import SystemClock
from gate.processes.messages import DocumentChecked, DocumentPlaced, DocumentRemoved, ReadDocument
from gate.processes.reader import DocumentReader, open_trust_store
from hardware.ports import ScannedDocument
from hardware.sim.chip import VirtualPassport

LIMIT_S = 20.0
Keepers = Any
"""``conftest.py`` makes them."""


class Glass:
    """A scanner on which the test lays documents, one after another."""

    def __init__(self) -> None:
        self._changed, self._lying = threading.Condition(), list[ScannedDocument]()

    def lay(self, *documents: ScannedDocument) -> None:
        with self._changed:
            self._lying[:] = documents
            self._changed.notify_all()

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        with self._changed:
            self._changed.wait_for(lambda: self._lying, timeout)
            return self._lying[0] if self._lying else None

    def wait_for_removal(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._lying, timeout)


class Interrupted(VirtualPassport):
    """In the middle of whose reading something happens."""

    happens: Callable[[], None]
    commands = 0

    def transceive(self, command: bytes) -> bytes:
        self.commands += 1
        if self.commands == 3:  # the signature is yet to be read
            self.happens()
        return super().transceive(command)


class Bench:
    """The reader's thread, and a lane that has everything read."""

    def __init__(self, keepers: Keepers) -> None:
        self.glass, self.heard = Glass(), list[DocumentChecked]()
        self._checked, self._removed = threading.Event(), threading.Event()
        self.reader = DocumentReader(keepers.config(), self.glass, open_trust_store(keepers.config()), self._said)
        self._thread = threading.Thread(target=self.reader.run)
        self._thread.start()

    def _said(self, message: Any) -> None:
        match message:
            case DocumentPlaced():
                assert not self.reader.idle
                self.reader.take(ReadDocument(transaction="t", zero=SystemClock().boot()))
            case DocumentChecked():
                self.heard.append(message)
                self._checked.set()
            case DocumentRemoved():
                self._removed.set()

    def read(self, lines: tuple[str, str], chip: VirtualPassport) -> tuple[str, str]:
        """The version that judged, and what passive authentication came to."""
        self._checked.clear()
        self._removed.clear()
        self.glass.lay(ScannedDocument(mrz_lines=lines, chip=chip))
        assert self._checked.wait(LIMIT_S)
        self.glass.lay()
        assert self._removed.wait(LIMIT_S)
        return self.heard[-1].trust.split()[1], self.heard[-1].facts["passive_authentication"].value

    def close(self) -> None:
        self.reader.stop()
        self._thread.join(LIMIT_S)


@pytest.fixture
def bench(keepers):
    bench = Bench(keepers)
    yield bench
    bench.close()


def test_a_store_that_comes_while_a_chip_is_read_judges_the_next_document_and_no_half_of_this_one(bench, keepers, book):
    def chip() -> Interrupted:
        active, key = (load_der_private_key(pkcs8, None) for pkcs8 in (book.active_key, book.chip_key))
        return Interrupted(book.files, book.mrz_information, active, key, cam_key=key)

    def bring() -> None:
        keepers.bring(keepers.store(keepers.state.signer))
        bench.reader.judge_by(open_trust_store(keepers.config()))

    first, second = chip(), chip()
    first.happens, second.happens = bring, lambda: None
    assert bench.read(book.mrz_lines, first) == ("1", "authentic")
    assert bench.read(book.mrz_lines, second) == ("2", "signer_revoked")
    assert min(first.commands, second.commands) > 3, "it came in the middle"
