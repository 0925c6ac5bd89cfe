"""A reference server of all registries, on loopback, over synthetic data. A process of its own; nothing of the gate imports it.

``python -m gate.registries.reference_server --data FILE.json --keys FOLDER --ready-file F [--tls FOLDER] [--port 0] [--crossings FILE]``

``--keys`` holds each registry's private key as ``NAME.pem`` (Ed25519). ``--tls`` holds ``ca.pem``, ``server.pem`` and ``server.key``: then
whoever asks shows a certificate of that authority, too, and speaks for the gate that stands in it as common name; without it the server
speaks plain HTTP. The ready file gets ``{"port": n}`` once the port is bound.

Exit codes: 0 ended by signal, 2 with one line where a file or the port cannot be had.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gate.processes.hardening import harden
from gate.registries.contracts import CONTRACTS
from gate.registries.envelope import private_key
from gate.registries.reference.app import create_app
from gate.registries.reference.crossings import Crossings
from gate.registries.reference.data import DataFile
from gate.registries.transport import TLS

KEEP_ALIVE_S = 75
"""Longer than a gate stays without a traveller on a busy day: a handshake less for each."""


class NamedProtocol(H11Protocol):
    """Tells the application the common name in the certificate of who asks, as ``scope["gate"]``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert")
        if certificate:
            name, app = _common_name(certificate), self.app

            async def named(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "gate": name}, receive, send)

            self.app = named


def _common_name(certificate: dict[str, Any]) -> str:
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m gate.registries.reference_server", description="Registries with synthetic data"
    )
    parser.add_argument("--port", type=int, default=0)
    for name in ("data", "keys", "ready-file"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("tls", "crossings"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args(arguments)
    harden()
    try:
        keys = {name: private_key(options.keys / f"{name}.pem") for name in CONTRACTS}
        app = create_app(DataFile(options.data), keys, Crossings(options.crossings))
        config = _config(app, options.tls)
        listener = _listen(options.port)
    except (OSError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        print(f"reference server: {error}; give readable files and a free port (--port 0 picks one)", file=sys.stderr)
        return 2
    with listener:
        _announce(options.ready_file, listener.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _config(app: Any, tls: Path | None) -> uvicorn.Config:
    """Raises OSError (ssl.SSLError is one) where a certificate cannot be used."""
    files: dict[str, Any] = {}
    if tls is not None:
        files = {
            "ssl_ca_certs": str(tls / "ca.pem"),
            "ssl_certfile": str(tls / "server.pem"),
            "ssl_keyfile": str(tls / "server.key"),
        }
        files["ssl_cert_reqs"] = ssl.CERT_REQUIRED
    config = uvicorn.Config(
        app,
        http=NamedProtocol,
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        **files,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = TLS
    return config


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
