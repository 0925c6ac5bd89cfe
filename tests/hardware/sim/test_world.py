"""The simulated scanner and camera, over their real sockets and in their real process."""

from __future__ import annotations

import itertools
import os
import pickle
import socket
from dataclasses import dataclass, field
from multiprocessing import Pipe

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from hardware.emrtd.reader import AccessKey, read_chip
from hardware.ports import DeviceError, DeviceLost, TagLost
from hardware.sim.camera import FPS, HEIGHT, REST_HEIGHT, WALK_UP_S, WIDTH, CameraStage, SimulatedCamera
from hardware.sim.scanner import ScannerStage, SimulatedScanner
from hardware.sim.server import DeviceClient, DeviceServer, MessageError, receive
from hardware.sim.world import World

SECRET = "secret of this run"
MRZ = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
MRZ_INFORMATION = "L898902C3674081221204159"
SELECT = bytes.fromhex("00A4040C07A0000002471001")


def pkcs8() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class Book:
    mrz_lines: tuple[str, ...] = MRZ
    mrz_information: str = MRZ_INFORMATION
    active_key: bytes = field(default_factory=pkcs8)
    chip_key: bytes = b""
    files: dict[str, bytes] = field(
        default_factory=lambda: {
            "EF.COM": build_com(["DG1", "DG2"]),
            "EF.SOD": b"\x77\x82\x01\x00" + bytes(256),
            "DG1": build_dg1(MRZ),
            "DG2": build_dg2(b"\xff\xd8" + bytes(3000) + b"\xff\xd9", "jpeg"),
        }
    )


class WallClock:
    boot = staticmethod(lambda: 0.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("w")
    with World(folder, SECRET) as running:
        running.folder = folder
        yield running


@pytest.fixture
def scanner(world):
    world.lift()
    scanner = SimulatedScanner(world.folder, SECRET)
    yield scanner
    scanner.close()


@pytest.fixture
def camera(world):
    world.clear_face()
    camera = SimulatedCamera(world.folder, SECRET)
    yield camera
    camera.close()


def png(pixels) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.processes
def test_a_placed_book_is_read_byte_for_byte_through_the_scanner(world, scanner):
    assert scanner.wait_for_document(0.0) is None
    book = Book()
    world.place(book, kbit_s=None)
    document = scanner.wait_for_document(5.0)
    assert document.mrz_lines == MRZ
    data = read_chip(document.chip, AccessKey(mrz_information=MRZ_INFORMATION), clock=WallClock())
    assert {name: data.files[name] for name in book.files} == book.files
    assert not scanner.wait_for_removal(0.0)
    world.lift()
    assert scanner.wait_for_removal(5.0)


@pytest.mark.processes
def test_a_scanner_that_does_not_read_the_zone_pictures_the_page_as_the_director_said(world):
    scanner = SimulatedScanner(world.folder, SECRET, pictures=True)
    world.place(Book(), kbit_s=None, look={"dpi": 200}, conditions=[{"covered": True}, {}])
    document = scanner.wait_for_document(5.0)
    assert document.mrz_lines == ()
    covered, plain = (document.page.capture("white", 5.0) for _ in range(2))
    assert plain.dpi == 200
    assert plain.pixels.mean() > 2 * covered.pixels.mean()
    assert document.chip.transceive(SELECT) == b"\x90\x00"
    with pytest.raises(DeviceError, match="no resolution"):
        world.place(Book(), look={"dpi": 1})
    world.lift()
    assert document.page.capture("white", 5.0) is None
    scanner.close()


@pytest.mark.processes
def test_a_lifted_chip_is_lost_for_ever_even_when_another_book_follows(world, scanner):
    world.place(Book(), kbit_s=None)
    first = scanner.wait_for_document(5.0)
    assert first.chip.transceive(SELECT) == b"\x90\x00"
    world.lift()
    with pytest.raises(TagLost):
        first.chip.transceive(SELECT)
    world.place(Book(), kbit_s=None)
    assert scanner.wait_for_document(5.0).chip.transceive(SELECT) == b"\x90\x00"
    with pytest.raises(TagLost):
        first.chip.transceive(SELECT)


@pytest.mark.processes
def test_a_spoilt_chip_is_lost_where_the_director_says(world, scanner):
    world.place(Book(), kbit_s=None, spoilt={"lost_after": 500})
    chip = scanner.wait_for_document(5.0).chip
    with pytest.raises(TagLost):
        read_chip(chip, AccessKey(mrz_information=MRZ_INFORMATION), clock=WallClock())
    with pytest.raises(DeviceError, match="cannot be set"):
        world.place(Book(), spoilt={"transceive": 1})


@pytest.mark.processes
@pytest.mark.parametrize(
    "device", [lambda f: SimulatedScanner(f, "foreign").wait_for_document(0), lambda f: SimulatedCamera(f, "").newest(0)]
)
def test_a_foreign_host_is_refused_by_the_handshake(world, device):
    with pytest.raises(DeviceError, match="another run"):
        device(world.folder)


def test_a_foreign_device_is_refused_by_the_handshake(tmp_path):
    server = DeviceServer(tmp_path / "scanner.sock", "foreign", ScannerStage().handle)
    with pytest.raises(DeviceError, match="another run"):
        SimulatedScanner(tmp_path, SECRET).wait_for_document(0.0)
    server.close()


def test_an_absent_device_is_lost_and_found_again(tmp_path):
    scanner = SimulatedScanner(tmp_path, SECRET)
    with pytest.raises(DeviceLost):
        scanner.wait_for_document(0.0)
    server = DeviceServer(tmp_path / "scanner.sock", SECRET, ScannerStage().handle)
    assert scanner.wait_for_document(0.0) is None
    scanner.close()
    server.close()


def test_a_silent_foreigner_on_the_socket_blocks_nobody(tmp_path):
    server = DeviceServer(tmp_path / "scanner.sock", SECRET, ScannerStage().handle)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(tmp_path / "scanner.sock"))
        scanner = SimulatedScanner(tmp_path, SECRET)
        assert scanner.wait_for_document(0.0) is None
        scanner.close()
    server.close()


