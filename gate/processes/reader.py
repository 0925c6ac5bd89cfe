"""The reader process: document scanner, chip, MRZ, passive authentication. It measures and proves; it decides nothing.

One long-lived thread drives the scanner and the chip, a second one verifies signatures meanwhile; the loop only carries messages. Beside it another
trust store is opened where people brought one into force (``trust_watch.py``).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import msgspec
import numpy as np

from gate.clock import SystemClock, civil_date
from gate.config import Config
from gate.evidence import Fact
from gate.inspection import ChipInspection, ChipInspector
from gate.page_reading import PageReader
from gate.policy.schedule import store_mark
from gate.processes.hardening import wipe_stack
from gate.processes.messages import (
    AnyMessage,
    DocumentChecked,
    DocumentPlaced,
    DocumentRemoved,
    MrzRead,
    ReadDocument,
    ReaderProgress,
)
from gate.processes.trust_watch import TrustWatch
from gate.processes.worker import Misconfigured, Worker, first_of, worker_main
from gate.profiles import PROFILES
from gate.records import StageTiming, stage_of
from gate.runtime import Runtime
from gate.trust_store import OpenedStore, open_configured, read_deviations, remember
from hardware.ports import DocumentScanner, ScannedDocument
from mrz import MrzRecord
from mrz.reader import MrzReader
from mrz.recognise import line_model
from mrz.strips import HEIGHT
from pki.errors import PkiError
from pki.known_defects import DeviationList
from pki.trust import TrustStore

POLL_S = 0.5
"""How often the thread looks whether it should end."""
REMOVAL_POLL_S = 0.02
"""How often the thread looks whether the document still lies there."""
GLASS_PX = 900
"""Side of the empty picture, and width of the empty lines, on which the reader warms up."""
LOOK_MARGIN_S = 0.5
"""Looking at the page ends this long before the lane stops waiting: then the record says what was seen, not merely that it was late."""
PROGRESS_STEP = 0.04
"""The traveller's bar moves in steps of this; finer ones cannot be seen."""


def open_scanner(config: Config, secret: str) -> DocumentScanner:
    """The scanner that the configuration names. Raises DeviceError with the remedy."""
    match config.scanner.kind:
        case "simulator":
            from hardware.sim.scanner import SimulatedScanner

            return SimulatedScanner(Path(config.scanner.address), secret, pictures=config.scanner.mrz == "images")
        case "serial":
            from hardware.mrz_serial import open_reader

            assert config.scanner.profile is not None, "gate.config sees to it"
            return open_reader(config.scanner.address, config.scanner.profile)
    assert_never(config.scanner.kind)


def open_chip_link(config: Config, page: DocumentScanner, secret: str) -> tuple[DocumentScanner, str]:
    """``page`` with what reads the chip, and the words for the records. Raises DeviceError with the remedy.

    A demonstration takes a chip out of a PC/SC reader only where its answer to reset is the one made for the run. That guards against
    accidents, a real passport laid down among them; whoever has seen this answer can repeat it.
    """
    match config.chip.link:
        case "scanner":
            return page, "simulated scanner" if config.scanner.kind == "simulator" else config.scanner.kind
        case "pcsc":
            from hardware.document_scanner import ScannerWithPcsc
            from hardware.emrtd.pcsc import PcscTransceiver, backend
            from hardware.sim.vpcd import run_atr

            assert config.chip.reader is not None, "gate.config sees to it"
            chip = PcscTransceiver(config.chip.reader, run_atr(secret) if PROFILES[config.profile].demonstration else None)
            return ScannerWithPcsc(page, chip), f"pcsc {chip.reader} ({backend()})"
    assert_never(config.chip.link)


def open_trust_store(config: Config) -> OpenedStore:
    """The trust store in force where the configuration says; it is remembered, so that none before it is taken. Raises Misconfigured."""
    try:
        opened = open_configured(config)
        remember(opened, config.state_dir)
    except PkiError as error:
        raise Misconfigured(f"trust store: {error}") from error
    return opened


def open_deviations(config: Config, trust: TrustStore) -> tuple[DeviationList, ...]:
    """What States of ``trust`` say of faults in their documents. Raises Misconfigured."""
    try:
        return read_deviations(config, trust, SystemClock().wall())
    except PkiError as error:
        raise Misconfigured(f"deviation lists: {error}") from error


