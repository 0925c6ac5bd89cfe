"""Documents of signers that were never met, judged beside the bare signature checks, pymrtd and the openssl command in one run.

Each document has a signer certificate and a key of its own, so no cache of keys helps; the trust store holds a CRL and, where
``../shared`` is, the anchors of the published lists. What comes before and after the signatures is everything of
:func:`pki.passive_authentication.authenticate_sod`. In turn, in blocks: the machine's moods fall on all alike.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from benchmarks import pki_store
from benchmarks.machine import REPOSITORY, spread
from benchmarks.progress import bar
from pki import der, sim
from pki.passive_authentication import authenticate_sod
from pki.results import SignedHashes
from pki.signatures import load_public_key
from pki.sod import parse_sod
from pki.trust import Csca, TrustStore

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
DATA_GROUPS = {1: b"a" * 93, 2: b"b" * 15_000}
KINDS = {  # of the document signer, of the CSCA
    "RSA-PSS-2048 under RSA-4096": ("rsa:2048", "rsa:4096"),
    "brainpoolP512r1": ("ec:brainpoolP512r1", "ec:brainpoolP512r1"),
    "P-256": ("ec:P-256", "ec:P-256"),
    "brainpoolP256r1": ("ec:brainpoolP256r1", "ec:brainpoolP256r1"),
}
LIMIT_MS = {"RSA-PSS-2048 under RSA-4096": 0.3, "brainpoolP512r1": 2.2}
"""The goals for the median; p99 may be three times the median, for each kind."""
TAIL = 3.0
FULL, WARM_UP, BLOCK = 1000, 5, 50
OURS_ON, PEERS_ON = max(os.sched_getaffinity(0)), min(os.sched_getaffinity(0))
"""Processors: on ours alone, a peer would leave its own data in the caches."""
OURS, FLOOR, PYMRTD, OPENSSL = "authenticate_sod", "two bare signature checks", "pymrtd", "openssl cms -verify"

PEER = REPOSITORY / ".venv" / "peer-pymrtd"


@dataclass(slots=True)
class Timings:
    """Milliseconds of each call: by the clock, and of the processor, which does not count others' turns."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def take(self, call: Callable[..., object], *arguments: object) -> object:
        begun, worked = time.perf_counter(), time.thread_time()
        result = call(*arguments)
        worked, ended = time.thread_time() - worked, time.perf_counter()
        self.clock.append((ended - begun) * 1000)
        self.processor.append(worked * 1000)
        return result

    def told(self) -> dict[str, float]:
        clock, processor = spread(self.clock, 3), spread(self.processor, 3) if self.processor else {}
        return clock | {f"processor {name}": processor[name] for name in ("p50", "p99") if processor}


# --- what is judged


def anchors() -> tuple[Csca, ...]:
    """The certificates of the published lists as they stand in them; none where ``../shared`` is absent."""
    return () if pki_store.absent() else tuple(Csca.of(each, "published list") for each in pki_store.certificates_in_the_lists())


def keys(kind: str, count: int) -> Iterator[sim.PrivateKey]:
    """``count`` different keys. RSA moduli are the pairs of a few dozen primes: weak as secrets, ordinary to whoever verifies."""
    if not kind.startswith("rsa:"):
        yield from (sim.new_key(kind) for _ in range(count))
        return
    primes: list[int] = []
    while len(primes) * (len(primes) - 1) // 2 < count:
        numbers = rsa.generate_private_key(65537, int(kind[4:])).private_numbers()
        primes += (numbers.p, numbers.q)
    for _, (p, q) in zip(range(count), combinations(primes, 2), strict=False):
        d = rsa.rsa_recover_private_exponent(65537, p, q)
        crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
        public = rsa.RSAPublicNumbers(65537, p * q)
        yield rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key(unsafe_skip_rsa_key_validation=True)


def documents(state: sim.PretendState, kind: str, count: int) -> list[bytes]:
    """EF.SODs, each by a signer of its own."""
    with mock.patch.object(sim, "new_key", side_effect=list(keys(kind, count))):
        return [state.document_signer(key=kind).sign(DATA_GROUPS) for _ in range(count)]


def bare_checks(state: sim.PretendState, sod: bytes) -> Callable[[], None]:
    """Both signatures of a SOD by ``cryptography`` alone, everything parsed and each key loaded beforehand."""
    content = parse_sod(sod)
    signer, certificate = content.signers[0], x509.load_der_x509_certificate(content.certificates[0])
    key, csca_key = certificate.public_key(), state.private_key.public_key()
    sha256 = hashes.SHA256()

    def how(one: object) -> tuple[Any, ...]:
        return (ec.ECDSA(sha256),) if isinstance(one, ec.EllipticCurvePublicKey) else (padding.PKCS1v15(), sha256)

    document = (padding.PSS(padding.MGF1(sha256), 32), sha256) if isinstance(key, rsa.RSAPublicKey) else how(key)
    issued = how(csca_key)

    def check() -> None:
        key.verify(signer.signature, signer.signed_attributes, *document)
        csca_key.verify(certificate.signature, certificate.tbs_certificate_bytes, *issued)

    return check


# --- the peers


