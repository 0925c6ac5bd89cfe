"""Chip authenticity: only a key that passive authentication bound counts, and what is listed must have been done."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import der, sim
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.chip_authenticity import ChipAuthenticationEvidence, chip_authenticity
from pki.results import Authentic

CHALLENGE = b"challeng"
AES_256 = sim.CHIP_AUTHENTICATION_AES_256


@pytest.fixture(scope="module")
def chip():
    """Both keys of a chip and its groups: (active key, chip key, {14: …, 15: …})."""
    active_key, group_15 = sim.active_authentication_key()
    chip_key, group_14 = sim.chip_authentication_key(active_hash="sha256")
    return active_key, chip_key, {14: group_14, 15: group_15}


@pytest.fixture
def authentic(workshop, data_groups):
    """Builds an Authentic over DG1, DG2 and ``listed``, of which only ``read`` (default all) came from the chip."""

    def build(listed, read=None) -> Authentic:
        read = listed if read is None else read
        result = workshop.judge(workshop.sod(workshop.content(data_groups | listed)), data_groups | read)
        assert isinstance(result, Authentic)
        return result

    return build


def answer(key) -> ActiveAuthenticationEvidence:
    return ActiveAuthenticationEvidence(challenge=CHALLENGE, response=key.sign(CHALLENGE, ec.ECDSA(hashes.SHA256())))


def agreement(key, **changes) -> ChipAuthenticationEvidence:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return ChipAuthenticationEvidence(**{"public_key": public, "oid": AES_256, "key_id": None, "succeeded": True} | changes)


def test_chip_that_passes_both_protocols_is_genuine(chip, authentic):
    result = chip_authenticity(authentic(chip[2]), active=answer(chip[0]), chip=agreement(chip[1]))
    assert (result.verdict, result.protocols, result.code) == ("genuine", ("chip_authentication", "active_authentication"), "")


def test_rsa_chip_is_genuine_without_data_group_14(authentic, sign_9796_2):
    key, group = sim.active_authentication_key("rsa:1024")
    evidence = ActiveAuthenticationEvidence(challenge=CHALLENGE, response=sign_9796_2(key, CHALLENGE, "sha256"))
    assert chip_authenticity(authentic({15: group}), active=evidence, chip=None).verdict == "genuine"


def test_chip_authentication_alone_is_genuine(authentic):
    key, group = sim.chip_authentication_key("P-256")
    result = chip_authenticity(authentic({14: group}), active=None, chip=agreement(key))
    assert (result.verdict, result.protocols) == ("genuine", ("chip_authentication",))


def test_document_that_signs_neither_group_does_not_support_it_whatever_was_run(chip, authentic):
    """AA with a DG15 that no one signed (as in the BSI specimen) proves nothing."""
    result = chip_authenticity(authentic({}), active=answer(chip[0]), chip=agreement(chip[1]))
    assert (result.verdict, result.protocols) == ("not_supported", ())


@pytest.mark.parametrize(
    ("hidden", "code"),
    [({14, 15}, "DG14_NOT_READ"), ({14}, "DG14_NOT_READ"), ({15}, "DG15_NOT_READ")],
)
def test_copy_that_hides_a_listed_group_is_not_genuine(hidden, code, chip, authentic):
    """EF.COM is not signed: a copy leaves DG14 and DG15 out of it and off the chip."""
    read = {number: group for number, group in chip[2].items() if number not in hidden}
    result = chip_authenticity(
        authentic(chip[2], read),
        active=answer(chip[0]) if 15 in read else None,
        chip=agreement(chip[1]) if 14 in read else None,
    )
    assert (result.verdict, result.code) == ("not_genuine", code)


def test_protocol_that_is_listed_and_not_run_is_not_genuine(chip, authentic):
    pa = authentic(chip[2])
    assert chip_authenticity(pa, active=None, chip=agreement(chip[1])).code == "AA_NOT_RUN"
    assert chip_authenticity(pa, active=answer(chip[0]), chip=None).code == "CA_NOT_RUN"
    assert chip_authenticity(pa, active=None, chip=None).verdict == "not_genuine"


def test_clone_with_keys_of_its_own_is_not_genuine(chip, authentic):
    clone = sim.chip_authentication_key()[0]
    pa = authentic(chip[2])
    result = chip_authenticity(pa, active=answer(chip[0]), chip=agreement(clone))
    assert (result.verdict, result.code) == ("not_genuine", "CA_KEY_NOT_SIGNED")
    result = chip_authenticity(pa, active=answer(sim.new_key("ec:P-256")), chip=agreement(chip[1]))
    assert (result.verdict, result.code) == ("not_genuine", "AA_FAILED")


def test_clone_that_cannot_agree_on_keys_or_refuses_is_not_genuine(chip, authentic):
    pa = authentic(chip[2])
    failed = chip_authenticity(pa, active=answer(chip[0]), chip=agreement(chip[1], succeeded=False))
    assert (failed.verdict, failed.code, failed.protocols) == ("not_genuine", "CA_FAILED", ("active_authentication",))
    refused = ActiveAuthenticationEvidence(challenge=CHALLENGE, response=b"")
    assert chip_authenticity(pa, active=refused, chip=agreement(chip[1])).code == "AA_FAILED"


@pytest.mark.parametrize(
    "changes", [{"oid": "0.4.0.127.0.7.2.2.3.2.1"}, {"oid": "0.4.0.127.0.7.2.2.3.1.4"}, {"oid": ""}, {"key_id": 7}]
)
def test_protocol_or_key_id_that_the_document_does_not_offer_is_not_genuine(changes, chip, authentic):
    result = chip_authenticity(authentic(chip[2]), active=answer(chip[0]), chip=agreement(chip[1], **changes))
    assert result.code == "CA_KEY_NOT_SIGNED"


def chip_info(oid, key_id) -> bytes:
    return der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode_integer(1), der.encode_integer(key_id))


def key_info(key, *more) -> bytes:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.2.2.1.2"), public, *more)


def test_one_of_several_keys_counts_under_its_own_id_only(authentic):
    first, second = sim.new_key("ec:P-256"), sim.new_key("ec:P-256")
    infos = [chip_info(AES_256, 1), chip_info(AES_256, 2)]
    infos += [key_info(key, der.encode_integer(number)) for number, key in ((1, first), (2, second))]
    pa = authentic({14: sim.data_group_14(infos)})
    assert chip_authenticity(pa, active=None, chip=agreement(second, key_id=2)).verdict == "genuine"
    assert chip_authenticity(pa, active=None, chip=agreement(second, key_id=1)).verdict == "not_genuine"


def test_protocol_counts_only_for_the_key_it_is_offered_with(authentic):
    first, second = sim.new_key("ec:P-256"), sim.new_key("ec:P-256")
    infos = [chip_info(AES_256, 1), chip_info("0.4.0.127.0.7.2.2.3.2.1", 2)]
    infos += [key_info(key, der.encode_integer(number)) for number, key in ((1, first), (2, second))]
    pa = authentic({14: sim.data_group_14(infos)})
    assert chip_authenticity(pa, active=None, chip=agreement(second, key_id=2)).code == "CA_KEY_NOT_SIGNED"
    assert chip_authenticity(pa, active=None, chip=agreement(first, key_id=1)).verdict == "genuine"


def test_key_without_protocol_means_3des_and_nothing_else(authentic):
    key = sim.new_key("ec:P-256")
    pa = authentic({14: sim.data_group_14([key_info(key)])})
    assert chip_authenticity(pa, active=None, chip=agreement(key, oid="0.4.0.127.0.7.2.2.3.2.1")).verdict == "genuine"
    assert chip_authenticity(pa, active=None, chip=agreement(key)).verdict == "not_genuine"


def test_data_group_14_that_offers_no_protocol_settles_nothing(authentic):
    pace = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.2.2.4.2.4"), der.encode_integer(2))
    result = chip_authenticity(authentic({14: sim.data_group_14([pace])}), active=None, chip=None)
    assert (result.verdict, result.code) == ("undetermined", "NO_PROTOCOL_OFFERED")


@pytest.mark.parametrize("group", [14, 15])
def test_signed_but_unreadable_group_is_undetermined(group, chip, authentic):
    result = chip_authenticity(
        authentic(chip[2] | {group: b"\x6e\x03odd"}),
        active=answer(chip[0]),
        chip=agreement(chip[1]),
    )
    assert (result.verdict, result.code) == ("undetermined", "MALFORMED")


def test_ecdsa_key_without_its_hash_is_undetermined(chip, authentic):
    key, group = sim.chip_authentication_key()
    result = chip_authenticity(authentic({14: group, 15: chip[2][15]}), active=answer(chip[0]), chip=agreement(key))
    assert (result.verdict, result.code) == ("undetermined", "UNSUPPORTED_ALGORITHM")


def test_a_failed_protocol_outweighs_an_undetermined_one(chip, authentic):
    _, group = sim.chip_authentication_key()
    result = chip_authenticity(authentic({14: group, 15: chip[2][15]}), active=answer(chip[0]), chip=None)
    assert (result.verdict, result.code) == ("not_genuine", "CA_NOT_RUN")
