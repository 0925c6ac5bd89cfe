"""A clean answer in time, or ``Unavailable``: against hostile sockets, strangers with certificates, and a registry that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from gate.registries import issuance
from gate.registries.base import MAX_ANSWER, Found, NotListed, Unavailable
from gate.registries.breaker import FAILURES, OPEN_S, CircuitBreaker
from gate.registries.client import RegistryClient
from gate.registries.envelope import AnswerReader, signed
from gate.registries.issuance import IssuanceQuestion
from gate.registries.reference.certificates import Authority

KEY = OKPKey.generate_key("Ed25519")
GATE = "cgk-d07"
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
QUESTION = IssuanceQuestion(issuing_state="IDN", document_number="X1")
Behave = Callable[[socket.socket, bytes], None]


class RawServer:
    """Answers each request on a socket with what ``behave`` writes to it; behind ``tls`` where that is given."""

    def __init__(self, behave: Behave, tls: ssl.SSLContext | None = None) -> None:
        self._behave, self._tls, self._listener = behave, tls, socket.create_server(("127.0.0.1", 0))
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
            with contextlib.suppress(OSError, StopIteration), peer:
                peer.settimeout(5)
                if self._tls:
                    peer = self._tls.wrap_socket(peer, server_side=True)
                with peer:
                    while question := peer.recv(65536):
                        self._behave(peer, question.partition(b"\r\n\r\n")[2] or peer.recv(65536))

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextlib.contextmanager
def raw_server(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    server = RawServer(behave, tls)
    try:
        yield server.port
    finally:
        server.close()


def http(body: bytes, head: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{head or f'Content-Length: {len(body)}'}\r\n\r\n".encode() + body


def clean(body: bytes) -> bytes:
    """A signed answer to the request ``body``: the book is in force."""
    asked = json.loads(body)
    claims = {
        "registry": "issuance",
        "gate": asked["gate"],
        "nonce": asked["nonce"],
        "question": hashlib.sha256(body).hexdigest(),
    }
    claims |= {"signed_at": NOW.isoformat(), "expires": NOW.isoformat(), "as_of": NOW.isoformat()}
    reply = {"answer": "found", "record": {"status": "active", "document_class": "ordinary"}}
    return http(signed(json.dumps(claims | {"reply": reply}).encode(), KEY, "answer").encode())


@contextlib.asynccontextmanager
async def client(url: str, **options: Any) -> Any:
    reader = AnswerReader(issuance.CONTRACT, GATE, KEY, wall=lambda: NOW)
    asking = RegistryClient(issuance.CONTRACT, url, reader, gate=GATE, **{"tls": None, "deadline_s": 5.0, **options})
    try:
        yield asking
    finally:
        await asking.close()


async def judged(behave: Behave, **options: Any) -> Any:
    with raw_server(behave) as port:
        async with client(f"http://127.0.0.1:{port}", **options) as asking:
            return await asking.ask(QUESTION)


async def test_the_raw_server_can_give_a_clean_answer() -> None:
    answer = await judged(lambda peer, body: peer.sendall(clean(body)))
    assert issuance.issuance_fact(answer, "ordinary").value == "active"


# --- what comes over the line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"garbage\r\n\r\n", "malformed"),
        (http(b"[" * 10_000), "malformed"),
        (http(b"\xff\xfe"), "malformed"),
        (http(b"x" * (MAX_ANSWER + 1)), "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "malformed"),
        (b"HTTP/1.1 200 " + b"O" * 70_000 + b"\r\n\r\n", "malformed"),
        (http(b"zz\r\n", "Transfer-Encoding: chunked"), "malformed"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "error"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "error"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", "rejected"),
        (b"", "unreachable"),
    ],
)
async def test_garbage_is_unavailable(reply: bytes, why: str) -> None:
    def behave(peer: socket.socket, _body: bytes) -> None:
        peer.sendall(reply)
        raise StopIteration  # hang up

    answer = await judged(behave)
    assert (type(answer), answer.why) == (Unavailable, why)


async def test_an_answer_that_is_cut_off_is_malformed() -> None:
    def behave(peer: socket.socket, body: bytes) -> None:
        whole = clean(body)
        peer.sendall(whole[: len(whole) - 40])
        raise StopIteration

    assert (await judged(behave)).why == "malformed"


@pytest.mark.parametrize("head", ["Content-Length: 4000", "Content-Length: 4000\r\nConnection: close", "Connection: close"])
async def test_a_registry_that_drips_bytes_outlasts_neither_this_deadline_nor_the_next(head: str) -> None:
    asked = 0

    def behave(peer: socket.socket, body: bytes) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            peer.sendall(clean(body))
            return
        peer.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for _ in range(400):
            peer.sendall(b" ")
            time.sleep(0.02)

    with raw_server(behave) as port:
        async with client(f"http://127.0.0.1:{port}", deadline_s=0.3) as asking:
            assert (await asking.ask(QUESTION)).why == "timeout"
            asking._deadline_s = 4.0  # the dripping would last twice as long
            assert isinstance(await asking.ask(QUESTION), Found)


async def test_a_question_that_waited_for_its_turn_keeps_the_thread_no_longer_than_its_own_deadline() -> None:
    given: list[float] = []

    def post(_body: bytes, give_up: float) -> bytes:
        given.append(give_up)
        return b""

    async with client("http://127.0.0.1:1", deadline_s=60.0) as asking:
        asking._exchange = SimpleNamespace(post=post, close=lambda: None, hang_up=lambda: None)
        async with asking._turn:
            asked = asyncio.create_task(asking.ask(QUESTION))
            await asyncio.sleep(0)
            its_turn = time.monotonic()
        assert (await asked).why == "malformed"
    assert given[0] <= its_turn + 60.0


async def test_a_connection_closed_between_questions_is_opened_again() -> None:
    def behave(peer: socket.socket, body: bytes) -> None:
        peer.sendall(clean(body))
        raise StopIteration

    with raw_server(behave) as port:
        async with client(f"http://127.0.0.1:{port}") as asking:
            for _ in range(3):
                assert isinstance(await asking.ask(QUESTION), Found)


async def test_the_answer_to_the_question_before_is_replayed() -> None:
    kept: list[bytes] = []

    def behave(peer: socket.socket, body: bytes) -> None:
        kept.append(clean(body))
        peer.sendall(kept[0])

    with raw_server(behave) as port:
        async with client(f"http://127.0.0.1:{port}") as asking:
            assert isinstance(await asking.ask(QUESTION), Found)
            assert (await asking.ask(QUESTION)).why == "replayed"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"]))
def test_any_bytes_are_unavailable(raw: bytes, head: bytes) -> None:
    def behave(peer: socket.socket, _body: bytes) -> None:
        peer.sendall(head + raw)
        raise StopIteration

    assert isinstance(asyncio.run(judged(behave)), Unavailable)


async def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with client(f"http://127.0.0.1:{port}") as asking:
        assert (await asking.ask(QUESTION)).why == "unreachable"


# --- strangers -----------------------------------------------------------------------------------------------------------------


def stranger(folder: Path, hosts: tuple[str, ...]) -> Path:
    """A folder with an authority of its own, and a server's and a gate's certificate by it."""
    authority = Authority.create("Somebody else")
    authority.write(folder)
    authority.issue(folder, "server", "registry", hosts)
    authority.issue(folder, "gate", GATE)
    return folder


def server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


async def asked(registries: Any, port: int, tls: Any) -> Any:
    async with client(f"https://127.0.0.1:{port}", tls=tls) as asking:
        return await asking.ask(QUESTION)


async def test_a_server_of_another_authority_is_told_nothing(registries: Any, tmp_path: Path) -> None:
    heard: list[bytes] = []
    with raw_server(lambda _peer, body: heard.append(body), server_context(stranger(tmp_path, ("127.0.0.1",)))) as port:
        assert (await asked(registries, port, registries.tls())).why == "unreachable"
    assert heard == []


async def test_a_server_with_a_certificate_of_another_host_is_told_nothing(registries: Any, tmp_path: Path) -> None:
    heard: list[bytes] = []
    folder = stranger(tmp_path, ("registry.example",))
    with raw_server(lambda _peer, body: heard.append(body), server_context(folder)) as port:
        assert (await asked(registries, port, registries.tls(ca=folder / "ca.pem"))).why == "unreachable"
    assert heard == []


async def test_a_server_that_speaks_an_older_tls_is_told_nothing(registries: Any, tmp_path: Path) -> None:
    folder = stranger(tmp_path, ("127.0.0.1",))
    context = server_context(folder)
    for version, why in ((ssl.TLSVersion.TLSv1_2, "unreachable"), (ssl.TLSVersion.TLSv1_3, "found")):
        context.minimum_version = context.maximum_version = version
        with raw_server(lambda peer, body: peer.sendall(clean(body)), context) as port:
            answer = await asked(registries, port, registries.tls(ca=folder / "ca.pem"))
            assert getattr(answer, "why", "found") == why


async def test_the_registry_answers_nobody_without_a_certificate_of_its_authority(registries: Any, tmp_path: Path) -> None:
    folder = stranger(tmp_path, ("127.0.0.1",))
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(registries.folder / "tls" / "ca.pem")
    other = registries.tls(certificate=folder / "gate.pem", key=folder / "gate.key")
    for tls in (nobody, other):
        assert (await registries.ask("issuance", QUESTION, tls=tls)).why == "unreachable"
    assert isinstance(await registries.ask("issuance", QUESTION), Found)


async def test_the_registry_answers_no_gate_in_another_gates_name(registries: Any) -> None:
    assert (await registries.ask("issuance", QUESTION, gate="dps-d01")).why == "refused"


async def test_plain_http_is_no_way_to_a_registry_behind_tls(registries: Any) -> None:
    answer = await registries.ask("issuance", QUESTION, url=f"http://127.0.0.1:{registries.port}", tls=None)
    assert isinstance(answer, Unavailable)
    async with registries.client("issuance", tls=None) as asking:
        assert isinstance(await asking.ask(QUESTION), Unavailable), "https without certificates is never tried in the clear"


# --- a registry that misbehaves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ({"forge": True}, "forged"),
        ({"misaddress": True}, "misaddressed"),
        ({"mix": True}, "misaddressed"),
        ({"expire": True}, "expired"),
        ({"clock_s": 3600}, "clock"),
        ({"clock_s": -3600}, "clock"),
        ({"half": True}, "malformed"),
        ({"status": 503}, "error"),
        ({"status": 429}, "error"),
        ({"status": 403}, "refused"),
        ({"as_of": "2020-01-01T00:00:00Z"}, "stale"),
        ({"as_of": "2099-01-01T00:00:00Z"}, "clock"),
    ],
)
async def test_each_attack_has_a_name(registries: Any, behaviour: dict[str, object], why: str) -> None:
    registries.tell(issuance=behaviour)
    answer = await registries.ask("issuance", QUESTION)
    assert (type(answer), answer.why) == (Unavailable, why)


async def test_a_replayed_and_a_rolled_back_answer(registries: Any) -> None:
    async with registries.client("issuance") as asking:
        assert isinstance(await asking.ask(QUESTION), Found)
        registries.tell(issuance={"replay": True})
        assert (await asking.ask(QUESTION)).why == "replayed"
        registries.tell(issuance={"as_of": datetime.fromtimestamp(time.time() - 7200, UTC).isoformat()})
        assert (await asking.ask(QUESTION)).why == "rolled_back"


async def test_an_answer_signed_by_another_registry_is_forged(registries: Any) -> None:
    assert (await registries.ask("issuance", QUESTION, key=registries.key("connected_one"))).why == "forged"


@pytest.mark.parametrize("behaviour", [{"delay_s": 2.0}, {"drip": True}])
async def test_a_slow_registry_is_a_timeout_and_its_late_answer_reaches_nobody(registries: Any, behaviour: Any) -> None:
    async with registries.client("issuance", deadline_s=0.4) as asking:
        registries.tell(issuance=behaviour)
        answer = await asking.ask(IssuanceQuestion(issuing_state="IDN", document_number="L1"))
        assert (answer.why, answer.source) == ("timeout", "issuance")
        registries.tell()
        asking._deadline_s = 5.0
        late = await asking.ask(QUESTION)
        assert issuance.issuance_fact(late, "ordinary").value == "active", late


async def test_a_question_that_is_none_is_rejected_for_good(registries: Any) -> None:
    assert (await registries.ask("issuance", IssuanceQuestion(issuing_state="idn", document_number="X1"))).why == "rejected"


async def test_one_connection_serves_many_questions(registries: Any) -> None:
    async with registries.client("issuance") as asking:
        ports = set()
        for _ in range(3):
            assert isinstance(await asking.ask(QUESTION), Found)
            ports.add(asking._exchange._connection.sock.getsockname()[1])
    assert len(ports) == 1


async def test_questions_asked_at_once_each_get_their_own_answer(registries: Any) -> None:
    async with registries.client("issuance") as asking:
        questions = [IssuanceQuestion(issuing_state="IDN", document_number=number) for number in ("X1", "X2", "L1", "S1")]
        answers = await asyncio.gather(*(asking.ask(question) for question in questions))
    words = [issuance.issuance_fact(answer, "ordinary").value for answer in answers]
    assert words == ["active", "not_found", "lost", "class_mismatch"]


async def test_the_circuit_opens_on_silence_and_never_on_a_lie(registries: Any, virtual_clock: Any) -> None:
    clock = virtual_clock()
    async with registries.client("issuance", breaker=CircuitBreaker(now=clock)) as asking:
        registries.tell(issuance={"forge": True})
        assert [(await asking.ask(QUESTION)).why for _ in range(FAILURES + 1)] == ["forged"] * (FAILURES + 1)
        registries.tell(issuance={"status": 503})
        assert [(await asking.ask(QUESTION)).why for _ in range(FAILURES + 1)] == ["error"] * FAILURES + ["circuit_open"]
        registries.tell()
        assert (await asking.ask(QUESTION)).why == "circuit_open"
        clock.now += OPEN_S
        assert isinstance(await asking.ask(QUESTION), Found)
        assert isinstance(await asking.ask(IssuanceQuestion(issuing_state="IDN", document_number="X2")), NotListed)


async def test_who_waits_behind_the_probe_is_asked_once_it_came_back_well(registries: Any, virtual_clock: Any) -> None:
    clock = virtual_clock()
    async with registries.client("issuance", breaker=CircuitBreaker(now=clock)) as asking:
        registries.tell(issuance={"status": 503})
        for _ in range(FAILURES):
            await asking.ask(QUESTION)
        clock.now += OPEN_S
        failed = await asyncio.gather(*(asking.ask(QUESTION) for _ in range(3)))
        assert [answer.why for answer in failed] == ["error", "circuit_open", "circuit_open"]
        registries.tell()
        clock.now += OPEN_S
        answers = await asyncio.gather(*(asking.ask(QUESTION) for _ in range(3)))
        assert [type(answer) for answer in answers] == [Found] * 3
