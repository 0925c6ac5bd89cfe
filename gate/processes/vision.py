"""The vision process: camera, ONNX Runtime, the confined decoder. It measures faces; it decides nothing about a traveller.

Reference features are made while the traveller walks in; at the mantrap the best frames are compared with them, once (``capture.py``).
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports ONNX Runtime: a border gate phones nobody

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import msgspec

from faceverify.confined import ConfinedDecoder
from faceverify.nets import wipe_activations
from faceverify.packs import Pack, PackError, demo_pack, installed_pack
from faceverify.pad import LABEL
from faceverify.permission import Waiver, label, may_run
from faceverify.ports import Verifier
from faceverify.samples import NotPerformed, Probe, Reference
from faceverify.verifier import FaceVerifier
from gate.clock import SystemClock, civil_date
from gate.config import Config
from gate.evidence import CheckResult, found, not_performed
from gate.processes.capture import FRAME_WAIT_S, SOURCE, Capture, Looked
from gate.processes.channel import role_secret
from gate.processes.hardening import wipe_stack
from gate.processes.messages import (
    AnyMessage,
    FaceChecked,
    FaceGuidance,
    Forget,
    Guidance,
    LookLonger,
    PrepareReference,
    ReferenceReady,
    ShowPictures,
    StartCapture,
)
from gate.processes.pictures_vision import PictureSender
from gate.processes.worker import Misconfigured, Worker, worker_main
from gate.records import StageTiming, stage_of
from gate.runtime import Runtime
from hardware.ports import Clock, FrameSource

POLL_S = 0.2
IDLE_LOOK_S = 1.0
"""How often the camera is looked at while nobody stands before it: the lane shall not let in whom nobody can see."""
PORTRAIT_PIXELS = 2_000_000
"""Largest portrait decoded: Doc 9303-9 portraits are 413×531; two megapixels leave room and bound the memory."""
PORTRAIT_TIMEOUT_S = 1.0


def open_camera(config: Config, secret: str) -> FrameSource:
    """The camera that the configuration names. Raises DeviceError with the remedy."""
    match config.camera.kind:
        case "simulator":
            from hardware.sim.camera import SimulatedCamera

            return SimulatedCamera(Path(config.camera.address), secret)
        case "opencv":
            from hardware.camera import OpenCvCamera, Wish

            asked = config.camera
            return OpenCvCamera(asked.address, Wish(width=asked.width, height=asked.height, fps=asked.fps))
    assert_never(config.camera.kind)


def open_pack(config: Config) -> tuple[Pack, str]:
    """The face pack that the configuration names, and what served and by what right, as every record names it.

    Raises PackError, also for a pack that may not serve under this profile today.
    """
    folder = config.face.packs_dir
    pack = demo_pack(folder) if config.face.pack == "demo" else installed_pack(folder / config.face.pack)
    if config.face.pack_sha256 not in {None, pack.sha256}:
        raise PackError(
            str(folder / config.face.pack),
            f"its sha256 is {pack.sha256}, not face.pack_sha256",
            "install the approved pack, or approve this one",
        )
    if (refusal := may_serve(pack, config, SystemClock())) is not None:
        raise refusal
    return pack, label(pack, waiver_of(config) if pack.grant == "non_commercial" else None)


def may_serve(pack: Pack, config: Config, clock: Clock) -> PackError | None:
    """None where the pack may serve under this configuration on this day of the checkpoint, else why not."""
    return may_run(pack, config.profile, waiver_of(config), civil_date(clock.wall(), config.lane.checkpoint))


def backend(config: Config) -> type[FaceVerifier]:
    """What runs the pack's networks. insightface wants an environment of its own (``make setup-insightface``)."""
    match config.face.backend:
        case "onnxruntime":
            return FaceVerifier
        case "insightface":
            from faceverify.insightface_backend import InsightfaceVerifier

            return InsightfaceVerifier
    assert_never(config.face.backend)


def waiver_of(config: Config) -> Waiver | None:
    granted = config.face.waiver
    return Waiver(**msgspec.structs.asdict(granted)) if granted else None


@dataclass(slots=True)
class _Subject:
    """The one transaction that the process works for."""

    transaction: str
    zero: float
    reference: Reference | NotPerformed
    portrait: bytearray
    """As the chip has it, where officers may look at it: they are asked when the measuring is over."""


