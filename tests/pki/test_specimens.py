"""The two published specimen documents: what they prove and what they must not prove."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from pki.active_authentication import ActiveAuthenticationEvidence, answers
from pki.errors import ReasonCode
from pki.passive_authentication import authenticate_sod, bind_data_groups
from pki.results import Authentic, Rejected, SignedHashes, Undetermined
from pki.security_infos import parse_data_group_14, parse_data_group_15
from pki.signatures import load_public_key
from pki.sod import parse_security_object, parse_sod
from pki.trust import Csca, TrustStore

pytestmark = pytest.mark.shared

NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bsi(shared_dir):
    return shared_dir / "data/pki/bsi_dataset"


@pytest.fixture(scope="module")
def second(shared_dir):
    return shared_dir / "data/pki/tsemrtd_specimen"


def steps(result) -> dict[str, str]:
    return {step.name: step.result for step in result.steps}


def test_bsi_specimen_has_a_good_signature_and_no_anchor(bsi, workshop):
    result = authenticate_sod((bsi / "EF_SOD.bin").read_bytes(), workshop.state.trust_store(), NOW)
    assert isinstance(result, Undetermined)
    assert result.code is ReasonCode.NO_TRUST_ANCHOR
    assert steps(result) == dict.fromkeys(("decode", "signer", "attributes", "signature"), "successful") | dict.fromkeys(
        ("chain", "validity", "revocation"), "undetermined"
    )


def test_bsi_specimen_with_one_octet_changed_has_no_good_signature(bsi, workshop):
    sod = bytearray((bsi / "EF_SOD.bin").read_bytes())
    sod[-1] ^= 1
    result = authenticate_sod(bytes(sod), workshop.state.trust_store(), NOW)
    assert isinstance(result, Rejected)
    assert result.code is ReasonCode.SIGNATURE_INVALID


def test_bsi_specimen_does_not_sign_its_data_group_15(bsi, signed_by_bsi):
    groups = {number: (bsi / f"Datagroup{number}.bin").read_bytes() for number in (1, 2, 3, 4, 14)}
    result = bind_data_groups(signed_by_bsi, groups)
    assert isinstance(result, Authentic)
    assert (result.lists_dg14, result.lists_dg15) == (True, False)
    stray = bind_data_groups(signed_by_bsi, groups | {15: (bsi / "Datagroup15.bin").read_bytes()})
    assert isinstance(stray, Rejected)
    assert stray.code is ReasonCode.DATA_GROUP_NOT_SIGNED


@pytest.fixture
def signed_by_bsi(bsi, workshop, now) -> SignedHashes:
    """The specimen's hashes as if Germany's CSCA were known: it is not published, so this alone is pretended."""
    listed = parse_security_object(parse_sod((bsi / "EF_SOD.bin").read_bytes()).content)
    signed = authenticate_sod(workshop.sod(), workshop.state.trust_store(), now)
    fields = {name: getattr(signed, name) for name in SignedHashes.__slots__}
    return SignedHashes(**fields | {"hashes": listed.hashes, "hash_algorithm": listed.hash.name, "issuing_country": "DE"})


def test_second_specimen_has_a_good_signature_on_brainpool_p224_and_no_anchor(second, workshop):
    """ECDSA with SHA-1 on a curve that ``cryptography`` does not have, its parameters spelt out."""
    sod = (second / "EF_SOD.bin").read_bytes()
    result = authenticate_sod(sod, workshop.state.trust_store(), NOW)
    assert isinstance(result, Undetermined)
    assert (result.code, result.step) == (ReasonCode.NO_TRUST_ANCHOR, "chain")
    spoilt = authenticate_sod(sod[:-1] + bytes((sod[-1] ^ 1,)), workshop.state.trust_store(), NOW)
    assert isinstance(spoilt, Rejected)
    assert spoilt.code is ReasonCode.SIGNATURE_INVALID


def test_specimen_data_group_14_offers_chip_authentication(bsi):
    infos = parse_data_group_14((bsi / "Datagroup14.bin").read_bytes())
    assert [offer.oid for offer in infos.chip_authentication] == ["0.4.0.127.0.7.2.2.3.2.1"]
    assert [(key.public_key, key.family, key.key_id) for key in infos.public_keys] == [
        ((bsi / "DG14_pk.bin").read_bytes(), "2", None)
    ]
    assert infos.active_authentication is None


def test_specimen_active_authentication_key_answers_its_challenge(bsi, sign_9796_2):
    """RSA-1024 and SHA-1, the figures of old books; the private key is published with the specimen."""
    private_key = load_der_private_key((bsi / "DG15_sk.pkcs8").read_bytes(), None)
    public_key = parse_data_group_15((bsi / "Datagroup15.bin").read_bytes())
    response = sign_9796_2(private_key, b"12345678", "sha1")
    assert answers(ActiveAuthenticationEvidence(challenge=b"12345678", response=response), public_key, None)
    assert not answers(ActiveAuthenticationEvidence(challenge=b"12345679", response=response), public_key, None)


def test_modulus_without_its_leading_zero_is_read_as_positive(second):
    key = load_public_key(parse_data_group_15((second / "EF_DG15.bin").read_bytes()))
    assert key.key_size == 1024


def test_indonesian_and_german_anchors_do_not_vouch_for_a_foreign_specimen(bsi, shared_dir):
    folder = shared_dir / "data/pki"
    files = [*sorted((folder / "csca_id").glob("*.cer")), *sorted((folder / "masterlists").glob("*.cer"))]
    trust = TrustStore(anchors=tuple(Csca.of(path.read_bytes(), provenance=path.name) for path in files))
    result = authenticate_sod((bsi / "EF_SOD.bin").read_bytes(), trust, NOW)
    assert isinstance(result, Undetermined)
    assert result.code is ReasonCode.NO_TRUST_ANCHOR
