"""A reference server of the three registries, on loopback, over synthetic data. A process of its own; nothing of the gate imports it.

``python -m gate.registries.reference_server --port 0 --data FILE.json --secret-file F --ready-file F2``. The ready file gets
``{"port": n}`` once the port is bound. The data file is read again for every question, so replacing it changes the answers::

    {"issuance": [{"issuing_state", "document_number", "status", "document_class", "office", "biometric_recorded"}],
     "exit_permits": [{"issuing_state", "document_number", "document_class", "valid_to", "checkpoints": ["CGK"]}],
     "watchlist": [{"list", "primary_identifier", "secondary_identifier", "birth", "sex"}],
     "behaviour": {"issuance" | "exit_permit" | "watchlist": {"delay_s": 0.0, "down": false}}}

Exit codes: 0 ended by signal, 2 with one line where data, secret or port cannot be had.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gate.processes.hardening import harden
from gate.registries import exit_permit, issuance, watchlist
from gate.registries.exit_permit import ExitPermitReply
from gate.registries.issuance import IssuanceReply
from gate.registries.watchlist import ListName, WatchlistReply

MAX_QUESTION = 16_384
"""Bytes."""


class IssuedBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    issuing_state: str
    document_number: str
    status: Literal["active", "revoked", "lost"] = "active"
    document_class: Literal["ordinary", "service", "diplomatic"]
    office: str = ""
    biometric_recorded: bool = True


class ExitPermit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``checkpoints`` empty = any."""

    issuing_state: str
    document_number: str
    document_class: str
    valid_to: date
    checkpoints: tuple[str, ...] = ()


class ListedPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``birth`` YYMMDD, unknown parts ``<``; ``sex`` ``<`` = unknown."""

    list: ListName
    primary_identifier: str
    secondary_identifier: str = ""
    birth: str = "<<<<<<"
    sex: str = "<"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    delay_s: float = 0.0
    down: bool = False


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the data file holds."""

    issuance: tuple[IssuedBook, ...] = ()
    exit_permits: tuple[ExitPermit, ...] = ()
    watchlist: tuple[ListedPerson, ...] = ()
    behaviour: dict[Literal["issuance", "exit_permit", "watchlist"], Behaviour] = {}


class IssuanceQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    request: str
    issuing_state: str
    document_number: str


