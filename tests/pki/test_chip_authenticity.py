"""Chip authenticity: only a key that passive authentication bound counts, and what is listed must have been done."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import der, sim
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.card_access import CardAccessVerdict, card_access_agrees
from pki.card_security import authenticate_card_security
from pki.chip_authenticity import ChipAuthenticationEvidence, PaceCamEvidence, chip_authenticity
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


def test_key_of_active_authentication_that_others_hold_proves_nothing_and_spares_no_failure(chip, authentic, sign_9796_2):
    key, group = sim.active_authentication_key("rsa:1024")
    evidence = ActiveAuthenticationEvidence(challenge=CHALLENGE, response=sign_9796_2(key, CHALLENGE, "sha256"))
    alone = chip_authenticity(authentic({15: group}), active=evidence, chip=None, active_key_compromised=True)
    assert (alone.verdict, alone.protocols, alone.code) == ("undetermined", (), "AA_KEY_COMPROMISED")
    not_run = chip_authenticity(authentic({15: group}), active=None, chip=None, active_key_compromised=True)
    assert (not_run.verdict, not_run.code) == ("not_genuine", "AA_NOT_RUN")
    both = chip_authenticity(authentic(chip[2]), active=answer(chip[0]), chip=agreement(chip[1]), active_key_compromised=True)
    assert (both.verdict, both.protocols) == ("genuine", ("chip_authentication",))


@pytest.mark.conforms("Doc 9303-11 §6.2", "positive")
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
@pytest.mark.conforms("Doc 9303-11 §6.2", "negative")
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


@pytest.mark.conforms("Doc 9303-11 §6.2", "negative")
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


# --- PACE with chip authentication mapping

GM, CAM = sim.pace_info(), sim.pace_info(sim.PACE_ECDH_CAM_AES_128)
BOTH_ACCESSES = sim.card_access([GM, CAM])


@pytest.fixture(scope="module")
def mapping():
    """A chip with one key for both protocols, and the DG14 that offers them: (key, group)."""
    return sim.chip_authentication_key(pace=[GM, CAM], key_id=13)


@pytest.fixture
def card_security(workshop, now):
    """Judges an EF.CardSecurity that ``state`` signed over ``key``."""

    def build(key, *, state=None, infos=(GM, CAM), trust=None):
        state = state or workshop.state
        file = state.signer.sign_card_security([*infos, sim.chip_key_info(key, 13)])
        return authenticate_card_security(file, trust or state.trust_store(), now)

    return build


def mapped(key, **changes) -> PaceCamEvidence:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    evidence = {"public_key": public, "oid": sim.PACE_ECDH_CAM_AES_128, "succeeded": True, "one_session": True}
    return PaceCamEvidence(**evidence | changes)


def judged(pa, cam, card_security=None, *, chip=None, active=None, card_access=BOTH_ACCESSES):
    shown = card_access_agrees(card_access, pa, card_security=card_security)
    return chip_authenticity(pa, active=active, chip=chip, cam=cam, card_security=card_security, card_access=shown)


def test_mapping_with_a_key_that_dg14_holds_too_stands_in_for_chip_authentication(mapping, authentic, card_security):
    key, group = mapping
    result = judged(authentic({14: group}), mapped(key), card_security(key))
    assert (result.verdict, result.protocols) == ("genuine", ("pace_cam",))


def test_mapping_of_another_session_proves_the_chip_only_by_a_key_that_dg14_holds_too(mapping, authentic, card_security):
    """A copy serves the files, the tag is lost, and somebody's own passport of the same State answers: its mapping is genuine."""
    key, group = mapping
    own = sim.new_key("ec:brainpoolP256r1")
    bare = authentic({14: sim.data_group_14([GM, CAM])})
    assert judged(bare, mapped(own), card_security(own)).verdict == "genuine"  # one chip said it all
    swapped = judged(bare, mapped(own, one_session=False), card_security(own))
    assert (swapped.verdict, swapped.code) == ("undetermined", "CAM_OF_ANOTHER_SESSION")
    assert judged(authentic({14: group}), mapped(key, one_session=False), card_security(key)).verdict == "genuine"


