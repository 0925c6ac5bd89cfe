"""The reference server as an integrator meets it: its contract, its crossings, its snapshots, and what it says of a broken start."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import OKPKey
from starlette.applications import Starlette

from gate.demo.registries import DemoRegistries
from gate.evidence import Direction
from gate.registries import openapi
from gate.registries.base import Found, Unavailable
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.crossing_record import Crossing
from gate.registries.envelope import Asked, private_key, verified
from gate.registries.issuance import IssuanceQuestion
from gate.registries.reference.app import create_app
from gate.registries.reference.certificates import write_identities
from gate.registries.reference.crossings import Crossings
from gate.registries.reference.data import DataFile
from gate.registries.reference_server import main
from gate.registries.snapshot import Entry, Head

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "registries" / "openapi.json"
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
GATE = "cgk-d07"
KEYS = {name: OKPKey.generate_key("Ed25519") for name in CONTRACTS}


def crossing(transaction: str = "t-1", **changed: Any) -> Crossing:
    how: dict[str, Any] = {
        "gate": GATE,
        "checkpoint": "CGK",
        "direction": Direction.DEPARTURE,
        "issuing_state": "IDN",
        "document_number": "X1",
        "document_class": "ordinary",
        "permitted_at": NOW,
        "rules_version": "r-1",
        "ended": "passed",
        "ended_at": NOW,
    }
    return Crossing(transaction=transaction, **(how | changed))


# --- the contract --------------------------------------------------------------------------------------------------------------


def test_the_committed_contract_is_what_the_types_say():
    assert COMMITTED.read_text(encoding="utf-8") == openapi.text()


def test_every_contract_is_in_it_and_every_reference_leads_somewhere():
    whole = openapi.document()
    assert {contract.path for contract in CONTRACTS.values()} | {"/snapshots/{registry}"} == whole["paths"].keys()
    schemas = whole["components"]["schemas"]
    references = set(json.dumps(whole).split('"$ref": "#/components/schemas/')[1:])
    assert {reference.partition('"')[0] for reference in references} == schemas.keys()
    assert openapi.SUMMARIES.keys() == CONTRACTS.keys()


def test_no_reply_has_room_for_a_person():
    fields = {field for contract in CONTRACTS.values() for field in contract.reply.__struct_fields__}
    assert fields == {"answer", "record", "list"}
    held = {field for name in ("issuance", "connected_one") for field in CONTRACTS[name].record.__struct_fields__}
    assert not [field for field in held if any(word in field for word in ("name", "birth", "portrait", "number", "sex"))]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRegistries]:
    folder = tmp_path_factory.mktemp("plain")
    server = DemoRegistries(folder / "run", folder / "log", GATE, tls=False)
    server.start({})
    yield server
    server.stop()


@pytest.mark.processes
def test_a_stranger_who_only_has_the_contract_finds_it_kept(plain: DemoRegistries, tmp_path: Path):
    """schemathesis: what the contract allows is answered as it says, what it forbids is refused as it says."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(COMMITTED), "--url", f"http://127.0.0.1:{plain.port}"]
    command += ["--phases", "fuzzing", "--max-examples", "3", "--seed", "8", "--generation-database", "none", "--no-color"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=50)
    assert run.returncode == 0, run.stdout[-4000:]
    assert "9 selected" in run.stdout


# --- crossings -------------------------------------------------------------------------------------------------------------------


async def test_a_crossing_is_taken_once_and_another_one_under_its_id_never(registries: Any):
    async with registries.client(CROSSING) as telling:
        for _ in range(2):
            assert isinstance(await telling.ask(crossing("t-once")), Found)
        other = await telling.ask(crossing("t-once", document_number="X2"))
        assert (type(other), other.why) == (Unavailable, "rejected")
        assert (await telling.ask(crossing("t-foreign", gate="dps-d01"))).why == "refused"
    lines = (registries.folder / "crossings.jsonl").read_bytes().splitlines()
    told = [msgspec.json.decode(line, type=Crossing) for line in lines]
    assert [each.document_number for each in told if each.transaction == "t-once"] == ["X1"]
    assert "t-foreign" not in {each.transaction for each in told}


def test_what_was_recorded_outlives_the_server(tmp_path: Path):
    path = tmp_path / "crossings"
    assert Crossings(path).record(crossing())
    again = Crossings(path)
    assert again.record(crossing())
    assert not again.record(crossing(checkpoint="DPS"))
    assert len(path.read_bytes().splitlines()) == 1


# --- snapshots and questions, without a process ------------------------------------------------------------------------------------


