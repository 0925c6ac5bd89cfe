"""Registries: a clean answer in time, or ``unavailable``; against the real reference server and against hostile sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.evidence import VOCABULARY, CheckResult, Direction, Fact
from gate.registries import exit_permit, issuance, watchlist
from gate.registries.base import MAX_ANSWER, Contract, Found, NotListed, RegistryClient, Unavailable, _NoAnswer
from gate.registries.exit_permit import exit_permit_fact, exit_permit_query
from gate.registries.issuance import issuance_fact, issuance_query
from gate.registries.watchlist import list_for, watchlist_fact, watchlist_query

SECRET = "the secret of this run"
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DATA: dict[str, Any] = {
    "issuance": [
        {"issuing_state": "IDN", "document_number": "X1", "document_class": "ordinary", "office": "JAKARTA"},
        {"issuing_state": "IDN", "document_number": "S1", "document_class": "service"},
        {"issuing_state": "IDN", "document_number": "L1", "document_class": "ordinary", "status": "lost"},
    ],
    "exit_permits": [
        {
            "issuing_state": "IDN",
            "document_number": "S1",
            "document_class": "service",
            "valid_to": "2026-03-02",
            "checkpoints": ["CGK"],
        },
        {"issuing_state": "IDN", "document_number": "S2", "document_class": "service", "valid_to": "2026-03-01"},
    ],
    "watchlist": [
        {"list": "pencegahan", "primary_identifier": "CONTOH", "secondary_identifier": "ANI", "birth": "800101", "sex": "F"},
        {"list": "penangkalan", "primary_identifier": "SUKARDI", "birth": "70<<<<"},
    ],
}


class Server:
    """The reference server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data.json"
        self.tell()
        (folder / "secret").write_text(SECRET + "\n", encoding="ascii")
        ready = folder / "ready"
        command = [sys.executable, "-m", "gate.registries.reference_server", "--port", "0", "--data", str(self._data)]
        self.process = subprocess.Popen([*command, "--secret-file", str(folder / "secret"), "--ready-file", str(ready)])
        for _ in range(1500):
            if ready.exists() or self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.port: int = json.loads(ready.read_text(encoding="ascii"))["port"]

    def tell(self, **behaviour: dict[str, object]) -> None:
        """Replace the data file: the same data, another behaviour."""
        part = self._data.with_suffix(".part")
        part.write_text(json.dumps(DATA | {"behaviour": behaviour}), encoding="utf-8")
        part.replace(self._data)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("registries"))
    yield server
    server.stop()


@pytest.fixture
def server(running: Server) -> Server:
    running.tell()
    return running


@contextlib.asynccontextmanager
async def client(contract: Contract[Any], port: int, **options: Any) -> AsyncIterator[RegistryClient[Any]]:
    asking = RegistryClient(contract, "127.0.0.1", port, **{"secret": SECRET, "deadline_s": 5.0, **options})
    try:
        yield asking
    finally:
        await asking.close()


async def ask(contract: Contract[Any], port: int, query: dict[str, object], **options: Any) -> Any:
    async with client(contract, port, **options) as asking:
        return await asking.ask(query)


# --- the three contracts, against the real server ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "expected_class", "word", "result"),
    [
        ("X1", "ordinary", "active", CheckResult.SUCCESSFUL),
        ("X1", "service", "class_mismatch", CheckResult.FAILED),
        ("L1", "ordinary", "lost", CheckResult.FAILED),
        ("X2", "ordinary", "not_found", CheckResult.FAILED),
    ],
)
async def test_issuance(server: Server, number: str, expected_class: str, word: str, result: CheckResult) -> None:
    answer = await ask(issuance.CONTRACT, server.port, issuance_query("IDN", number))
    fact = issuance_fact(answer, expected_class)
    assert (fact.value, fact.result, fact.source) == (word, result, "issuance")
    assert fact.as_of is not None
    assert isinstance(answer, NotListed if word == "not_found" else Found)


