"""Chip portrait and live picture of who waits for an officer: the real process, the lane's own rules and vision's own thread.

Who asks is the test: an officer's page, a page of another site, or a console that was broken into and knows all that it was ever told.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from http.client import HTTPConnection

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.image import decode
from faceverify.samples import NotPerformed
from gate.audit.log import FILE_NAME, open_readonly
from gate.audit.log import decode as decode_record
from gate.config import Console
from gate.evidence import CheckResult, Fact, successful
from gate.lane import Event, State
from gate.processes import channel, pictures, pictures_http
from gate.processes import messages as m
from gate.processes.pictures_http import BOUNDARY, NEXT, REASONS, Case, Server
from gate.processes.pictures_vision import PictureSender
from gate.processes.vision import FaceWatcher
from gate.records import PicturesShown
from gate.runtime import Runtime
from gate.service import commands
from hardware.ports import Frame

pytestmark = pytest.mark.processes
SECRET = "run"
ORIGIN = "http://localhost:8412"
LIMIT_S = 20
CHIP, LIVE = (30, 120, 210), (200, 100, 40)
PORTRAIT = cv2.imencode(".jpg", np.full((413, 300, 3), CHIP, np.uint8))[1].tobytes()
ATTACK = {"face": successful("match"), "pad": Fact(value="attack", result=CheckResult.FAILED)}


class Camera:
    def newest(self, _timeout: float) -> Frame:
        return Frame(pixels=np.full((360, 640, 3), LIVE, np.uint8), boot=time.clock_gettime(time.CLOCK_BOOTTIME))


class Verifier:
    def reference(self, _: bytes) -> NotPerformed:
        return NotPerformed(reason="by hand")

    def in_each_thread(self, work) -> None:
        """It has none of its own."""


class Told(list):
    """What the lane tells, handed on at once."""

    def __init__(self, hand_on) -> None:
        super().__init__()
        self._hand_on = hand_on

    def append(self, item) -> None:
        super().append(item)
        self._hand_on(*item)


class House:
    """The lane of :class:`Hand` behind its real socket, vision's thread, and the pictures process."""

    def __init__(self, hand, folder) -> None:
        self.hand, self.lane, self.socket = hand, folder / "lane.sock", folder / "pictures.sock"
        self.secret_file = folder / "pictures.secret"
        self.secret_file.write_text(channel.role_secret(SECRET, "pictures"))
        self.peers: dict[str, channel.Channel] = {}
        hand.told = Told(self._hand_on)
        secret = channel.role_secret(channel.role_secret(SECRET, "pictures"), "vision")
        sender = PictureSender(self.socket, secret, decode)
        self.watcher = FaceWatcher(Verifier(), Camera(), lambda _: None, pictures=sender)  # type: ignore[arg-type] # set by hand
        self._thread = threading.Thread(target=self.watcher.run)

    def _hand_on(self, role, message) -> None:
        if isinstance(message, m.PrepareReference):
            message = msgspec.structs.replace(message, portrait=PORTRAIT)
        if role == "vision" and not isinstance(message, m.StartCapture):
            self.watcher.take(message)
        elif role in self.peers:
            self.peers[role].tell(message)

    async def _on_peer(self, join, peer) -> None:
        self.peers[join.role] = peer
        await self.hand.peer(join.role)
        try:
            while True:
                await self.hand.say(join.role, await peer.receive())
        finally:
            del self.peers[join.role]
            await self.hand.peer(join.role, joined=False)

    async def open(self) -> None:
        self.hand.actor._timeouts = msgspec.structs.replace(
            self.hand.actor._timeouts, await_officer_s=60, walk_in_s=60, capture_s=60
        )
        self.server = await channel.serve(self.lane, SECRET, self._on_peer)
        self._thread.start()
        await self.start()

    async def start(self) -> None:
        files = ("--lane", self.lane, "--socket", self.socket, "--secret-file", self.secret_file)
        command = [sys.executable, "-m", "gate.processes.pictures", *map(str, files), "--origin", ORIGIN]
        self.process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        await until(lambda: self.hand.pictures._port, "the process says where it listens")
        self.port = self.hand.pictures._port

    async def close(self) -> None:
        self.watcher.stop()
        await asyncio.to_thread(self._thread.join)
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.communicate()
        await until(lambda: not self.peers, "the lane sees it gone")
        self.server.close()

    async def refer(self) -> str:
        """Have somebody wait for an officer; the token under which they can be seen."""
        hand = self.hand
        await hand.inside()
        now = hand.clock.boot()
        await hand.say("vision", m.FaceChecked(transaction=hand.transaction, facts=ATTACK, stages=(), chosen_frame_boot=now))
        assert hand.state is State.HOLD
        return hand.pictures.address.rpartition("/")[2]

    async def leave(self) -> None:
        """An officer lets them out by the entry."""
        self.hand.actor.post(lambda: self.hand.actor.officer(Event.OFFICER_EJECT))
        await self.hand.settle()

    async def left(self) -> None:
        """They are gone, and the lane is free for the next one."""
        for _ in ("the entry closes", "it is locked"):
            await self.hand.plant(occupancy=0)
        await self.hand.say("reader", m.DocumentRemoved())
        assert self.hand.state is State.IDLE

    async def ended(self) -> tuple[int | None, bytes]:
        """Wait until the process has; its exit status and its last words."""
        async with asyncio.timeout(LIMIT_S):
            _, said = await self.process.communicate()
        return self.process.returncode, said

    def written(self) -> list[PicturesShown]:
        with open_readonly(self.hand.folder / FILE_NAME) as log:
            return [decode_record(record, PicturesShown) for record in log.records("pictures")]

    async def ask(self, path: str, method: str = "GET", **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, header fields and body; what ``headers`` say None of is left out."""
        fields = {"Host": f"localhost:{self.port}", "Origin": ORIGIN} | headers

        def question() -> tuple[int, dict[str, str], bytes]:
            line = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in fields.items():
                if value is not None:
                    line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            told = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            line.close()
            return told

        return await asyncio.to_thread(question)

    async def watch(self, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The moving picture, as far as its first part's beginning."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        question = f"GET /{token}/live HTTP/1.1\r\nHost: localhost:{self.port}\r\nOrigin: {ORIGIN}\r\n\r\n"
        writer.write(question.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert f"multipart/x-mixed-replace; boundary={BOUNDARY}".encode() in head
        assert await reader.readexactly(len(NEXT)) == NEXT
        return reader, writer


async def part(reader: asyncio.StreamReader) -> np.ndarray:
    """The next picture of a moving one."""
    octets = (await reader.readuntil(NEXT)).removesuffix(NEXT)
    return cv2.imdecode(np.frombuffer(octets, np.uint8), cv2.IMREAD_COLOR)


async def until(condition, what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def is_of(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(picture.astype(int) - colour).max() < 12)


@pytest.fixture
async def house(hand, tmp_path):
    house = House(hand, tmp_path)
    await house.open()
    yield house
    await house.close()


async def test_an_officer_sees_who_waits_beside_the_portrait_and_it_is_written_down(house):
    token = await house.refer()
    reader, writer = await house.watch(token)
    assert house.written() == [PicturesShown(transaction=house.hand.transaction)]
    assert is_of(await part(reader), LIVE)
    assert is_of(await part(reader), LIVE)
    status, headers, body = await house.ask(f"/{token}/chip")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "image/jpeg", "no-store")
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["cross-origin-resource-policy"] == "same-origin"
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert is_of(picture, CHIP)
    assert picture.shape == (413, 300, 3)
    assert len(house.written()) == 1

    await house.leave()
    assert await house.ended() == (0, b"")
    async with asyncio.timeout(LIMIT_S):
        await reader.read()  # the moving picture ends with the case
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await house.ask(f"/{token}/chip")
    kept = b"".join(path.read_bytes() for path in house.hand.folder.rglob("*") if path.is_file())
    assert len(kept) > 1000
    assert body[300:332] not in kept
    assert PORTRAIT[300:332] not in kept


async def test_a_page_of_another_site_gets_no_picture_even_if_it_knew_the_token(house):
    token = await house.refer()
    for origin in (
        None,
        "null",
        "http://localhost:8411",
        "http://127.0.0.1:8412",
        "https://localhost:8412",
        "http://evil.example",
    ):
        assert (await house.ask(f"/{token}/chip", Origin=origin))[0] == 403
    for host in (f"evil.example:{house.port}", "localhost", f"localhost:{house.port + 1}", None):
        assert (await house.ask(f"/{token}/chip", Host=host))[0] == 421
    assert (await house.ask(f"/{token}/chip", method="POST"))[0] == 405
    for path in (
        "/",
        f"/{token}",
        f"/{token}/",
        f"/{token}/chip/",
        f"/{token}/chip?",
        f"//{token}/chip",
        f"/{token}/other",
        "/chip",
    ):
        assert (await house.ask(path))[0] == 404
    nearly = token[:-1] + ("E" if token.endswith("A") else "A")
    assert (await house.ask(f"/{nearly}/live"))[0] == 404
    await house.hand.settle()
    assert house.written() == []


async def test_a_hostile_console_gets_no_picture_of_who_is_not_referred_nor_after_the_case(house):
    """It knows the port and every token that there ever was, and can say any origin."""
    first = await house.refer()
    await house.leave()
    await house.left()
    assert (await house.ask(f"/{first}/chip"))[0] == 404
    await house.hand.inside()
    for token in (first, "", "0" * 43):
        for which in ("chip", "live"):
            assert (await house.ask(f"/{token}/{which}"))[0] == 404
    assert house.process.returncode is None, "nobody looked, so that nothing has to be forgotten"
    assert house.written() == []
    assert not any(isinstance(message, m.ShowPictures) for _, message in house.hand.told)


async def test_the_next_case_is_shown_by_another_process_under_another_token(house):
    first = await house.refer()
    assert (await house.ask(f"/{first}/chip"))[0] == 200
    await house.leave()
    assert await house.ended() == (0, b"")
    await until(lambda: not house.hand.pictures._port, "the lane sees it gone")
    await house.left()
    assert await house.refer() == "", "the lane goes on without it"
    await house.start()
    await until(lambda: house.hand.pictures.address, "the case is offered to the new one")
    second = house.hand.pictures.address.rpartition("/")[2]
    assert (await house.ask(f"/{first}/chip"))[0] == 404
    assert (await house.ask(f"/{second}/chip"))[0] == 200
    assert len(house.written()) == 2


async def test_without_a_lane_there_are_no_pictures(house):
    token = await house.refer()
    reader, writer = await house.watch(token)
    await part(reader)
    house.peers["pictures"].abort()
    assert await house.ended() == (0, b"")
    writer.close()


async def test_what_vision_does_not_send_is_waited_for_and_then_said(monkeypatch):
    monkeypatch.setattr(pictures_http, "PATIENCE_S", 0.05)
    case = Case(lambda _: None)
    case.offered(m.OfferPictures(transaction="t", token="x"))
    listener = await Server(case, ORIGIN).listen()
    port = listener.sockets[0].getsockname()[1]
    for path, status in (("/x/chip", b"503"), ("/x/live", b"503"), ("/y/chip", b"404")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
        assert (await reader.read()).split(b" ")[1] == status
        writer.close()
    listener.close()


async def test_a_live_picture_that_no_longer_moves_is_taken_away_until_it_does(monkeypatch):
    monkeypatch.setattr(pictures_http, "FROZEN_S", 0.05)
    case = Case(lambda _: None)
    case.offered(m.OfferPictures(transaction="t", token="x"))
    listener = await Server(case, ORIGIN).listen()
    port = listener.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /x/live HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
    await until(lambda: case._asked, "the question is heard")
    case.take(m.Picture(transaction="t", which="live", jpeg=PORTRAIT))
    await reader.readuntil(NEXT)
    for moved in (PORTRAIT + b" ", PORTRAIT):
        assert is_of(await part(reader), CHIP)
        grey = await part(reader)
        assert (grey.shape, is_of(grey, (128, 128, 128))) == ((8, 8, 3), True)
        case.take(m.Picture(transaction="t", which="live", jpeg=moved))
    writer.close()
    listener.close()


async def test_a_lane_that_hangs_shows_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "LAPSE_S", 0.1)

    async def hangs(_, peer) -> None:
        await peer.send(m.OfferPictures(transaction="t", token="x"))
        while True:
            await peer.receive()

    server = await channel.serve(tmp_path / "lane", SECRET, hangs)
    secret = channel.role_secret(SECRET, "pictures")
    async with asyncio.timeout(LIMIT_S):
        await pictures.serve(tmp_path / "lane", tmp_path / "socket", secret, ORIGIN)
    server.close()


async def test_the_service_starts_the_process_only_where_officers_are_known_and_may_look(hand, tmp_path):
    (tmp_path / "secret").write_text(SECRET)

    def started(**console) -> bool:
        config = msgspec.structs.replace(hand.case._config, console=Console(**console))
        return "pictures" in commands(tmp_path / "gate.toml", config, Runtime(tmp_path))

    assert started(roster=tmp_path, origin=ORIGIN)
    assert not started(roster=tmp_path, origin=ORIGIN, pictures=False)
    assert not started()


def test_pictures_that_nobody_asked_for_and_of_others_are_not_kept():
    asked: list[str] = []
    case = Case(asked.append)
    case.offered(m.OfferPictures(transaction="t", token="x"))
    case.take(m.Picture(transaction="t", which="chip", jpeg=b"early"))
    case.ask()
    case.ask()
    case.take(m.Picture(transaction="other", which="chip", jpeg=b"other"))
    assert (asked, case._pictures, case.over) == (["t"], {}, False)
    case.offered(m.OfferPictures(transaction="t", token="x"))
    assert not case.over
    case.offered(m.OfferPictures(transaction="u", token="y"))
    assert case.over
    assert not case.opens("x")
    assert not case.opens("y")


LIKELY = st.text(st.characters(max_codepoint=255), max_size=60).map(
    lambda path: f"GET {path} HTTP/1.1\r\nHost: localhost:8499\r\nOrigin: {ORIGIN}".encode("latin-1")
)


@given(question=st.binary(max_size=300) | LIKELY)
def test_any_question_gets_an_answer_and_no_picture(question):
    asked: list[str] = []
    case = Case(asked.append)
    case.offered(m.OfferPictures(transaction="t", token="x" * 43))
    status, _ = Server(case, ORIGIN)._judge(question.decode("latin-1").split("\r\n"), 8499)
    assert status in REASONS
    assert status != 200
