"""The camera: the newest frame and no older one, recordings through OpenCV itself, and devices that stop, freeze and come back."""

from __future__ import annotations

import itertools
import threading
import time

import cv2
import numpy as np
import pytest

from hardware import camera
from hardware.camera import Freezer, OpenCvCamera, Wish, boot, is_device, open_capture
from hardware.ports import DeviceError, DeviceLost

LIMIT_S = 10.0
HEIGHT, WIDTH = 48, 64


def grey(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def until(condition):
    deadline = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return value


class Device:
    """A video device in the hands of the test: ``plugged`` and ``frames`` say what the driver would."""

    def __init__(self) -> None:
        self.plugged, self.stalled, self.repeats = True, threading.Event(), False
        self.opened = self.released = self.count = 0
        self.handed: list[np.ndarray] = []

    def open(self, address: str, wish: Wish) -> Device:
        if not self.plugged:
            raise DeviceError(address, "there is no such camera")
        self.opened += 1
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def grab(self) -> bool:
        time.sleep(0.005)
        while self.stalled.is_set() and self.plugged:
            time.sleep(0.005)
        return self.plugged

    def retrieve(self):
        self.count += not self.repeats
        self.handed.append(grey(self.count % 250 + 1))
        return True, self.handed[-1]

    def get(self, _: int) -> float:
        return 0.0

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def watched(device, monkeypatch):
    monkeypatch.setattr(camera, "REOPEN_EVERY_S", 0.02)
    monkeypatch.setattr(camera, "STALL_S", 0.2)
    source = OpenCvCamera("/dev/v4l/by-id/test", open_=device.open)
    yield source
    device.stalled.clear()
    source.close()


def gone(source) -> DeviceLost:
    def lost():
        try:
            source.newest(0.05)
        except DeviceLost as error:
            return error
        return None

    return until(lost)


def back(source):
    def frame():
        try:
            return source.newest(0.05)
        except DeviceLost:
            return None

    return until(frame)


def test_whoever_asks_late_gets_the_newest_frame_once(watched, device):
    watched.newest(1)
    until(lambda: device.count > 10)
    behind = device.count
    frame = watched.newest(1)
    assert frame.pixels[0, 0, 0] >= behind % 250
    assert boot() - 1 < frame.boot <= boot()
    following = watched.newest(1)
    assert following.boot > frame.boot


def test_frames_that_nobody_fetched_are_overwritten_and_no_more_than_one_is_kept(watched, device):
    until(lambda: len(device.handed) > 20)
    kept = [pixels for pixels in device.handed if pixels.any()]
    assert len(kept) <= 2  # the newest one, and the one that is being handed on


def test_a_frame_that_was_handed_over_stays_the_receivers(watched, device):
    frame = watched.newest(1)
    before = device.count
    until(lambda: device.count > before + 5)
    assert frame.pixels.any()


def test_closing_overwrites_what_was_seen_and_lets_the_device_go(device, monkeypatch):
    source = OpenCvCamera("/dev/v4l/by-id/test", open_=device.open)
    until(lambda: device.count > 3)
    source.close()
    source.close()
    assert not any(pixels.any() for pixels in device.handed)
    assert device.released == device.opened


def test_an_unplugged_camera_is_an_error_until_the_same_name_is_there_again(watched, device):
    assert watched.newest(1)
    device.plugged = False
    error = gone(watched)
    assert (error.device, error.remedy) == ("/dev/v4l/by-id/test", "plug it in again")
    with pytest.raises(DeviceLost):  # and not the last frame from before
        watched.newest(0.3)
    moment = boot()
    device.plugged = True
    assert back(watched).boot >= moment


def test_a_camera_that_stops_without_a_word_is_an_error_until_it_goes_on(watched, device):
    assert watched.newest(1)
    device.stalled.set()
    assert "no frame for" in gone(watched).what
    device.stalled.clear()
    assert back(watched)


def test_a_driver_that_repeats_itself_is_an_error_until_it_shows_something_new(watched, device, monkeypatch):
    monkeypatch.setattr(camera, "FROZEN_S", 0.1)
    device.repeats = True
    assert "same picture" in gone(watched).what
    repeated = len(device.handed)
    until(lambda: len(device.handed) > repeated + 5)
    assert not any(pixels.any() for pixels in device.handed[repeated:-1]), "what it repeats may be a face"
    device.repeats = False
    assert back(watched)


def test_noise_in_one_pixel_of_the_grid_is_not_frozen():
    freezer, still = Freezer(), grey(7)
    assert not freezer.frozen(still, 0.0)
    assert freezer.frozen(still, camera.FROZEN_S + 0.1)
    noisy = still.copy()
    noisy[0, 0, 0] += 1
    assert not freezer.frozen(noisy, camera.FROZEN_S + 0.2)


@pytest.mark.parametrize(("stamp_s_ago", "believed"), [(0.05, True), (5.0, False), (-1.0, False)])
def test_the_drivers_stamp_counts_where_it_can_be(stamp_s_ago, believed):
    class Stamped(Device):
        def get(self, _: int) -> float:
            return (time.monotonic() - stamp_s_ago) * 1000

    now = boot()
    taken = camera._taken(Stamped(), now)
    assert (now - taken == pytest.approx(stamp_s_ago, abs=0.02)) if believed else taken == now


def test_numbered_pictures_are_shown_one_after_another_and_again(tmp_path):
    for number, level in enumerate((50, 100, 150)):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), grey(level))
    source = OpenCvCamera(str(tmp_path / "%04d.png"))
    try:
        seen = [int(until(lambda: source.newest(1)).pixels[0, 0, 0]) for _ in range(12)]
    finally:
        source.close()
    assert set(seen) == {50, 100, 150}
    assert len(set(seen[:4])) > 1, "one after another, at the pace of the recording"


