"""The HTTP side of the reference server: one route for each contract, one for snapshots. Every refusal says in JSON what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec
from joserfc.jwk import OKPKey
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gate.registries import crossing_record
from gate.registries.base import Contract
from gate.registries.contracts import CONTRACTS
from gate.registries.envelope import Asked
from gate.registries.envelope import Gate as GateName
from gate.registries.reference.crossings import Crossings
from gate.registries.reference.data import Behaviour, DataFile
from gate.registries.reference.replies import Answerer, reply_to, snapshot_of

MAX_QUESTION = 16_384
"""Bytes."""
DRIP_S = 0.05
JOSE, LINES = "application/jose", "application/jsonl"
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(data: DataFile, keys: Mapping[str, OKPKey], crossings: Crossings) -> Starlette:
    """The routes of every contract. ``keys``: each registry's private key. Behind TLS the scope holds ``gate``, the name in the
    certificate of who asks, and then nobody asks in another gate's name.
    """
    routes = [Route(each.path, _asked(each, data, keys[each.name], crossings), methods=["POST"]) for each in CONTRACTS.values()]
    routes.append(Route("/snapshots/{registry}", _snapshots(data, keys), methods=["GET"]))
    return Starlette(routes=routes, exception_handlers={HTTPException: _refused})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = msgspec.json.encode({"error": error.detail})
    return Response(body, error.status_code, media_type="application/json", headers=error.headers)


def _asked(contract: Contract[Any], data_file: DataFile, key: OKPKey, crossings: Crossings) -> Endpoint:
    answerer = Answerer(contract, key)
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Asked[contract.question])  # type: ignore[name-defined] # a type at run time

    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        try:
            asked = decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(400, f"not a question of this registry: {error}") from None
        _own_name(request, asked.gate)
        data = data_file.read()
        behaviour = data.behaviour.get(contract.name, Behaviour())
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.status is not None:
            raise HTTPException(behaviour.status, "told to say so")
        if contract.name == crossing_record.CONTRACT.name:
            reply: Any = _recorded(crossings, asked.question, asked.gate)
        else:
            reply = reply_to(contract, asked.question, data, data.clock())
        token = answerer.token(asked, body, reply, data)
        if behaviour.drip:
            return StreamingResponse(_drops(token.encode()), media_type=JOSE, headers={"Content-Length": str(len(token))})
        return Response(token, media_type=JOSE)

    return endpoint


def _recorded(crossings: Crossings, crossing: crossing_record.Crossing, gate: str) -> crossing_record.CrossingReply:
    if crossing.gate != gate:
        raise HTTPException(403, "a gate tells of its own crossings")
    if not crossings.record(crossing):
        raise HTTPException(409, "another crossing stands under this id")
    return crossing_record.CrossingReply(answer="recorded")


def _snapshots(data_file: DataFile, keys: Mapping[str, OKPKey]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        name, gate = request.path_params["registry"], request.query_params.get("gate", "")
        if name not in CONTRACTS or name == crossing_record.CONTRACT.name:
            raise HTTPException(404, "no registry of this name gives snapshots")
        try:
            msgspec.convert(gate, GateName)
        except msgspec.ValidationError:
            raise HTTPException(400, "say which gate it is for, as ?gate=NAME") from None
        _own_name(request, gate)
        data = data_file.read()
        behaviour = data.behaviour.get(name, Behaviour())
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.status is not None:
            raise HTTPException(behaviour.status, "told to say so")
        return Response(b"".join(snapshot_of(name, gate, data, keys)), media_type=LINES)

    return endpoint


async def _body(request: Request) -> bytes:
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_QUESTION:
            raise HTTPException(413, f"longer than {MAX_QUESTION} bytes")
    return raw


def _own_name(request: Request, gate: str) -> None:
    if request.scope.get("gate", gate) != gate:
        raise HTTPException(403, "this certificate is another gate's")


async def _drops(content: bytes) -> AsyncIterator[bytes]:
    for position in range(len(content)):
        yield content[position : position + 1]
        await asyncio.sleep(DRIP_S)