@given(st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode), st.builds(pickle.dumps, st.integers())))
def test_any_header_is_a_message_or_a_message_error(raw):
    ours, theirs = Pipe()
    with ours, theirs:
        theirs.send_bytes(raw)
        theirs.close()
        try:
            header, bodies = receive(ours)
        except (MessageError, EOFError):
            return
        assert isinstance(header, dict)
        assert bodies == []


@given(
    st.dictionaries(
        st.sampled_from(["do", "timeout", "document"]),
        st.one_of(st.none(), st.integers(), st.sampled_from(["document", "removal", "apdu", "frame"])),
    )
)
def test_any_question_gets_an_answer(question):
    question = {**question, "timeout": question.get("timeout") and 0}
    server = object.__new__(DeviceServer)
    server._handler = ScannerStage().handle
    answer, bodies = server._answer(question, [])
    assert isinstance(answer, dict)
    assert bodies == []


@pytest.mark.processes
def test_each_frame_is_a_new_one(camera):
    frames = [camera.newest(1.0) for _ in range(4)]
    assert all(frame.pixels.shape == (HEIGHT, WIDTH, 3) and frame.pixels.dtype == np.uint8 for frame in frames)
    assert all(earlier.boot < later.boot for earlier, later in itertools.pairwise(frames))
    assert not np.array_equal(frames[0].pixels, frames[1].pixels)


class FrozenTime:
    """Goes on only where somebody sleeps, or the test says so."""

    now = 1000.0

    def boot(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_frames_come_no_faster_than_the_camera_takes_them(monkeypatch):
    time = FrozenTime()
    monkeypatch.setattr("hardware.sim.camera.time", time)
    monkeypatch.setattr("hardware.sim.camera.boot", time.boot)
    stage = CameraStage()
    monkeypatch.setattr(stage, "_render", lambda _: np.zeros(1, np.uint8))

    def taken(timeout: float) -> float | None:
        return stage.handle({"do": "frame", "timeout": timeout}, [])[0]["boot"]

    assert [taken(1.0) for _ in range(3)] == pytest.approx([1000 + count / FPS for count in range(3)])
    assert taken(0.0) is None
    before = time.now
    assert taken(0.01) is None
    assert time.now == pytest.approx(before + 0.01)
    time.now += 10 / FPS
    assert taken(0.0) == time.now
    assert taken(0.0) is None


@pytest.mark.processes
def test_a_face_that_is_shown_is_seen_and_one_that_left_is_not(world, camera):
    def red(frame):
        pixels = frame.pixels.astype(int)
        return int(((pixels[..., 2] - pixels[..., 0]) > 100).sum())

    assert red(camera.newest(1.0)) == 0
    world.show_face(png(np.full((400, 310, 3), (20, 20, 200), np.uint8)))
    assert red(camera.newest(1.0)) > 10_000
    world.clear_face()
    assert red(camera.newest(1.0)) == 0


def test_a_person_walks_up_and_then_stands_still():
    stage = CameraStage()
    picture = np.full((400, 310, 3), 120, np.uint8)
    picture[40:360] = (20, 20, 200)
    stage.show(picture, seed=1)

    def height(progress):
        """Of the whole picture; four fifths of it are red."""
        red = (stage._walk_in(stage._person, progress)[:, WIDTH // 2, 2].astype(int) > 160).sum()
        return int(red) * 400 // 320

    seen = [height(progress) for progress in (0.0, 0.3, 0.6, 1.0)]
    assert seen == sorted(seen)
    assert seen[0] < 0.5 * REST_HEIGHT
    assert abs(height(1.0) - REST_HEIGHT) < 0.05 * REST_HEIGHT


def test_a_picture_of_somebody_has_no_edge_that_would_make_it_a_photograph_held_up():
    stage = CameraStage()
    picture = np.full((400, 310, 3), 200, np.uint8)
    stage.show(picture, seed=1)
    assert int(np.ptp(stage._render(stage._person.since + WALK_UP_S).astype(int))) < 20


@pytest.mark.processes
def test_garbage_for_a_picture_is_refused_and_the_world_goes_on(world, camera):
    with pytest.raises(DeviceError, match="not a picture"):
        world.show_face(b"no picture")
    assert camera.newest(1.0) is not None


@pytest.mark.processes
def test_the_world_ends_with_its_director(tmp_path):
    world = World(tmp_path, SECRET)
    world.start()
    process = world._process
    process.stdin.close()  # what the kernel does when the director dies
    assert process.wait(5) == 0
    with pytest.raises(DeviceLost):
        SimulatedScanner(tmp_path, SECRET).wait_for_document(0.0)
    process.stdout.close()
    world._process = None
    world.stop()


def test_large_and_empty_bodies_come_back_unchanged(tmp_path):
    server = DeviceServer(tmp_path / "x.sock", SECRET, lambda header, bodies: (header, bodies))
    client = DeviceClient(tmp_path / "x.sock", SECRET)
    body = os.urandom(1 << 20)
    assert client.ask({"do": "echo"}, [body, b""]) == ({"do": "echo"}, [body, b""])
    client.close()
    server.close()