@pytest.mark.parametrize(
    ("number", "document_class", "checkpoint", "word"),
    [
        ("S1", "service", "CGK", "valid"),  # on its last day
        ("S1", "diplomatic", "CGK", "mismatch"),
        ("S1", "service", "DPS", "mismatch"),
        ("S2", "service", "CGK", "expired"),
        ("X1", "service", "CGK", "none"),
    ],
)
async def test_exit_permit(server: Server, number: str, document_class: str, checkpoint: str, word: str) -> None:
    query = exit_permit_query(
        issuing_state="IDN",
        document_number=number,
        document_class=document_class,
        civil_date=date(2026, 3, 2),
        direction=Direction.DEPARTURE,
        checkpoint=checkpoint,
    )
    fact = exit_permit_fact(await ask(exit_permit.CONTRACT, server.port, query))
    assert (fact.value, fact.result is CheckResult.SUCCESSFUL) == (word, word == "valid")


@pytest.mark.parametrize(
    ("direction", "primary", "secondary", "birth", "sex", "word"),
    [
        ("departure", "CONTOH", "ANI", "800101", "F", "hit"),
        ("departure", "CONTOH", "ANI", "800102", "F", "clear"),  # a namesake born on another day
        ("departure", "CONTOH", "ANI", "80<<<<", "F", "possible"),
        ("departure", "CONTOH", "", "800101", "F", "clear"),
        ("arrival", "CONTOH", "ANI", "800101", "F", "clear"),  # barred from leaving, not from coming
        ("arrival", "SUKARDI", "", "700203", "M", "possible"),  # a holder with one name
        ("departure", "SUKARDI", "", "700203", "M", "clear"),
    ],
)
async def test_watchlist(server: Server, direction: str, primary: str, secondary: str, birth: str, sex: str, word: str) -> None:
    way = Direction(direction)
    query = watchlist_query(direction=way, primary_identifier=primary, secondary_identifier=secondary, birth=birth, sex=sex)
    assert watchlist_fact(await ask(watchlist.CONTRACT, server.port, query), way).value == word


async def test_the_two_lists_are_never_taken_for_each_other(server: Server) -> None:
    query = watchlist_query(direction=Direction.ARRIVAL, primary_identifier="A", secondary_identifier="", birth="800101", sex="F")
    answer = await ask(watchlist.CONTRACT, server.port, query)
    assert watchlist_fact(answer, Direction.ARRIVAL).value == "clear"
    assert watchlist_fact(answer, Direction.DEPARTURE).value == "unavailable"
    assert {list_for(direction) for direction in Direction} == {"pencegahan", "penangkalan"}


async def test_one_connection_serves_many_questions(server: Server) -> None:
    async with client(issuance.CONTRACT, server.port) as asking:
        ports = set()
        for _ in range(3):
            assert isinstance(await asking.ask(issuance_query("IDN", "X1")), Found)
            ports.add(asking._exchange._connection.sock.getsockname()[1])
    assert len(ports) == 1


async def test_questions_asked_at_once_each_get_their_own_answer(server: Server) -> None:
    async with client(issuance.CONTRACT, server.port) as asking:
        answers = await asyncio.gather(*(asking.ask(issuance_query("IDN", number)) for number in ("X1", "X2", "L1", "S1")))
    assert [issuance_fact(answer, "ordinary").value for answer in answers] == ["active", "not_found", "lost", "class_mismatch"]


async def test_a_server_without_the_secret_of_the_run_is_not_ours(server: Server) -> None:
    answer = await ask(issuance.CONTRACT, server.port, issuance_query("IDN", "X1"), secret="another run")
    assert isinstance(answer, Unavailable)
    assert answer.why == "refused"


async def test_a_registry_that_is_down_is_unavailable_and_comes_back(server: Server) -> None:
    async with client(issuance.CONTRACT, server.port) as asking:
        server.tell(issuance={"down": True})
        fact = issuance_fact(await asking.ask(issuance_query("IDN", "X1")), "ordinary")
        assert (fact.value, fact.result, fact.code) == ("unavailable", CheckResult.ABORTED, "error")
        server.tell()
        assert isinstance(await asking.ask(issuance_query("IDN", "X1")), Found)