class DocumentReader:
    """The thread that waits for documents and reads them, one after another."""

    def __init__(self, config: Config, scanner: DocumentScanner, opened: OpenedStore, post: Callable[[AnyMessage], None]) -> None:
        """``opened``: judges documents until :meth:`judge_by` names another store."""
        self._config, self._scanner, self._post = config, scanner, post
        self._clock = SystemClock()
        tolerated, patience_s = frozenset(config.chip.tolerate), config.timeouts.document_s
        self._chips = ChipInspector(opened.store, self._clock, tolerated, opened.deviations, patience_s=patience_s)
        self._pages = PageReader(MrzReader(), self._clock, infrared=config.scanner.infrared)
        self._stop = threading.Event()
        self._orders: queue.SimpleQueue[ReadDocument] = queue.SimpleQueue()
        self._opened = opened
        self.idle = False
        """It waits for a document."""

    def stop(self) -> None:
        self._stop.set()

    def take(self, message: AnyMessage) -> None:
        """A message from the lane; called on the loop."""
        if isinstance(message, ReadDocument):
            self._orders.put(message)

    def judge_by(self, opened: OpenedStore) -> None:
        """From the next document on; for any thread."""
        self._opened = opened

    def run(self) -> None:
        """Until stopped: wait for a document, read it when the lane says so, wait until it is taken away."""
        while not self._stop.is_set():
            self.idle = True
            document = self._scanner.wait_for_document(POLL_S)
            self.idle = False
            if document is not None:
                self._attend(document)

    def _attend(self, document: ScannedDocument) -> None:
        self._orders = queue.SimpleQueue()
        opened = self._opened  # one store for this document, whatever comes while it lies there
        self._chips.judge_by(opened.store, opened.deviations)
        self._post(DocumentPlaced(boot=self._clock.boot()))
        while not self._stop.is_set() and not self._scanner.wait_for_removal(0.0):
            try:
                order = self._orders.get(timeout=REMOVAL_POLL_S)
            except queue.Empty:
                continue
            self._post(msgspec.structs.replace(self._check(order, document), trust=opened.label))
            wipe_stack()
        self._post(DocumentRemoved())

    def _check(self, order: ReadDocument, document: ScannedDocument) -> DocumentChecked:
        begun = self._clock.boot()
        today = civil_date(self._clock.wall(), self._config.lane.checkpoint)
        page = self._pages.read(document, today, order.zero + self._config.timeouts.document_s - LOOK_MARGIN_S)
        record, facts = page.record, page.facts
        read = self._clock.boot()
        stage = stage_of("mrz", begun, read, facts["mrz"].value, zero=order.zero, room="reader")
        if record is None or facts["mrz"].value != "read":
            return DocumentChecked(transaction=order.transaction, facts=facts, stages=(stage,), last_byte_boot=read)
        self._post(_mrz_read(order.transaction, record, facts))
        chip = self._chips.inspect(document, record, order.zero, self._progress(order.transaction), page.doubtful)
        return _checked(order.transaction, chip, stage)

    def _progress(self, transaction: str) -> Callable[[float], None]:
        shown = 0.0

        def progress(fraction: float) -> None:
            nonlocal shown
            if fraction - shown >= PROGRESS_STEP or fraction >= 1.0:
                shown = fraction
                self._post(ReaderProgress(transaction=transaction, fraction=round(fraction, 3)))

        return progress


def _mrz_read(transaction: str, record: MrzRecord, facts: dict[str, Fact]) -> MrzRead:
    return MrzRead(
        transaction=transaction,
        facts=facts,
        issuing_state=record.issuing_state,
        document_code=record.document_code,
        document_number=record.document_number,
        primary_identifier=record.primary_identifier,
        secondary_identifier=record.secondary_identifier,
        date_of_birth=record.date_of_birth.raw,
        sex=record.sex,
    )


def _checked(transaction: str, chip: ChipInspection, mrz_stage: StageTiming) -> DocumentChecked:
    return DocumentChecked(
        transaction=transaction,
        facts=chip.facts,
        stages=(mrz_stage, *chip.stages),
        inspection=chip.inspection,
        portrait=chip.portrait,
        dg2_sha256=chip.dg2_sha256,
        last_byte_boot=chip.last_byte_boot,
    )


def warm_up(config: Config) -> str:
    """Load what reads the zone, before the first traveller waits for it, and say in the records' words what that is."""
    if config.scanner.mrz == "device":
        return "text of the scanner"
    model = line_model()
    model.read([np.ones((HEIGHT, GLASS_PX), np.float32)] * 3)
    MrzReader(model).read([np.full((GLASS_PX, GLASS_PX), 255, np.uint8)], second_look=True)
    return f"our reader of pictures, line model {model.version} sha256 {model.sha256}"


async def serve(config: Config, runtime: Runtime) -> None:
    """Connect to the lane and read documents until it hangs up. Raises DeviceError when the scanner broke."""
    mark, opened = store_mark(config.trust.store), open_trust_store(config)
    opened = replace(opened, deviations=open_deviations(config, opened.store))
    scanner, chip = open_chip_link(config, open_scanner(config, runtime.secret), runtime.secret)
    backends = {
        "scanner": config.scanner.kind,
        "chip": chip,
        "mrz": warm_up(config),
        "pki": "autogate pki",
        "trust": opened.label,
    }
    worker = Worker("reader", runtime, backends)
    reader = DocumentReader(config, scanner, opened, worker.post)
    watch = TrustWatch(config, opened, mark, idle=lambda: reader.idle, take=reader.judge_by, tell=worker.post)
    await first_of(worker.run(reader.run, reader.stop, reader.take), watch.heed())


if __name__ == "__main__":
    raise SystemExit(worker_main("reader", serve))
