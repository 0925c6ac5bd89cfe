"""What vision lets officers see: pictures encoded anew, of whoever waits now, and nothing that outlives the case."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceverify.image import ImageError, ImageFault, decode
from faceverify.samples import NotPerformed, Reference
from gate.processes import channel
from gate.processes.messages import Forget, Picture, PrepareReference, ShowPictures, StartCapture
from gate.processes.pictures_vision import HEIGHT, WIDTH, PictureSender, encoded
from gate.processes.vision import FaceWatcher
from hardware.ports import DeviceLost, Frame

SECRET = "pictures"
DRAWN = np.full((600, 400, 3), (20, 90, 160), np.uint8)
PORTRAIT = cv2.imencode(".jpg", DRAWN)[1].tobytes()


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.fixture
async def heard(tmp_path):
    """What arrives at ``tmp_path / "s"``."""
    pictures: list[Picture] = []

    async def on_peer(join, peer) -> None:
        assert join.role == "vision"
        while True:
            pictures.append(await peer.receive())

    server = await channel.serve(tmp_path / "s", SECRET, on_peer)
    yield pictures
    server.close()


def sender(folder: Path, decoder=decode) -> PictureSender:
    return PictureSender(folder / "s", channel.role_secret(SECRET, "vision"), decoder)


async def arrived(pictures: list[Picture], count: int) -> None:
    async with asyncio.timeout(5):
        while len(pictures) < count:
            await asyncio.sleep(0.005)


def seen(picture: Picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


async def test_the_portrait_is_encoded_anew_and_live_pictures_follow(heard, tmp_path):
    sending = sender(tmp_path)
    begun = boot()
    await asyncio.to_thread(sending.begin, "t", bytearray(PORTRAIT), begun)
    sending.frame(Frame(pixels=np.full((720, 1280, 3), 77, np.uint8), boot=begun + 0.1))
    await arrived(heard, 2)
    assert [(picture.transaction, picture.which) for picture in heard] == [("t", "chip"), ("t", "live")]
    chip, live = map(seen, heard)
    assert chip.shape == (HEIGHT, 320, 3)
    assert np.abs(chip.astype(int) - (20, 90, 160)).max() < 8
    assert live.shape == (HEIGHT, 853, 3)
    assert PORTRAIT not in heard[0].jpeg
    sending.end()


async def test_no_frame_of_before_somebody_asked_is_shown_and_none_twice(heard, tmp_path):
    sending = sender(tmp_path)
    begun = boot()
    await asyncio.to_thread(sending.begin, "t", bytearray(PORTRAIT), begun)
    for tone, taken in ((10, begun - 5), (20, begun), (30, begun + 1), (40, begun + 1), (50, begun + 2)):
        sending.frame(Frame(pixels=np.full((48, 64, 3), tone, np.uint8), boot=taken))
    await arrived(heard, 3)
    await asyncio.sleep(0.05)
    assert [round(float(seen(picture).mean())) for picture in heard[1:]] == [30, 50]
    sending.end()


@pytest.mark.parametrize("portrait", [b"", b"no picture", PORTRAIT[:100]], ids=["none", "nonsense", "cut off"])
async def test_a_portrait_that_is_no_picture_is_said_to_be_none(heard, tmp_path, portrait):
    sending = sender(tmp_path)
    await asyncio.to_thread(sending.begin, "t", bytearray(portrait), boot())
    await arrived(heard, 1)
    assert (heard[0].which, heard[0].jpeg) == ("chip", b"")
    sending.end()


async def test_a_portrait_that_kills_its_decoder_costs_the_portrait_alone(heard, tmp_path):
    def dies(_: bytes) -> np.ndarray:
        raise ImageError(ImageFault.DECODER_DIED)

    sending = sender(tmp_path, dies)
    await asyncio.to_thread(sending.begin, "t", bytearray(PORTRAIT), boot())
    await arrived(heard, 1)
    assert (heard[0].which, heard[0].jpeg, sending.showing) == ("chip", b"", True)
    sending.end()


def test_where_nobody_listens_nothing_is_shown_and_nothing_breaks(tmp_path):
    sending = sender(tmp_path)
    sending.begin("t", bytearray(PORTRAIT), 0.0)
    assert not sending.showing
    sending.frame(Frame(pixels=DRAWN, boot=boot()))
    sending.end()


async def test_who_does_not_read_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "SAY_TIMEOUT_S", 0.05)
    connected = []
    server = await asyncio.start_unix_server(lambda _, writer: connected.append(writer), tmp_path / "s", limit=1)
    sending = sender(tmp_path)
    begun = boot()
    await asyncio.to_thread(sending.begin, "t", bytearray(PORTRAIT), begun)
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)

    def flood() -> None:
        for number in range(1, 50):
            sending.frame(Frame(pixels=noise, boot=begun + number))

    await asyncio.to_thread(flood)
    assert not sending.showing
    for writer in connected:
        writer.close()
    server.close()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (480, 640), (2000, 30), (31, 17)])
def test_whatever_the_size_a_picture_comes_out_and_no_larger_one(shape):
    picture = cv2.imdecode(np.frombuffer(encoded(np.full((*shape, 3), 99, np.uint8)), np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    assert 1 <= height <= min(shape[0], HEIGHT)
    assert 1 <= width <= min(shape[1], WIDTH)


# --- the thread that owns the camera


class Shown:
    """Stands for the sender; keeps what it was given."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, bytes]] = []
        self.frames, self.showing = 0, False

    def begin(self, transaction: str, portrait: bytearray, _now: float) -> None:
        self.begun.append((transaction, bytes(portrait)))
        self.showing = True

    def frame(self, frame: Frame) -> None:
        assert frame.pixels.any(), "a wiped frame shows nobody"
        self.frames += 1

    def end(self) -> None:
        self.showing = False