async def test_a_slow_registry_is_a_timeout_and_its_late_answer_reaches_nobody(server: Server) -> None:
    async with client(issuance.CONTRACT, server.port, deadline_s=0.3) as asking:
        server.tell(issuance={"delay_s": 2.0})
        answer = await asking.ask(issuance_query("IDN", "L1"))
        assert (answer.why, answer.source) == ("timeout", "issuance")
        server.tell()
        asking._deadline_s = 5.0
        assert issuance_fact(await asking.ask(issuance_query("IDN", "X1")), "ordinary").value == "active"


async def test_a_question_of_another_contract_is_malformed(server: Server) -> None:
    wrong = Contract(name="watchlist", path="/issuance/status", reply=watchlist.WatchlistReply, nothing="")
    assert (await ask(wrong, server.port, issuance_query("IDN", "X1"))).why == "malformed"
    bad_question = await ask(issuance.CONTRACT, server.port, {"issuing_state": "IDN"})
    assert bad_question.why == "error"


async def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert (await ask(issuance.CONTRACT, port, {})).why == "unreachable"


@pytest.mark.parametrize("damage", ["data", "secret-file", "port"])
def test_the_server_says_in_one_line_what_it_cannot_have(tmp_path: Path, damage: str) -> None:
    (tmp_path / "data").write_text('{"issuance": 5}' if damage == "data" else "{}", encoding="utf-8")
    if damage != "secret-file":
        (tmp_path / "secret-file").write_text("s", encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if damage == "port" else 0
        from gate.registries.reference_server import main

        files = [f"--{name}={tmp_path / name}" for name in ("data", "secret-file", "ready-file")]
        assert main([f"--port={port}", *files]) == 2
    assert not (tmp_path / "ready-file").exists()


# --- hostile registries ------------------------------------------------------------------------------------------------------------------


class RawServer:
    """Answers each connection with what ``behave`` writes to it."""

    def __init__(self, behave: Callable[[socket.socket, str], None]) -> None:
        self._behave, self._listener = behave, socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError, StopIteration):
                peer.settimeout(5)
                while question := peer.recv(65536):
                    body = question.partition(b"\r\n\r\n")[2] or peer.recv(65536)
                    self._behave(peer, json.loads(body)["request"])

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextlib.contextmanager
def raw_server(behave: Callable[[socket.socket, str], None]) -> Iterator[int]:
    server = RawServer(behave)
    try:
        yield server.port
    finally:
        server.close()


def http(body: bytes, head: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{head or f'Content-Length: {len(body)}'}\r\n\r\n".encode() + body


def clean(request: str, /, **changed: object) -> dict[str, object]:
    found = {"registry": "issuance", "request": request, "as_of": NOW.isoformat(), "answer": "found"}
    return found | {"status": "active", "document_class": "ordinary"} | changed


def sends(make: Callable[[str], bytes]) -> Callable[[socket.socket, str], None]:
    return lambda peer, request: peer.sendall(make(request))


async def judged(behave: Callable[[socket.socket, str], None], deadline_s: float = 5.0) -> Any:
    with raw_server(behave) as port:
        return await ask(issuance.CONTRACT, port, {}, deadline_s=deadline_s, wall=lambda: NOW)


async def test_the_raw_server_can_give_a_clean_answer() -> None:
    answer = await judged(sends(lambda request: http(json.dumps(clean(request)).encode())))
    assert issuance_fact(answer, "ordinary").value == "active"
    assert answer.freshness_s == 0.0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"request": "ffffffffffffffff"}, "malformed"),
        ({"registry": "watchlist"}, "malformed"),
        ({"answer": "perhaps"}, "malformed"),
        ({"status": "fine"}, "malformed"),
        ({"extra": 1}, "malformed"),
        ({"as_of": "2026-03-02T03:00:00"}, "malformed"),
        ({"as_of": (NOW - timedelta(days=2)).isoformat()}, "stale"),
        ({"as_of": (NOW + timedelta(hours=1)).isoformat()}, "stale"),
    ],
)
async def test_an_answer_that_is_not_exactly_right_is_none(changed: dict[str, object], why: str) -> None:
    answer = await judged(sends(lambda request: http(json.dumps(clean(request, **changed)).encode())))
    assert (type(answer), answer.why) == (Unavailable, why)