async def call(app: Any, path: str, query: str = "", body: bytes | None = None) -> tuple[int, bytes]:
    """One request, GET without a ``body``, POST with one."""
    sent: list[Any] = []
    scope = {"type": "http", "method": "GET" if body is None else "POST", "path": path, "raw_path": path.encode(), "headers": []}

    async def receive() -> Any:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**scope, "query_string": query.encode(), "root_path": ""}, receive, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent)


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    entry = {"issuing_state": "IDN", "document_number": "X1", "records": [{"status": "active", "document_class": "ordinary"}]}
    data = {"now": NOW.isoformat(), "books": {"issuance": [entry]}, "snapshots": {"version": 7, "lasts_s": 3600}}
    (tmp_path / "data.json").write_text(json.dumps(data))
    return create_app(DataFile(tmp_path / "data.json"), KEYS, Crossings())


async def test_a_snapshot_is_signed_for_one_gate_and_whole(app: Starlette):
    lines = (await call(app, "/snapshots/issuance", f"gate={GATE}"))[1].splitlines()
    head = msgspec.json.decode(verified(lines[0], KEYS["issuance"], "snapshot"), type=Head)
    assert (head.registry, head.gate, head.version, head.entries) == ("issuance", GATE, 7, 1)
    assert (head.expires - head.as_of).total_seconds() == 3600
    assert msgspec.json.decode(lines[1], type=Entry).document_number == "X1"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/snapshots/crossing", f"gate={GATE}", 404),
        ("/snapshots/nobody", f"gate={GATE}", 404),
        ("/snapshots/issuance", "", 400),
        ("/snapshots/issuance", "gate=../etc", 400),
        ("/issuance/status", "", 405),
        ("/nowhere", "", 404),
    ],
)
async def test_what_cannot_be_had_is_refused_with_a_reason(app: Starlette, path: str, query: str, status: int):
    answered, body = await call(app, path, query)
    assert (answered, list(json.loads(body))) == (status, ["error"])


async def test_a_question_that_is_too_long_or_none_is_refused(app: Starlette):
    assert (await call(app, "/issuance/status", body=b"x" * 20_000))[0] == 413
    for body in (b"", b"{}", b"[" * 9000, b"\xff", b'{"gate": "g"}'):
        assert (await call(app, "/issuance/status", body=body))[0] == 400


async def test_the_certificate_says_which_gate_asks_whatever_the_question_says(app: Starlette):
    async def named(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "gate": "dps-d01"}, receive, send)

    question = IssuanceQuestion(issuing_state="IDN", document_number="X1")
    body = msgspec.json.encode(Asked(gate=GATE, nonce="00" * 16, question=question))
    assert (await call(app, "/issuance/status", body=body))[0] == 200
    assert (await call(named, "/issuance/status", body=body))[0] == 403
    assert (await call(named, "/snapshots/issuance", f"gate={GATE}"))[0] == 403


# --- starting ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["data", "keys", "tls", "port", "crossings", "book", "registry"])
def test_the_server_says_in_one_line_what_it_cannot_have(tmp_path: Path, capsys: Any, damage: str):
    contents = {
        "data": '{"books": 5}',
        "book": '{"books": {"issuance": [{"issuing_state": "IDN", "document_number": "X1", "records": [{}]}]}}',
        "registry": '{"books": {"issuances": []}}',
    }
    write_identities(tmp_path, GATE)
    (tmp_path / "data").write_text(contents.get(damage, "{}"), encoding="utf-8")
    (tmp_path / "crossings").write_text("no crossing\n" if damage == "crossings" else "")
    if damage == "keys":
        (tmp_path / "keys" / "issuance.pem").write_bytes((tmp_path / "public" / "issuance.pem").read_bytes())
    if damage == "tls":
        (tmp_path / "tls" / "server.key").unlink()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if damage == "port" else 0
        files = [f"--{name}={tmp_path / name}" for name in ("data", "keys", "tls", "crossings", "ready-file")]
        assert main([f"--port={port}", *files]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "ready-file").exists()


def test_the_keys_of_a_run_are_for_the_gates_user_alone(tmp_path: Path):
    write_identities(tmp_path, GATE)
    secret = [*(tmp_path / "keys").iterdir(), tmp_path / "tls" / "gate.key", tmp_path / "tls" / "server.key"]
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert private_key(tmp_path / "keys" / "issuance.pem").is_private


def test_a_server_that_is_told_to_go_goes(tmp_path: Path):
    server = DemoRegistries(tmp_path / "run", tmp_path / "log", GATE, tls=False)
    server.start({})
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    line.request("GET", "/nowhere")
    assert line.getresponse().status == 404
    line.close()
    server.stop()
    assert server._process is not None
    assert server._process.returncode is not None