class ExitPermitQuestion(IssuanceQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document_class: str
    date: date
    direction: Literal["arrival", "departure"]
    checkpoint: str


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    primary_identifier: str
    secondary_identifier: str


class WatchlistQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    request: str
    list: ListName
    names: Names
    birth: str
    sex: str


def answer_issuance(data: Data, question: IssuanceQuestion, now: datetime) -> IssuanceReply:
    """The record of the book, or ``not_listed``."""
    for book in data.issuance:
        if (book.issuing_state, book.document_number) == (question.issuing_state, question.document_number):
            return IssuanceReply(
                registry=issuance.CONTRACT.name,
                request=question.request,
                as_of=now,
                answer="found",
                status=book.status,
                document_class=book.document_class,
                office=book.office,
                biometric_recorded=book.biometric_recorded,
            )
    return IssuanceReply(registry=issuance.CONTRACT.name, request=question.request, as_of=now, answer="not_listed")


def answer_exit_permit(data: Data, question: ExitPermitQuestion, now: datetime) -> ExitPermitReply:
    """The best word that any permit of the book earns."""
    words = {_permit_word(permit, question) for permit in data.exit_permits}
    best: Literal["valid", "none", "expired", "mismatch"] = "none"
    if "valid" in words:
        best = "valid"
    elif "expired" in words:
        best = "expired"
    elif "mismatch" in words:
        best = "mismatch"
    return ExitPermitReply(registry=exit_permit.CONTRACT.name, request=question.request, as_of=now, answer=best)


def _permit_word(permit: ExitPermit, question: ExitPermitQuestion) -> str:
    if (permit.issuing_state, permit.document_number) != (question.issuing_state, question.document_number):
        return "none"
    elsewhere = permit.checkpoints and question.checkpoint not in permit.checkpoints
    if permit.document_class != question.document_class or elsewhere or question.direction != "departure":
        return "mismatch"
    return "expired" if permit.valid_to < question.date else "valid"


def answer_watchlist(data: Data, question: WatchlistQuestion, now: datetime) -> WatchlistReply:
    """``hit``: all names, birth and sex equal; ``possible``: they agree as far as they are known; else ``clear``."""
    words = {_person_word(person, question) for person in data.watchlist if person.list == question.list}
    word: Literal["clear", "possible", "hit"] = "hit" if "hit" in words else "possible" if "possible" in words else "clear"
    return WatchlistReply(registry=watchlist.CONTRACT.name, request=question.request, as_of=now, answer=word, list=question.list)


def _person_word(person: ListedPerson, question: WatchlistQuestion) -> str:
    asked = question.names
    if (person.primary_identifier, person.secondary_identifier) != (asked.primary_identifier, asked.secondary_identifier):
        return "clear"
    known, met = person.birth + person.sex, question.birth + question.sex
    if len(known) != len(met) or any(a != b and "<" not in (a, b) for a, b in zip(known, met, strict=True)):
        return "clear"
    return "possible" if "<" in known + met else "hit"


Answer = Callable[[Data, bytes, datetime], msgspec.Struct]
_QUESTIONS: dict[str, Answer] = {
    issuance.CONTRACT.name: lambda data, raw, now: answer_issuance(data, msgspec.json.decode(raw, type=IssuanceQuestion), now),
    exit_permit.CONTRACT.name: lambda data, raw, now: answer_exit_permit(
        data, msgspec.json.decode(raw, type=ExitPermitQuestion), now
    ),
    watchlist.CONTRACT.name: lambda data, raw, now: answer_watchlist(data, msgspec.json.decode(raw, type=WatchlistQuestion), now),
}


def create_app(data_file: Path, secret: str) -> Starlette:
    """The three routes. A question without the secret gets 401, a malformed one 400, a route that is told to be down 503."""
    contracts = (issuance.CONTRACT, exit_permit.CONTRACT, watchlist.CONTRACT)
    routes = [Route(contract.path, _endpoint(contract.name, data_file, secret), methods=["POST"]) for contract in contracts]
    return Starlette(routes=routes)


def _endpoint(name: str, data_file: Path, secret: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        bearer = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(bearer, f"Bearer {secret}".encode()):
            return Response(status_code=401)
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_QUESTION:
                return Response(status_code=413)
        data = load_data(data_file)
        behaviour = data.behaviour.get(name, Behaviour())  # type: ignore[call-overload] # name is one of the literal keys
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.down:
            return Response(status_code=503)
        try:
            reply = _QUESTIONS[name](data, raw, datetime.now(UTC))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Response(status_code=400)
        return Response(msgspec.json.encode(reply), media_type="application/json")

    return endpoint


def load_data(path: Path) -> Data:
    """Raises OSError, or msgspec.MsgspecError with the place in the file."""
    return msgspec.json.decode(path.read_bytes(), type=Data)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m gate.registries.reference_server", description="Registries with synthetic data"
    )
    parser.add_argument("--port", type=int, default=0)
    for name in ("data", "secret-file", "ready-file"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args(arguments)
    harden()
    try:
        load_data(options.data)
        secret = options.secret_file.read_text(encoding="ascii").strip()
        listener = _listen(options.port)
    except (OSError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        print(f"reference server: {error}; give readable files and a free port (--port 0 picks one)", file=sys.stderr)
        return 2
    with listener:
        _announce(options.ready_file, listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(options.data, secret), log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(port: int) -> socket.socket:
    """Bound to loopback. asyncio turns Nagle's algorithm off only where the protocol is named, or an answer takes 40 ms more."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _announce(ready_file: Path, port: int) -> None:
    """Whole or not at all: somebody is waiting for the file."""
    part = ready_file.with_name(ready_file.name + ".part")
    part.write_text(f'{{"port": {port}}}\n', encoding="ascii")
    part.replace(ready_file)


if __name__ == "__main__":
    sys.exit(main())