class Camera:
    def __init__(self) -> None:
        self.handed: list[np.ndarray] = []
        self.gone = False

    def newest(self, _timeout: float) -> Frame:
        if self.gone:
            raise DeviceLost("camera", "gone")
        self.handed.append(np.full((8, 8, 3), 200, np.uint8))
        return Frame(pixels=self.handed[-1], boot=boot())


class Verifier:
    def __init__(self) -> None:
        self.wiped = 0

    def reference(self, _: bytes) -> NotPerformed:
        return NotPerformed(reason="by hand")

    def in_each_thread(self, work) -> None:
        """It has none of its own."""


def watching(pictures: Shown | None, monkeypatch) -> FaceWatcher:
    monkeypatch.setattr("gate.processes.vision.POLL_S", 0.001)
    return FaceWatcher(Verifier(), Camera(), lambda _: None, pictures=pictures)  # type: ignore[arg-type] # set by hand


def prepared(watcher: FaceWatcher) -> bytearray:
    watcher.take(PrepareReference(transaction="t", portrait=PORTRAIT, zero=0.0))
    watcher._next()
    assert watcher._subject is not None
    return watcher._subject.portrait


def do(watcher: FaceWatcher, *messages) -> None:
    for message in messages:
        watcher.take(message)
        watcher._next()


def test_the_portrait_stays_for_an_officer_while_the_features_go(monkeypatch):
    shown = Shown()
    watcher = watching(shown, monkeypatch)
    portrait = prepared(watcher)
    reference, wiped = object.__new__(Reference), []
    monkeypatch.setattr(Reference, "wipe", lambda each: wiped.append(each))  # noqa: PLW0108 - a method of a class, which a built-in one is not
    watcher._subject.reference = reference
    do(watcher, Forget(transaction="t", for_officer=True))
    assert wiped == [reference]
    assert bytes(portrait) == PORTRAIT
    do(watcher, ShowPictures(transaction="t"))
    assert shown.begun == [("t", PORTRAIT)]
    do(watcher, Forget(transaction="t"))
    assert (shown.showing, any(portrait), watcher._subject, len(wiped)) == (False, False, None, 1)


def test_a_traveller_whom_nobody_refers_leaves_no_portrait(monkeypatch):
    watcher = watching(Shown(), monkeypatch)
    portrait = prepared(watcher)
    do(watcher, Forget(transaction="t"))
    assert len(portrait) == len(PORTRAIT)
    assert not any(portrait)


def test_the_next_traveller_wipes_the_portrait_of_the_last(monkeypatch):
    shown = Shown()
    watcher = watching(shown, monkeypatch)
    portrait = prepared(watcher)
    do(watcher, ShowPictures(transaction="t"), PrepareReference(transaction="u", portrait=b"", zero=0.0))
    assert not any(portrait)
    assert not shown.showing


def test_without_officers_to_look_no_portrait_is_kept(monkeypatch):
    watcher = watching(None, monkeypatch)
    assert prepared(watcher) == b""
    do(watcher, ShowPictures(transaction="t"), Forget(transaction="t", for_officer=True), Forget(transaction="t"))


def test_the_portrait_of_one_traveller_is_not_shown_for_another(monkeypatch):
    shown = Shown()
    watcher = watching(shown, monkeypatch)
    prepared(watcher)
    do(watcher, ShowPictures(transaction="other"))
    assert shown.begun == [("other", b"")]


def test_frames_are_shown_while_somebody_looks_and_each_is_wiped(monkeypatch):
    shown = Shown()
    watcher = watching(shown, monkeypatch)
    prepared(watcher)
    for _ in range(3):
        watcher._next()
    assert shown.frames == 0
    do(watcher, ShowPictures(transaction="t"))
    for _ in range(3):
        watcher._next()
    assert shown.frames == 3
    do(watcher, Forget(transaction="t"))
    watcher._next()
    assert shown.frames == 3
    assert not any(pixels.any() for pixels in watcher._camera.handed)


def test_a_camera_that_goes_while_somebody_looks_ends_the_showing_and_leaves_no_portrait(monkeypatch):
    shown = Shown()
    watcher = watching(shown, monkeypatch)
    portrait = prepared(watcher)
    do(watcher, ShowPictures(transaction="t"))
    watcher._camera.gone = True
    with pytest.raises(DeviceLost):
        watcher.run()
    assert not shown.showing
    assert not any(portrait)


def test_who_is_referred_is_not_measured_again(monkeypatch):
    told = []
    watcher = FaceWatcher(Verifier(), Camera(), told.append, pictures=Shown())  # type: ignore[arg-type] # set by hand
    prepared(watcher)
    do(watcher, Forget(transaction="t", for_officer=True), StartCapture(transaction="t", deadline_s=1, zero=0.0))
    assert told[-1].facts["face"].value == "no_reference"
