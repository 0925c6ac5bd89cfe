"""The reference server, behind TLS, as the gate meets it: one process for all tests here, told anew before each."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate.config import RegistryTls
from gate.demo.registries import DemoRegistries
from gate.registries.client import RegistryClient
from gate.registries.contracts import CONTRACTS
from gate.registries.envelope import AnswerReader, public_key
from gate.registries.transport import tls_context

GATE = "cgk-d07"
ACTIVE = {"status": "active", "document_class": "ordinary", "office": "Kanim Contoh", "chip": True}
DATA: dict[str, Any] = {
    "books": {
        "issuance": [
            {"issuing_state": "IDN", "document_number": "X1", "records": [ACTIVE]},
            {"issuing_state": "IDN", "document_number": "L1", "records": [ACTIVE | {"status": "lost"}]},
            {"issuing_state": "IDN", "document_number": "R1", "records": [ACTIVE | {"replaced": True}]},
            {"issuing_state": "IDN", "document_number": "C1", "records": [ACTIVE | {"chip": False}]},
            {"issuing_state": "IDN", "document_number": "S1", "records": [ACTIVE | {"document_class": "service"}]},
        ],
        "connected_one": [
            {
                "issuing_state": "IDN",
                "document_number": "S1",
                "records": [
                    {
                        "status": "active",
                        "document_class": "service",
                        "biometric_recorded": True,
                        "dg2_sha256": "ab" * 32,
                        "capturing_office": "Kanim Contoh",
                    }
                ],
            },
        ],
        "exit_permit": [
            {
                "issuing_state": "IDN",
                "document_number": "S1",
                "records": [{"document_class": "service", "valid_to": "2026-03-02", "checkpoints": ["CGK"]}],
            },
            {
                "issuing_state": "IDN",
                "document_number": "S2",
                "records": [{"document_class": "service", "valid_to": "2026-03-01"}],
            },
            {
                "issuing_state": "IDN",
                "document_number": "S3",
                "records": [{"document_class": "service", "valid_to": "2026-12-31", "used": True}],
            },
            {
                "issuing_state": "IDN",
                "document_number": "S4",
                "records": [{"kind": "multiple", "document_class": "service", "valid_to": "2026-12-31", "used": True}],
            },
            {
                "issuing_state": "IDN",
                "document_number": "S5",
                "records": [{"document_class": "service", "valid_from": "2026-03-03", "valid_to": "2026-12-31"}],
            },
        ],
        "lost_and_stolen": [{"issuing_state": "UTO", "document_number": "U1", "records": [{}]}],
        "stay_permit": [
            {"issuing_state": "UTO", "document_number": "V1", "records": [{"kind": "e_voa", "valid_to": "2026-03-02"}]},
            {"issuing_state": "UTO", "document_number": "V2", "records": [{"kind": "e_visa", "valid_to": "2026-03-01"}]},
            {"issuing_state": "UTO", "document_number": "V3", "records": [{"kind": "itas", "valid_to": "2027-01-01"}]},
            {
                "issuing_state": "UTO",
                "document_number": "V4",
                "records": [{"kind": "itap", "valid_to": "2027-01-01", "re_entry_to": "2026-06-01"}],
            },
            {"issuing_state": "UTO", "document_number": "V5", "records": [{"kind": "abtc", "valid_to": "2027-01-01"}]},
        ],
        "arrival_declaration": [{"issuing_state": "UTO", "document_number": "V1", "records": [{"arrival": "2026-03-01"}]}],
    },
    "watchlist": [
        {
            "list": "pencegahan",
            "primary_identifier": "SIMANJUNTAK HUTAPEA",
            "secondary_identifier": "TIURMAIDA",
            "birth": "800101",
            "sex": "F",
            "valid_from": "2026-01-01T00:00:00+07:00",
            "valid_to": "2099-01-01T00:00:00+07:00",
        },
    ],
}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRegistries]:
    folder = tmp_path_factory.mktemp("registries")
    server = DemoRegistries(folder / "run", folder / "log", GATE)
    server.start(DATA)
    try:
        assert server.port
        yield server
    finally:
        server.stop()


class Registries:
    """How a test speaks of the server."""

    gate, data = GATE, DATA

    def __init__(self, running: DemoRegistries) -> None:
        self.running, self.folder, self.port = running, running.folder, running.port

    def tell(self, *, books: dict[str, Any] | None = None, **behaviour: dict[str, object]) -> None:
        """The same data (or other books), another behaviour."""
        self.running.tell(DATA | ({"books": DATA["books"] | books} if books else {}) | {"behaviour": behaviour})

    def tls(self, **files: Path) -> Any:
        """The gate's TLS context, with other files than its own where named."""
        folder = self.folder / "tls"
        own = {"ca": folder / "ca.pem", "certificate": folder / "gate.pem", "key": folder / "gate.key"}
        return tls_context(RegistryTls(**(own | files)))

    def key(self, name: str) -> Any:
        return public_key(self.folder / "public" / f"{name}.pem")

    @contextlib.asynccontextmanager
    async def client(self, name: str, **options: Any) -> AsyncIterator[RegistryClient[Any]]:
        """A client of the registry ``name``; ``gate``, ``key``, ``wall``, ``url``, ``tls`` may be another's."""
        gate = options.pop("gate", GATE)
        wall = options.pop("wall", lambda: datetime.now(UTC))
        reader = AnswerReader(CONTRACTS[name], gate, options.pop("key", None) or self.key(name), wall=wall)
        options = {"tls": self.tls(), "deadline_s": 5.0, **options}
        asking: RegistryClient[Any] = RegistryClient(
            CONTRACTS[name], options.pop("url", f"https://127.0.0.1:{self.port}"), reader, gate=gate, **options
        )
        try:
            yield asking
        finally:
            await asking.close()

    async def ask(self, name: str, question: Any, **options: Any) -> Any:
        async with self.client(name, **options) as asking:
            return await asking.ask(question)


@pytest.fixture
def registries(running: DemoRegistries) -> Iterator[Registries]:
    told = Registries(running)
    told.tell()
    yield told
    told.tell()


@pytest.fixture
def virtual_clock() -> Callable[[], Any]:
    """A clock to set, in seconds."""

    class Clock:
        now = 1000.0

        def __call__(self) -> float:
            return self.now

    return Clock