def test_an_offer_and_a_key_that_are_alone_belong_together_whatever_their_ids(authentic):
    key = sim.new_key("ec:brainpoolP256r1")
    for info, public in ((None, 7), (7, None)):
        pa = authentic({14: sim.data_group_14([sim.chip_authentication_info(info), sim.chip_key_info(key, public)])})
        for stated in (None, 7):
            assert chip_authenticity(pa, active=None, chip=agreement(key, key_id=stated)).verdict == "genuine"
        assert chip_authenticity(pa, active=None, chip=agreement(key, key_id=8)).code == "CA_KEY_NOT_SIGNED"


def test_both_may_run_and_both_then_count(mapping, authentic, card_security):
    key, group = mapping
    result = judged(authentic({14: group}), mapped(key), card_security(key), chip=agreement(key, key_id=13))
    assert (result.verdict, result.protocols) == ("genuine", ("pace_cam", "chip_authentication"))


def test_chip_authentication_stands_in_for_a_mapping_that_was_not_run(mapping, authentic):
    """A terminal need not know the mapping; the State signed both, and the key is the one of DG14."""
    key, group = mapping
    result = judged(authentic({14: group}), None, chip=agreement(key, key_id=13))
    assert (result.verdict, result.protocols) == ("genuine", ("chip_authentication",))


def test_neither_run_though_signed_is_not_genuine(mapping, authentic):
    assert judged(authentic({14: mapping[1]}), None).code == "CAM_NOT_RUN"


@pytest.mark.conforms("Doc 9303-11 §4.4.3.3", "negative")
def test_clone_with_its_own_mapping_key_is_not_genuine(mapping, authentic, card_security):
    clone = sim.new_key("ec:brainpoolP256r1")
    result = judged(authentic({14: mapping[1]}), mapped(clone), card_security(mapping[0]))
    assert (result.verdict, result.code) == ("not_genuine", "CAM_KEY_NOT_SIGNED")


def test_clone_with_its_own_card_security_is_never_genuine(mapping, authentic, card_security, workshop):
    """Signed by a stranger, or by another State that the gate trusts."""
    clone = sim.new_key("ec:brainpoolP256r1")
    unknown = card_security(clone, state=workshop.foreign, trust=workshop.state.trust_store())
    result = judged(authentic({14: mapping[1]}), mapped(clone), unknown)
    assert (result.verdict, result.code) == ("not_genuine", "CA_NOT_RUN")
    other = judged(authentic({14: mapping[1]}), mapped(clone), card_security(clone, state=workshop.foreign))
    assert (other.verdict, other.code) == ("not_genuine", "CARD_SECURITY_OF_OTHER_STATE")


def test_mapping_with_a_key_of_its_own_counts_for_the_chip_whose_other_key_it_stands_beside(mapping, authentic, card_security):
    """As in German passports: key 13 for the mapping, and the key of DG14 beside it, both under one signature."""
    own = sim.new_key("ec:brainpoolP256r1")
    beside = card_security(own, infos=(GM, CAM, sim.chip_key_info(mapping[0], 13)))
    result = judged(authentic({14: mapping[1]}), mapped(own), beside)
    assert (result.verdict, result.protocols) == ("genuine", ("pace_cam",))


def test_broken_chip_of_the_same_state_does_not_vouch_for_another_document(mapping, authentic, card_security):
    """EF.CardSecurity names no document: with the key of chip A and the files of chip B, DG14 of B must still be answered."""
    broken = sim.new_key("ec:brainpoolP256r1")
    result = judged(authentic({14: mapping[1]}), mapped(broken), card_security(broken))
    assert (result.verdict, result.code, result.protocols) == ("not_genuine", "CA_NOT_RUN", ("pace_cam",))


def test_mapping_and_chip_authentication_with_keys_of_their_own_must_both_pass(mapping, authentic, card_security):
    own = sim.new_key("ec:brainpoolP256r1")
    pa, signed = authentic({14: mapping[1]}), card_security(own)
    assert judged(pa, mapped(own), signed, chip=agreement(mapping[0], key_id=13)).verdict == "genuine"
    assert judged(pa, mapped(own), signed, chip=agreement(mapping[0], key_id=13, succeeded=False)).code == "CA_FAILED"


