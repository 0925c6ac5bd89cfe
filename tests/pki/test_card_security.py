"""EF.CardSecurity: signed as EF.SOD is, and believed on no less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki import der, sim
from pki.card_security import SECURITY_OBJECT, CardSecurity, authenticate_card_security
from pki.errors import ReasonCode
from pki.results import Rejected, Undetermined
from pki.sod import LDS_SECURITY_OBJECT

KEY = sim.new_key("ec:brainpoolP256r1")
INFOS = [sim.pace_info(), sim.pace_info(sim.PACE_ECDH_CAM_AES_128), sim.chip_key_info(KEY, 13)]


@pytest.fixture(scope="module")
def file(workshop) -> bytes:
    return workshop.state.signer.sign_card_security(INFOS)


@pytest.fixture(scope="module")
def judge(workshop, now):
    def build(file: bytes, *, trust=None, at=now):
        return authenticate_card_security(file, trust or workshop.state.trust_store(), at)

    return build


def signed(signer, content: bytes, content_type: str = SECURITY_OBJECT, *, wrapped_as: str | None = None) -> bytes:
    attributes = sim.signed_attributes(content, "sha256", signer.now, content_type)
    return sim.wrap_signed_data(
        content, [signer.certificate], [signer.signer_info(attributes, "sha256")], wrapped_as or content_type
    )


def test_what_the_state_signed_is_believed(file, judge):
    verdict = judge(file)
    assert isinstance(verdict, CardSecurity)
    assert verdict.issuing_country == "ID"
    assert [step.number for step in verdict.steps] == list(range(1, 9))
    assert {step.code for step in verdict.steps} == {"", "NO_CRL"}
    assert verdict.infos.offers_cam
    assert [(key.key_id, key.family) for key in verdict.infos.public_keys] == [(13, "2")]


def test_a_strangers_signature_is_never_believed(file, judge, workshop):
    verdict = judge(workshop.foreign.signer.sign_card_security(INFOS))
    assert isinstance(verdict, Undetermined)
    assert verdict.code == ReasonCode.NO_TRUST_ANCHOR


def test_a_key_put_in_after_signing_is_rejected(file, judge):
    other = sim.chip_key_info(sim.new_key("ec:brainpoolP256r1"), 13)
    forged = file.replace(sim.chip_key_info(KEY, 13), other)
    assert forged != file
    verdict = judge(forged)
    assert isinstance(verdict, Rejected)
    assert verdict.code == ReasonCode.MESSAGE_DIGEST_MISMATCH


def test_a_security_object_of_the_lds_is_no_card_security(judge, workshop, data_groups):
    """The signer's EF.SOD cannot be passed off as its EF.CardSecurity, nor the other way round."""
    sod = der.read(workshop.sod()).only_child().encoded
    assert judge(sod).code == ReasonCode.WRONG_CONTENT_TYPE
    relabelled = signed(workshop.state.signer, der.encode_set(INFOS), LDS_SECURITY_OBJECT, wrapped_as=SECURITY_OBJECT)
    verdict = judge(relabelled)
    assert isinstance(verdict, Rejected)
    assert verdict.code == ReasonCode.CONTENT_TYPE_MISMATCH
    assert workshop.judge(der.encode(0x77, workshop.state.signer.sign_card_security(INFOS))).code == ReasonCode.WRONG_CONTENT_TYPE


def test_a_csca_may_not_sign_it(judge, workshop):
    state = workshop.state
    csca = sim.DocumentSigner(private_key=state.private_key, certificate=state.csca, now=state.now)
    verdict = judge(csca.sign_card_security(INFOS))
    assert isinstance(verdict, Rejected)
    assert verdict.code == ReasonCode.SIGNER_NOT_ENTITLED


def test_a_revoked_signer_is_rejected(file, judge, workshop):
    state = workshop.state
    verdict = judge(file, trust=state.trust_store(crls=[state.crl([state.signer])]))
    assert isinstance(verdict, Rejected)
    assert verdict.code == ReasonCode.SIGNER_REVOKED


def test_one_signed_tomorrow_is_undetermined(judge, file, now, day):
    verdict = judge(file, at=now - 3 * day)
    assert isinstance(verdict, Undetermined)
    assert verdict.code == ReasonCode.SIGNED_IN_FUTURE


def test_a_signed_content_that_is_no_set_of_infos_is_undetermined(judge, workshop):
    for content in (b"", b"\x31\x03\x30\x01\x06", der.encode_set([sim.pace_info(parameter_id=number) for number in range(65)])):
        verdict = judge(signed(workshop.state.signer, content))
        assert isinstance(verdict, Undetermined)
        assert (verdict.code, verdict.step) == (ReasonCode.MALFORMED, "decode")


@given(data=st.binary(max_size=300))
def test_any_bytes_are_judged(data, judge):
    assert isinstance(judge(data), Undetermined)


@given(data=st.data())
def test_a_changed_file_says_the_same_or_nothing(data, file, judge):
    changed = bytearray(file)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    verdict = judge(bytes(changed))
    assert not isinstance(verdict, CardSecurity) or verdict.infos == judge(file).infos