async def test_a_found_book_without_its_record_is_no_answer() -> None:
    answer = await judged(sends(lambda request: http(json.dumps(clean(request, status=None)).encode())))
    assert issuance_fact(answer, "ordinary").value == "unavailable"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"garbage\r\n\r\n", "malformed"),
        (http(b"[" * 10_000), "malformed"),
        (http(b"\xff\xfe"), "malformed"),
        (http(b"null"), "malformed"),
        (http(b"x" * (MAX_ANSWER + 1)), "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "malformed"),
        (b"HTTP/1.1 200 " + b"O" * 70_000 + b"\r\n\r\n", "malformed"),
        (http(b"zz\r\n", "Transfer-Encoding: chunked"), "malformed"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "error"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"", "unreachable"),
    ],
)
async def test_garbage_is_unavailable(reply: bytes, why: str) -> None:
    def behave(peer: socket.socket, _request: str) -> None:
        peer.sendall(reply)
        raise StopIteration  # hang up

    answer = await judged(behave)
    assert (type(answer), answer.why) == (Unavailable, why)


async def test_a_registry_that_drips_bytes_outlasts_neither_this_deadline_nor_the_next() -> None:
    asked = 0

    def behave(peer: socket.socket, request: str) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            peer.sendall(http(json.dumps(clean(request)).encode()))
            return
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(400):
            peer.sendall(b" ")
            time.sleep(0.02)

    with raw_server(behave) as port:
        async with client(issuance.CONTRACT, port, deadline_s=0.3, wall=lambda: NOW) as asking:
            assert (await asking.ask({})).why == "timeout"
            asking._deadline_s = 4.0  # the dripping would last twice as long
            assert isinstance(await asking.ask({}), Found)


async def test_a_connection_closed_between_questions_is_opened_again() -> None:
    def behave(peer: socket.socket, request: str) -> None:
        peer.sendall(http(json.dumps(clean(request)).encode()))
        raise StopIteration

    with raw_server(behave) as port:
        async with client(issuance.CONTRACT, port, wall=lambda: NOW) as asking:
            for _ in range(3):
                assert isinstance(await asking.ask({}), Found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"]))
def test_any_bytes_are_an_answer_or_unavailable(raw: bytes, head: bytes) -> None:
    def behave(peer: socket.socket, _request: str) -> None:
        peer.sendall(head + raw)
        raise StopIteration

    answer = asyncio.run(judged(behave))
    assert isinstance(answer, Unavailable)


READER = RegistryClient(issuance.CONTRACT, "127.0.0.1", 1, secret="", wall=lambda: NOW)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.dictionaries(st.sampled_from(list(clean("r"))), inner),
        max_leaves=8,
    )
)
def test_no_json_but_a_clean_reply_is_read(value: object) -> None:
    with pytest.raises(_NoAnswer, match="malformed"):
        READER._read(msgspec.json.encode(value), "r", 0.0)


# --- facts -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["timeout", "unreachable", "refused", "error", "malformed", "stale"])
def test_no_answer_is_an_aborted_check_with_its_cause_never_a_clean_word(why: Any) -> None:
    nothing = Unavailable(source="s", why=why, latency_ms=1.0)
    facts: dict[str, Fact] = {
        "issuance": issuance_fact(nothing, "ordinary"),
        "exit_permit": exit_permit_fact(nothing),
        "watchlist": watchlist_fact(nothing, Direction.ARRIVAL),
    }
    for name, fact in facts.items():
        assert (fact.value, fact.result, fact.code) == ("unavailable", CheckResult.ABORTED, why)
        assert fact.value in VOCABULARY[name]


def test_a_list_that_is_merely_silent_is_not_clear() -> None:
    nothing = NotListed(source="watchlist", as_of=NOW, latency_ms=1.0, freshness_s=0.0)
    assert watchlist_fact(nothing, Direction.ARRIVAL).value == "unavailable"


def test_the_secret_is_not_in_the_repr() -> None:
    assert SECRET not in repr(RegistryClient(issuance.CONTRACT, "127.0.0.1", 1, secret=SECRET)._exchange)
