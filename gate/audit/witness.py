"""The way to a witness over HTTP, and a small reference witness (C2SP tlog-witness, ``add-checkpoint``).

Both ends are proven by signatures: the checkpoint bears the gate's, the answer the witness's. TLS keeps others from seeing how busy a gate is;
the reference witness leaves it to the server in front of it.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gate.audit.ledger import Witness, WitnessAway, WitnessConflict, WitnessRefused
from gate.audit.note import MOST_BYTES
from gate.audit.tree import HASH_BYTES

PATH = "/add-checkpoint"
ANSWER_S = 3.0
"""A witness that takes longer is away; the next round asks again."""
MOST_PROOF = 63
"""Lines of a proof, as the protocol has it."""
MOST_REQUEST = MOST_BYTES + 64 * 64
TEXT, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


class HttpWitness:
    """The witness at ``url``, its submission prefix. ``ca``: whose certificates it shows (PEM), where not those the system believes."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        """Raises OSError, ssl.SSLError where ``ca`` cannot be used."""
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path.rstrip("/") + PATH
        self._tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None

    def add(self, old: int, path: Sequence[bytes], note: str) -> str:
        """:meth:`gate.audit.ledger.Witness.add`."""
        status, body = self._ask(request(old, path, note))
        match status:
            case 200:
                return body
            case 409 if body.strip().isascii() and body.strip().isdigit() and len(body) < 20:
                raise WitnessConflict(int(body))
            case 400 | 403 | 404 | 422:
                raise WitnessRefused(status, " ".join(body.split())[:120] or str(status))
            case _:
                raise WitnessAway(f"the witness answered {status}")

    def _ask(self, body: bytes) -> tuple[int, str]:
        line = (
            http.client.HTTPSConnection(self._host, self._port, timeout=ANSWER_S, context=self._tls)
            if self._tls
            else http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        )
        try:
            line.request("POST", self._path, body, {"Content-Type": TEXT})
            answer = line.getresponse()
            return answer.status, answer.read(MOST_BYTES).decode()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise WitnessAway(f"the witness does not answer ({type(error).__name__})") from error
        finally:
            line.close()


def request(old: int, path: Sequence[bytes], note: str) -> bytes:
    """The body of a question."""
    return "".join((f"old {old}\n", *(base64.b64encode(each).decode() + "\n" for each in path), "\n", note)).encode()


def parse_request(body: bytes) -> tuple[int, list[bytes], str]:
    """What :func:`request` wrote. Raises WitnessRefused(400)."""
    try:
        head, gap, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        number = first.removeprefix("old ")
        path = [base64.b64decode(line, validate=True) for line in lines]
    except ValueError:
        raise WitnessRefused(400, "not a question") from None
    right = first.startswith("old ") and number.isascii() and number.isdigit() and len(number) < 20 and gap
    if not right or len(path) > MOST_PROOF or any(len(each) != HASH_BYTES for each in path):
        raise WitnessRefused(400, "not a question")
    return int(number), path, note


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    timeout = 5.0

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != self.server.prefix + PATH:
            self._answer(404, "POST add-checkpoint alone\n")
        elif not (length.isascii() and length.isdigit() and int(length[:9]) <= MOST_REQUEST):
            self._answer(413, "too long\n")
        else:
            self._answer(*self._judged(self.rfile.read(int(length))))

    def _judged(self, body: bytes) -> tuple[int, str, str]:
        try:
            return 200, self.server.ledger.add(*parse_request(body)), TEXT
        except WitnessConflict as error:
            return 409, f"{error.size}\n", SIZE
        except WitnessRefused as error:
            return error.status, f"{error}\n", TEXT
        except WitnessAway as error:
            return 503, f"{error}\n", TEXT

    def _answer(self, status: int, body: str, kind: str = TEXT) -> None:
        raw = body.encode()
        self.send_response_only(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(raw))), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """What it takes stands in its file."""


class WitnessServer(ThreadingHTTPServer):
    """Serves ``ledger`` below ``prefix``. Raises OSError where the address is taken."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], ledger: Witness, prefix: str = "") -> None:
        self.ledger, self.prefix = ledger, prefix
        super().__init__(address, _Handler)
