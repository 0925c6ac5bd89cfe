"""Registries: what believing an answer costs (floor: Ed25519 alone), and a question over mutual TLS on loopback, connection kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey

from gate.config import RegistryTls
from gate.demo.registries import DemoRegistries
from gate.registries import issuance
from gate.registries.base import Found
from gate.registries.client import RegistryClient
from gate.registries.envelope import AnswerReader, public_key, signed
from gate.registries.transport import tls_context

GATE, NONCE, BODY = "bench-1", "0f" * 16, b'{"question": 1}'
SECRET = Ed25519PrivateKey.generate()
KEY = OKPKey.import_key(SECRET.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
STAGES = [{"name": f"stage-{number}", "at": NOW.isoformat(), "office": "Kanim Contoh"} for number in range(12)]
RECORD = {"status": "active", "document_class": "ordinary", "chip": True, "sop_version": "SPPT-2014", "stages": STAGES}


def token() -> bytes:
    claims = {"registry": "issuance", "gate": GATE, "nonce": NONCE, "question": hashlib.sha256(BODY).hexdigest()}
    claims |= {"signed_at": NOW.isoformat(), "expires": (NOW + timedelta(minutes=1)).isoformat(), "as_of": NOW.isoformat()}
    return signed(json.dumps(claims | {"reply": {"answer": "found", "record": RECORD}}).encode(), KEY, "answer").encode()


@pytest.mark.benchmark(group="registries: an answer")
def test_floor_ed25519(benchmark):
    raw = token()
    public, signature = SECRET.public_key(), SECRET.sign(raw)
    benchmark(public.verify, signature, raw)


@pytest.mark.benchmark(group="registries: an answer")
def test_believe(benchmark):
    reader = AnswerReader(issuance.CONTRACT, GATE, KEY, wall=lambda: NOW)
    assert isinstance(benchmark(reader.read, token(), BODY, NONCE, 0.0), Found)


@pytest.mark.benchmark(group="registries: a question")
def test_ask_over_mutual_tls(benchmark, tmp_path):
    server = DemoRegistries(tmp_path / "run", tmp_path / "log", GATE)
    server.start({"books": {"issuance": [{"issuing_state": "IDN", "document_number": "X1", "records": [RECORD]}]}})
    folder, loop = tmp_path / "run", asyncio.new_event_loop()
    tls = RegistryTls(ca=folder / "tls/ca.pem", certificate=folder / "tls/gate.pem", key=folder / "tls/gate.key")
    reader = AnswerReader(issuance.CONTRACT, GATE, public_key(folder / "public/issuance.pem"), wall=lambda: datetime.now(UTC))
    question = issuance.IssuanceQuestion(issuing_state="IDN", document_number="X1")

    async def client() -> RegistryClient[issuance.IssuanceReply]:
        return RegistryClient(issuance.CONTRACT, f"https://127.0.0.1:{server.port}", reader, gate=GATE, tls=tls_context(tls))

    asking = loop.run_until_complete(client())
    try:
        assert isinstance(benchmark(lambda: loop.run_until_complete(asking.ask(question))), Found)
    finally:
        loop.run_until_complete(asking.close())
        loop.close()
        server.stop()