class FaceWatcher:
    """The thread that owns the camera and the ONNX sessions.

    ``refusal`` is asked for each traveller: licences and waivers end, and this process may have been started long before.
    ``pictures`` sends what officers may look at; None: nobody may.
    """

    def __init__(
        self,
        verifier: Verifier,
        camera: FrameSource,
        post: Callable[[AnyMessage], None],
        refusal: Callable[[], PackError | None] = lambda: None,
        pictures: PictureSender | None = None,
    ) -> None:
        self._verifier, self._camera, self._post, self._refusal = verifier, camera, post, refusal
        self._pictures = pictures
        self._clock = SystemClock()
        self._jobs: queue.SimpleQueue[AnyMessage] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._over = ""
        """The transaction that the lane last had us forget: whatever still waits for it is not begun."""
        self._longer = LookLonger(transaction="", deadline_s=0.0)
        self._subject: _Subject | None = None
        self._looked = self._clock.boot()

    def take(self, message: AnyMessage) -> None:
        """A message from the lane; called on the loop."""
        if isinstance(message, LookLonger):
            self._longer = message  # the look itself asks for it
            return
        if isinstance(message, Forget):
            self._over = message.transaction
        self._jobs.put(message)

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Until stopped: do what the lane asks, one thing after another. Raises DeviceError where the camera is gone."""
        try:
            while not self._stop.is_set():
                self._next()
        finally:
            self._forget()

    def _next(self) -> None:
        try:
            job = self._jobs.get(timeout=POLL_S)
        except queue.Empty:
            self._look_at_camera()
            return
        match job:
            case PrepareReference():
                self._prepare(job)
            case StartCapture():
                self._capture(job)
            case ShowPictures():
                self._show(job.transaction)
            case Forget():
                self._forget(for_officer=job.for_officer)
            case _:
                pass  # not for this process

    def _look_at_camera(self) -> None:
        """Notice while nobody waits that the camera is gone, and show officers who does. Raises DeviceError."""
        showing = self._pictures if self._pictures and self._pictures.showing else None
        if showing or self._clock.boot() - self._looked > IDLE_LOOK_S:
            self._looked = self._clock.boot()
            frame = self._camera.newest(0.0)
            if frame is not None:
                try:
                    if showing:
                        showing.frame(frame)
                finally:
                    frame.wipe()

    def _show(self, transaction: str) -> None:
        subject = self._subject
        portrait = subject.portrait if subject is not None and subject.transaction == transaction else bytearray()
        if self._pictures is not None:
            self._pictures.begin(transaction, portrait, self._clock.boot())

    def _prepare(self, job: PrepareReference) -> None:
        self._forget()
        if job.transaction == self._over:
            return
        begun = self._clock.boot()
        reference = self._reference(job.portrait)
        self._subject = _Subject(job.transaction, job.zero, reference, bytearray(job.portrait if self._pictures else b""))
        result = reference.reason if isinstance(reference, NotPerformed) else "successful"
        stage = self._stage("face.reference", begun, result)
        self._post(ReferenceReady(transaction=job.transaction, stages=(stage,)))

    def _reference(self, portrait: bytes) -> Reference | NotPerformed:
        if not portrait:
            return NotPerformed(reason="no_portrait")
        if (refusal := self._refusal()) is not None:
            return NotPerformed(reason="pack_not_permitted", detail=refusal.what)
        return self._verifier.reference(portrait)

    def _capture(self, job: StartCapture) -> None:
        subject = self._subject
        if subject is None or subject.transaction != job.transaction:
            facts = {"face": not_performed("no_reference_prepared", "vision")}
            self._post(FaceChecked(transaction=job.transaction, facts=facts, stages=(), chosen_frame_boot=None))
            return
        opened = self._clock.boot()
        looked = self._look(subject, job)
        stages = self._stages(looked, opened)
        self._post(FaceChecked(transaction=job.transaction, facts=looked.facts, stages=stages, chosen_frame_boot=looked.taken))

    def _look(self, subject: _Subject, job: StartCapture) -> Looked:
        if isinstance(subject.reference, NotPerformed):
            code = subject.reference.reason
            return Looked(facts={"face": found("no_reference", CheckResult.UNDETERMINED, code=code, source=SOURCE)})

        def say(instruction: Guidance) -> None:
            self._post(FaceGuidance(transaction=subject.transaction, instruction=instruction))

        capture = Capture(self._verifier, self._camera, say, lambda: self._abandoned(subject))
        return capture.look(subject.reference, lambda: self._deadline_s(job))

    def _deadline_s(self, job: StartCapture) -> float:
        longer = self._longer
        return longer.deadline_s if longer.transaction == job.transaction else job.deadline_s

    def _stages(self, looked: Looked, opened: float) -> tuple[StageTiming, ...]:
        if looked.taken is None:
            return ()
        return (
            self._stage("face.capture", opened, f"{looked.frames} frames fused", until=looked.taken),
            self._stage("face.features", looked.measured, "successful"),
            self._stage("face.comparison", looked.taken, looked.facts["face"].value),
        )

    def _abandoned(self, subject: _Subject) -> bool:
        return self._stop.is_set() or self._over == subject.transaction

    def _stage(self, name: str, start: float, result: str, *, until: float | None = None) -> StageTiming:
        zero = self._subject.zero if self._subject else start
        return stage_of(name, start, self._clock.boot() if until is None else until, result, zero=zero, room="vision")

    def _forget(self, *, for_officer: bool = False) -> None:
        """Wipe what belongs to the traveller; ``for_officer``: but for the chip's portrait, which officers may ask for now."""
        subject = self._subject
        if subject is not None and isinstance(subject.reference, Reference):
            subject.reference.wipe()
            subject.reference = NotPerformed(reason="forgotten")
        if subject is not None:
            wipe_activations()
            self._verifier.in_each_thread(wipe_stack)
        if for_officer:
            return
        if self._pictures is not None:
            self._pictures.end()
        if subject is not None:
            subject.portrait[:] = bytes(len(subject.portrait))
        self._subject = None


