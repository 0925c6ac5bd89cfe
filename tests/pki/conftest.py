"""A pretend State for the room's tests, and a workshop for SODs that no honest State would sign."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pki import der, sim
from pki.certificates import parse_certificate
from pki.passive_authentication import passive_authentication
from pki.results import PassiveAuthResult

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
MRZ = "P<IDNSPECIMEN<<BUDI<<<<<<<<<<<<<<<<<<<<<<<<<X0000000<0IDN9001011M3001010<<<<<<<<<<<<<<00"
DATA_GROUPS = {
    1: der.encode(0x61, der.encode(0x5F1F, MRZ.encode())),
    2: der.encode(0x75, b"a portrait"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Builds EF.SODs part by part; each method's defaults are honest."""

    state: sim.PretendState
    foreign: sim.PretendState
    now: datetime = NOW

    @property
    def parsed_csca(self):
        return parse_certificate(self.state.csca)

    def content(self, data_groups=DATA_GROUPS, algorithm: str = "sha256") -> bytes:
        return sim.security_object(data_groups, algorithm)

    def attributes(self, content: bytes, **changes) -> list[bytes]:
        return sim.signed_attributes(content, changes.pop("algorithm", "sha256"), changes.pop("now", NOW), **changes)

    def signer_info(self, content: bytes, *, signer=None, attributes=None) -> bytes:
        return (signer or self.state.signer).signer_info(attributes or self.attributes(content), "sha256")

    def sod(self, content=None, *, certificates=None, signer_infos=None, signer=None, **changes) -> bytes:
        content = content or self.content()
        signer = signer or self.state.signer
        infos = [self.signer_info(content, signer=signer)] if signer_infos is None else signer_infos
        return sim.wrap_sod(content, [signer.certificate] if certificates is None else certificates, infos, **changes)

    def judge(self, sod: bytes, data_groups=DATA_GROUPS, *, now=NOW, trust=None, **more) -> PassiveAuthResult:
        return passive_authentication(sod, data_groups, trust or self.state.trust_store(), now, **more)

    def reissued(self, edit: Callable[[list[bytes]], None], *, issuer=None, signer=None) -> sim.DocumentSigner:
        """A signer whose certificate ``edit`` changed (the list of TBSCertificate's fields), signed again by ``issuer``'s CSCA."""
        issuer, signer = issuer or self.state, signer or self.state.signer
        outer = der.read(signer.certificate).children()
        fields = [field.encoded for field in outer[0].children()]
        edit(fields)
        signed = der.encode(der.SEQUENCE, *fields)
        signature = issuer.private_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        certificate = der.encode(der.SEQUENCE, signed, outer[1].encoded, der.encode(der.BIT_STRING, b"\0", signature))
        return sim.DocumentSigner(private_key=signer.private_key, certificate=certificate, now=signer.now)


def edited(element: bytes, edit: Callable[[list[bytes]], None]) -> bytes:
    """The constructed ``element`` with its children changed by ``edit``."""
    parsed = der.read(element)
    children = [child.encoded for child in parsed.children()]
    edit(children)
    return der.encode(parsed.tag, *children)


@pytest.fixture(scope="session")
def edit_element():
    return edited


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    state = sim.PretendState.create(country="ID", name="Pretendia", now=NOW)
    return Workshop(state=state, foreign=sim.PretendState.create(country="XX", name="Elsewhere", now=NOW))


@pytest.fixture(scope="session")
def rsa_state() -> sim.PretendState:
    return sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key="rsa:2048")


@pytest.fixture(scope="session")
def data_groups() -> dict[int, bytes]:
    return dict(DATA_GROUPS)


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def day() -> timedelta:
    return timedelta(days=1)


@pytest.fixture
def dice() -> random.Random:
    return random.Random(20260901)


TRAILERS = {"sha1": b"\xbc", "sha224": b"\x38\xcc", "sha256": b"\x34\xcc", "sha384": b"\x36\xcc", "sha512": b"\x35\xcc"}


def signed_9796_2(
    private_key, challenge: bytes, algorithm: str, *, trailer: bytes | None = None, header: bytes = b"\x6a"
) -> bytes:
    """What a chip answers (ISO/IEC 9796-2 scheme 1, partial recovery): header ‖ M1 ‖ H(M1 ‖ challenge) ‖ trailer, to the power d."""
    trailer = TRAILERS[algorithm] if trailer is None else trailer
    numbers, size = private_key.private_numbers(), private_key.key_size // 8
    recovered = b"\x5a" * (size - len(header) - hashlib.new(algorithm).digest_size - len(trailer))
    block = header + recovered + hashlib.new(algorithm, recovered + challenge).digest() + trailer
    opened = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    return opened.to_bytes(size, "big")


@pytest.fixture(scope="session")
def sign_9796_2():
    return signed_9796_2


@pytest.fixture(scope="session")
def openssl():
    """Runs the openssl command, an oracle: arguments in, standard output back, CalledProcessError on a refusal."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)("the openssl command is absent")

    def run(*arguments: str, **options) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=20, **options).stdout

    return run
