"""Loading the union of the published lists: from a gate's folder of versions, from the lists themselves, and by others from the same lists.

Each load is in a process of its own, in turn. ``python -m benchmarks.pki_store [ROUNDS]`` shows them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import REPOSITORY, spread

LISTS = REPOSITORY.parent / "shared" / "data" / "pki"
LIMIT_MS, LIMIT_MIB = 30.0, 60.0
ROUNDS = 15
AT = datetime(2026, 9, 1, tzinfo=UTC)
SIGNED, PARSED, ASN1CRYPTO, PYCA = (
    "version in force, proven",
    "lists, verified",
    "asn1crypto, used fields",
    "cryptography, with keys",
)


def absent() -> str:
    """Why nothing can be loaded; empty where it can."""
    return "" if LISTS.is_dir() else "the folder ../shared is absent"


# --- what a process of its own does: make everything ready, hand back the load, which returns how many certificates it holds


def _from_versions(folder: str, *signers: str) -> Callable[[], int]:
    """All that a gate does at its start: whose signatures count, who signed, the digest of every octet, the store."""
    from pki.trust_statement import parse_signers
    from pki.trust_versions import open_active

    return lambda: len(open_active(Path(folder), parse_signers(signers), demo=False).store.anchors)


def _from_lists() -> Callable[[], int]:
    return lambda: len(published().anchors)


def published() -> Any:
    """The union of both lists, each verified to its anchor, and the files of Indonesia, as a trust store."""
    from pki.sources import read_sources
    from pki.trust import TrustStore, read_anchors
    from pki.union import union

    folder = LISTS / "masterlists"
    trusted = TrustStore(anchors=tuple(each for file in sorted(folder.glob("*.cer")) for each in read_anchors(file)))
    found = read_sources([*sorted(folder.glob("*.ml")), LISTS / "csca_id"], trusted, AT)
    return TrustStore(anchors=union(found.anchors).anchors)


def certificates_in_the_lists() -> list[bytes]:
    """The certificates in DER, each once: handed to the others, who need not look for them."""
    from pki import der
    from pki.cms import parse_signed_data

    found: dict[bytes, None] = {}
    for file in sorted((LISTS / "masterlists").glob("*.ml")):
        content = der.read(parse_signed_data(der.read(file.read_bytes())).content)
        found |= dict.fromkeys(each.encoded for each in content.children()[1].children(2000))
    return [*(found | dict.fromkeys(file.read_bytes() for file in (LISTS / "csca_id").iterdir()))]


def _by_asn1crypto() -> Callable[[], int]:
    from asn1crypto import x509

    values = certificates_in_the_lists()

    def used(certificate: Any) -> tuple[object, ...]:
        signed = certificate["tbs_certificate"]
        times = signed["validity"]
        return (
            certificate.serial_number,
            signed["subject"].native,
            signed["issuer"].native,
            (times["not_before"].native, times["not_after"].native),
            signed["subject_public_key_info"].dump(),
            (certificate.key_identifier, certificate.authority_key_identifier, certificate.key_usage_value),
        )

    def load() -> int:
        kept = [(certificate, used(certificate)) for certificate in map(x509.Certificate.load, values)]
        return len(kept)

    return load


def _by_cryptography() -> Callable[[], int]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    values = certificates_in_the_lists()
    warnings.simplefilter("ignore")  # of serial numbers below one

    def load() -> int:
        kept = []
        for value in values:
            try:
                certificate = x509.load_der_x509_certificate(value)
                kept.append((certificate, certificate.subject, certificate.public_key()))
            except (ValueError, UnsupportedAlgorithm):
                continue
        return len(kept)

    return load


READY: Mapping[str, Callable[..., Callable[[], int]]] = {
    SIGNED: _from_versions,
    PARSED: _from_lists,
    ASN1CRYPTO: _by_asn1crypto,
    PYCA: _by_cryptography,
}


def measure(way: str, *arguments: str) -> dict[str, float]:
    """In this process: milliseconds, MiB that the process grew by at its highest, MiB of all of it, certificates held."""
    load = READY[way](*arguments)
    before, begun, worked = _highest_mib(), time.perf_counter(), time.process_time()
    count = load()
    worked, ended = time.process_time() - worked, time.perf_counter()
    highest = _highest_mib()
    return {"ms": (ended - begun) * 1000, "processor": worked * 1000, "grown": highest - before, "all": highest, "held": count}


def _highest_mib() -> float:
    """Not ``ru_maxrss``, which remembers the process that this one was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


# --- the run


def interleaved(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Each way ``rounds`` times, in turn."""
    with tempfile.TemporaryDirectory(prefix="autogate-store-") as folder:
        arguments = {SIGNED: (folder, *_signed(Path(folder)))}
        taken: dict[str, list[dict[str, float]]] = {way: [] for way in READY}
        for _ in range(rounds):
            for way, figures in taken.items():
                figures.append(_in_a_process(way, *arguments.get(way, ())))
    return {way: _told(figures) for way, figures in taken.items()}


def _in_a_process(way: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.pki_store", "--measure", way, *arguments]
    told = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60).stdout
    return dict(json.loads(told))


def _signed(folder: Path) -> list[str]:
    """Bring the published lists into force in ``folder``; the two signers, as a gate's configuration names them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pki.trust_statement import parse_signers
    from pki.trust_versions import TrustVersions

    versions = TrustVersions(folder)
    version = versions.add(published())
    keys = {name: Ed25519PrivateKey.generate() for name in ("first", "second")}
    for key in keys.values():
        versions.sign(version, key, now=AT)
    signers = [f"{name}:{key.public_key().public_bytes_raw().hex()}" for name, key in keys.items()]
    versions.activate(version, "activate", parse_signers(signers), now=AT)
    return signers


def _told(figures: list[dict[str, float]]) -> dict[str, float]:
    clock = spread([each["ms"] for each in figures], 1)
    processor = spread([each["processor"] for each in figures], 1)
    memory = {name: round(max(each[name] for each in figures), 1) for name in ("grown", "all")}
    return {
        **clock,
        "processor p50": processor["p50"],
        "grown MiB": memory["grown"],
        "whole process MiB": memory["all"],
        "certificates": figures[0]["held"],
    }


def goals(figures: Mapping[str, Mapping[str, float]]) -> dict[str, bool]:
    """Which goal is met, of what :func:`interleaved` found."""
    gate = figures[SIGNED]
    return {
        f"trust store of {gate['certificates']}, signatures and all, median ≤ {LIMIT_MS:.0f} ms: {gate['p50']}": gate["p50"]
        <= LIMIT_MS,
        f"and ≤ {LIMIT_MIB:.0f} MiB, interpreter and all: {gate['whole process MiB']}": gate["whole process MiB"] <= LIMIT_MIB,
    }


def main() -> int:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*sys.argv[2:])))
        return 0
    figures = interleaved(*map(int, sys.argv[1:]))
    for way, told in figures.items():
        print(f"{way}: " + ", ".join(f"{name} {what}" for name, what in told.items()))
    met = goals(figures)
    print("\n".join(f"{'met   ' if good else 'MISSED'} {name}" for name, good in met.items()))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
