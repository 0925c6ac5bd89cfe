"""Passive authentication by algorithm; floor: the two bare signature checks behind it (document signer's and CSCA's)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from pki import sim
from pki.chip_authenticity import chip_authenticity
from pki.passive_authentication import authenticate_sod, bind_data_groups
from pki.results import Authentic, SignedHashes
from pki.sod import parse_sod

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
DATA_GROUPS = {1: b"a" * 93, 2: b"b" * 15_000}
KINDS = ("ec:P-256", "ec:P-384", "ec:P-521", "ec:brainpoolP256r1", "ec:brainpoolP384r1", "rsa:2048", "rsa:4096")


@pytest.fixture(scope="module", params=KINDS)
def state(request):
    return sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=request.param)


def bare_checks(state: sim.PretendState, sod: bytes) -> Callable[[], None]:
    """Both signatures of a SOD by ``cryptography`` alone, everything parsed beforehand."""
    signer = parse_sod(sod).signers[0]
    certificate = x509.load_der_x509_certificate(state.signer.certificate)
    key, csca_key = certificate.public_key(), state.private_key.public_key()
    signed = (signer.signature, signer.signed_attributes), (certificate.signature, certificate.tbs_certificate_bytes)
    if isinstance(key, ec.EllipticCurvePublicKey):
        ecdsa = ec.ECDSA(hashes.SHA256())
        return lambda: (key.verify(*signed[0], ecdsa), csca_key.verify(*signed[1], ecdsa))
    pss, pkcs1 = padding.PSS(padding.MGF1(hashes.SHA256()), 32), padding.PKCS1v15()
    return lambda: (key.verify(*signed[0], pss, hashes.SHA256()), csca_key.verify(*signed[1], pkcs1, hashes.SHA256()))


@pytest.mark.benchmark(group="pki: authenticate_sod")
def test_authenticate_sod(benchmark, state):
    sod, trust = state.sign_sod(DATA_GROUPS), state.trust_store(crls=[state.crl()])
    assert isinstance(benchmark(authenticate_sod, sod, trust, NOW), SignedHashes)


@pytest.mark.benchmark(group="pki: authenticate_sod")
def test_floor_two_bare_signature_checks(benchmark, state):
    benchmark(bare_checks(state, state.sign_sod(DATA_GROUPS)))


@pytest.mark.benchmark(group="pki: after the last byte")
def test_bind_data_groups(benchmark, book):
    signed = authenticate_sod(book.passport.files["EF.SOD"], book.trust, book.now)
    assert isinstance(benchmark(bind_data_groups, signed, book.data_groups), Authentic)


@pytest.mark.benchmark(group="pki: after the last byte")
def test_floor_hash_the_data_groups(benchmark, book):
    def digest() -> None:
        for content in book.data_groups.values():
            state = hashes.Hash(hashes.SHA256())
            state.update(content)
            state.finalize()

    benchmark(digest)


@pytest.mark.benchmark(group="pki: after the last byte")
def test_chip_authenticity(benchmark, book):
    from pki.active_authentication import ActiveAuthenticationEvidence
    from pki.chip_authenticity import ChipAuthenticationEvidence

    read = book.read(book.chip())
    verdict = bind_data_groups(authenticate_sod(bytes(read.files["EF.SOD"]), book.trust, book.now), book.data_groups)
    active = ActiveAuthenticationEvidence(
        challenge=read.active_authentication.challenge, response=read.active_authentication.response
    )
    keyed = read.chip_authentication
    chip = ChipAuthenticationEvidence(public_key=keyed.public_key, oid=keyed.oid, key_id=keyed.key_id, succeeded=keyed.succeeded)
    assert benchmark(chip_authenticity, verdict, active=active, chip=chip).verdict == "genuine"