def film(path, levels) -> None:
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 60, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for level in levels:
        writer.write(grey(level))
    writer.release()


def test_a_film_is_shown_as_bgr_frames_of_its_size_and_goes_on(tmp_path):
    film(tmp_path / "film.avi", (60, 60, 60, 60))
    source = OpenCvCamera(str(tmp_path / "film.avi"))
    try:
        frames = [until(lambda: source.newest(1)) for _ in range(10)]
    finally:
        source.close()
    assert {frame.pixels.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert all(abs(int(frame.pixels[5, 5, 1]) - 60) < 6 for frame in frames)
    assert all(after.boot > before.boot for before, after in itertools.pairwise(frames))


@pytest.mark.parametrize(
    "address", ["/dev/v4l/by-id/absent", "absent.avi", "absent/%03d.png", "rtsp://127.0.0.1:9/x", "http://127.0.0.1:9/", "0"]
)
def test_what_is_not_there_or_no_file_of_this_machine_is_not_opened(address):
    with pytest.raises(DeviceError) as raised:
        open_capture(address, Wish())
    assert raised.value.remedy


def test_a_file_that_is_no_film_is_an_error(tmp_path):
    (tmp_path / "film.avi").write_bytes(b"RIFF" + bytes(2000))
    with pytest.raises(DeviceError):
        open_capture(str(tmp_path / "film.avi"), Wish())


def test_a_recording_without_a_frame_is_lost_and_not_opened_again_without_a_pause(device, monkeypatch):
    monkeypatch.setattr(device, "grab", lambda: False)
    monkeypatch.setattr(camera, "REOPEN_EVERY_S", 0.05)
    source = OpenCvCamera("film.avi", open_=device.open)
    try:
        assert gone(source)
        opened, since = device.opened, time.monotonic()
        time.sleep(0.2)
        assert device.opened - opened <= (time.monotonic() - since) / 0.05 + 1
    finally:
        source.close()


def test_a_link_to_a_device_is_a_device_and_a_recording_is_none(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    assert is_device(str(tmp_path / "link"))
    assert not is_device(str(tmp_path / "film.avi"))