def first_look(verifier: Verifier, camera: FrameSource) -> None:
    """Measure one frame, for the first one costs more than any later one; whoever stands there is forgotten at once.

    For a thread that is not the main one, whose stack cannot be overwritten. Raises DeviceError where the camera is broken.
    """
    frame = camera.newest(FRAME_WAIT_S)
    if frame is None:
        return
    try:
        first = verifier.probe(frame.pixels)
    finally:
        frame.wipe()
    if isinstance(first, Probe):
        first.wipe()
    wipe_activations()
    verifier.in_each_thread(wipe_stack)


def pictures_for(config: Config, runtime: Runtime, decoder: ConfinedDecoder) -> PictureSender | None:
    """What sends pictures to officers; None where the configuration has none look."""
    if not config.console.shows_pictures:
        return None
    return PictureSender(runtime.pictures_socket, role_secret(runtime.secret_for("pictures"), "vision"), decoder.decode)


async def serve(config: Config, runtime: Runtime) -> None:
    """Warm the sessions, connect to the lane, work until it hangs up."""
    with closing(open_camera(config, runtime.secret)) as camera:  # before the networks: looking for it again shall cost little
        await _serve(config, runtime, camera)


async def _serve(config: Config, runtime: Runtime, camera: FrameSource) -> None:
    decoder = ConfinedDecoder(max_pixels=PORTRAIT_PIXELS, timeout_s=PORTRAIT_TIMEOUT_S)
    decoder.begin()  # its process starts beside the networks
    try:
        pack, served = open_pack(config)
        verifier = backend(config)(pack, decoder=decoder)
    except PackError as error:
        decoder.close()
        raise Misconfigured(str(error)) from error
    with verifier:
        verifier.warm_up()
        await asyncio.to_thread(first_look, verifier, camera)
        backends = {
            "face": served if config.face.backend == "onnxruntime" else f"{served}; run by {config.face.backend}",
            "pad": f"available: {LABEL}" if pack.pad else "PAD not available",
            "camera": config.camera.kind if config.camera.kind == "simulator" else f"opencv {config.camera.address}",
        }
        worker = Worker("vision", runtime, backends)
        clock = SystemClock()
        watcher = FaceWatcher(
            verifier, camera, worker.post, lambda: may_serve(pack, config, clock), pictures_for(config, runtime, decoder)
        )
        await worker.run(watcher.run, watcher.stop, watcher.take)


if __name__ == "__main__":
    raise SystemExit(worker_main("vision", serve))