class Pymrtd:
    """pymrtd in its own interpreter, loaded once; it is handed the CSCA that we have to search for."""

    def __init__(self, csca: bytes) -> None:
        program = str(Path(__file__).with_name("pki_pymrtd.py"))
        self._process = subprocess.Popen(
            [str(PEER / "bin" / "python"), program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(PEER / "src")},
        )
        os.sched_setaffinity(self._process.pid, {PEERS_ON})
        self._csca = csca.hex()
        self.refused: list[str] = []
        """What it said against genuine documents: it cuts an ECDSA signature in two halves where r is two octets shorter than s."""

    @staticmethod
    def absent() -> str:
        """Why it cannot be asked; empty where it can."""
        return "" if (PEER / "src" / "pymrtd").is_dir() else "absent (make setup-peers)"

    def authenticate(self, sod: bytes, into: Timings | None = None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"sod": sod.hex(), "csca": self._csca}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            self.refused.append(answer["refused"])
        elif into is not None:
            into.clock.append(answer["clock"] / 1e6)
            into.processor.append(answer["processor"] / 1e6)

    def close(self) -> None:
        self._process.communicate(timeout=10)


def openssl(sod: bytes) -> None:
    """The document's own signature, by a process; a chain is not asked for, which openssl refuses for real States' keys."""
    command = ["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", "-", "-out", os.devnull]
    subprocess.run(command, input=der.read(sod).content, check=True, capture_output=True, timeout=20)


# --- the run


@contextmanager
def quiet() -> Iterator[None]:
    """A processor without the peers, and nothing of the preparation for the garbage collector to walk through."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {OURS_ON})
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        os.sched_setaffinity(0, before)


def interleaved(kind: str, count: int = FULL) -> dict[str, Any]:
    """``count`` documents of ``kind`` once each: by us, by bare checks, by pymrtd, and one in a block by openssl; in milliseconds."""
    signer_kind, csca_kind = KINDS[kind]
    state = sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=csca_kind)
    trust = TrustStore(anchors=anchors() + state.trust_store().anchors, crls=(state.crl(),), demo=True)
    sods = documents(state, signer_kind, count + WARM_UP)
    floors = [bare_checks(state, sod) for sod in sods]
    peer = None if Pymrtd.absent() else Pymrtd(state.csca)
    for sod in sods[:WARM_UP] if peer else ():
        peer.authenticate(sod)

    def warm_up() -> None:
        for sod, floor in zip(sods[:WARM_UP], floors, strict=False):
            _judge(sod, trust)
            floor()

    warm_up()
    known, switched = load_public_key.cache_info().misses, _pushed_aside()
    with quiet():
        timings = _in_blocks(trust, sods[WARM_UP:], floors[WARM_UP:], peer, warm_up)
    assert load_public_key.cache_info().misses - known >= count  # nobody's key was known
    told: dict[str, Any] = {name: each.told() for name, each in timings.items() if each.clock}
    told["× floor"] = round(told[OURS]["processor p50"] / told[FLOOR]["processor p50"], 2)
    if peer:
        peer.close()
        told["genuine, refused by pymrtd"] = len(peer.refused)
    else:
        told[PYMRTD] = Pymrtd.absent()
    return told | {"pushed aside": _pushed_aside() - switched, "different keys": count, "anchors": len(trust.anchors)}


def _in_blocks(
    trust: TrustStore,
    sods: Sequence[bytes],
    floors: Sequence[Callable[[], None]],
    peer: Pymrtd | None,
    warm_up: Callable[[], None],
) -> dict[str, Timings]:
    timings = {name: Timings() for name in (OURS, FLOOR, PYMRTD, OPENSSL)}
    for start in bar(range(0, len(sods), BLOCK), "blocks of documents"):
        block = sods[start : start + BLOCK]
        warm_up()
        for sod in block:
            assert isinstance(timings[OURS].take(authenticate_sod, sod, trust, NOW), SignedHashes)
        for floor in floors[start : start + BLOCK]:
            timings[FLOOR].take(floor)
        for sod in block if peer else ():
            assert peer is not None
            peer.authenticate(sod, timings[PYMRTD])
        timings[OPENSSL].take(openssl, block[0])
    timings[OPENSSL].processor.clear()  # another process's
    return timings


def _judge(sod: bytes, trust: TrustStore) -> None:
    assert isinstance(authenticate_sod(sod, trust, NOW), SignedHashes)


def _pushed_aside() -> int:
    """How often others took the processor from us."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def goals(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """Which goal is met, of what :func:`interleaved` found for each kind."""
    met = {}
    for kind, told in figures.items():
        ours = told[OURS]
        if kind in LIMIT_MS:
            met[f"{kind}: median ≤ {LIMIT_MS[kind]} ms: {ours['p50']}"] = ours["p50"] <= LIMIT_MS[kind]
        own = f"of processor time {ours['processor p99']} beside {ours['processor p50']}"
        met[f"{kind}: p99 ≤ {TAIL:.0f} × median: {ours['p99']}; {own}"] = ours["p99"] <= TAIL * ours["p50"]
    return met


def show(figures: Mapping[str, Mapping[str, Any]]) -> None:
    for kind, told in figures.items():
        print(f"{kind}: " + ", ".join(f"{name} {what}" for name, what in told.items()), flush=True)


def main() -> int:
    """``python -m benchmarks.pki_fresh``: all kinds at full count; exit status 1 where a goal is missed."""
    figures = {}
    for kind in KINDS:
        print("load", os.getloadavg()[0])
        figures[kind] = interleaved(kind)
        show({kind: figures[kind]})
    met = goals(figures)
    print("\n".join(f"{'met   ' if good else 'MISSED'} {name}" for name, good in met.items()))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