def test_mapping_that_failed_is_not_genuine_whatever_else_passed(mapping, authentic, card_security):
    key, group = mapping
    failed = mapped(key, public_key=b"", succeeded=False)
    result = judged(authentic({14: group}), failed, card_security(key), chip=agreement(key, key_id=13))
    assert (result.verdict, result.code, result.protocols) == ("not_genuine", "CAM_FAILED", ("chip_authentication",))


def test_chip_authentication_that_failed_is_not_genuine_though_the_mapping_passed(mapping, authentic, card_security):
    key, group = mapping
    result = judged(authentic({14: group}), mapped(key), card_security(key), chip=agreement(key, key_id=13, succeeded=False))
    assert (result.verdict, result.code) == ("not_genuine", "CA_FAILED")


def test_mapping_without_card_security_proves_nothing(mapping, authentic):
    result = judged(authentic({14: mapping[1]}), mapped(mapping[0]))
    assert (result.verdict, result.code) == ("not_genuine", "CARD_SECURITY_NOT_READ")


def test_card_security_that_contradicts_itself_is_not_genuine(mapping, authentic, workshop, now):
    key, group = mapping
    file = bytearray(workshop.state.signer.sign_card_security([GM, CAM, sim.chip_key_info(key, 13)]))
    file[-1] ^= 1
    signed = authenticate_card_security(bytes(file), workshop.state.trust_store(), now)
    assert judged(authentic({14: group}), mapped(key), signed).code == "CARD_SECURITY_REJECTED"


def test_card_security_that_cannot_be_settled_is_undetermined(mapping, authentic, workshop, now):
    key, group = mapping
    odd = authenticate_card_security(b"odd", workshop.state.trust_store(), now)
    result = judged(authentic({14: group}), mapped(key), odd, chip=agreement(key, key_id=13))
    assert (result.verdict, result.code) == ("undetermined", "MALFORMED")


@pytest.mark.parametrize("oid", ["", sim.PACE_ECDH_GM_AES_128, "0.4.0.127.0.7.2.2.4.6.4"])
def test_mapping_that_the_state_did_not_sign_is_not_genuine(oid, mapping, authentic, card_security):
    key, group = mapping
    result = judged(authentic({14: group}), mapped(key, oid=oid), card_security(key))
    assert (result.verdict, result.code) == ("not_genuine", "CAM_KEY_NOT_SIGNED")


def test_clone_by_omission_of_dg14_while_card_access_offers_the_mapping(authentic):
    """Only a document that lists neither group *and* shows no mapping is one that does not support it."""
    pa = authentic({})
    assert (judged(pa, None).verdict, judged(pa, None).code) == ("not_genuine", "CAM_NOT_RUN")
    assert judged(pa, None, card_access=sim.card_access([GM])).verdict == "not_supported"
    assert judged(pa, None, card_access=None).verdict == "not_supported"


def test_mapping_alone_is_genuine_where_the_document_signs_no_dg14(mapping, authentic, card_security):
    key = mapping[0]
    result = judged(authentic({}), mapped(key), card_security(key))
    assert (result.verdict, result.protocols) == ("genuine", ("pace_cam",))


def test_mapping_does_not_excuse_active_authentication(chip, mapping, authentic, card_security):
    key, group = mapping
    result = judged(authentic({14: group, 15: chip[2][15]}), mapped(key), card_security(key))
    assert (result.verdict, result.code) == ("not_genuine", "AA_NOT_RUN")


def test_unread_card_access_is_no_offer(authentic):
    assert chip_authenticity(authentic({}), active=None, chip=None, card_access=None).verdict == "not_supported"
    malformed = CardAccessVerdict(verdict="differs", code="CARD_ACCESS_MALFORMED")
    assert chip_authenticity(authentic({}), active=None, chip=None, card_access=malformed).verdict == "not_supported"
