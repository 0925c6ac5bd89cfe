"""EF.CardAccess against its signed copies: every way to make a chip be read over less than its State offered is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki import der, sim
from pki.card_access import card_access_agrees
from pki.card_security import authenticate_card_security
from pki.errors import PkiError
from pki.results import Authentic
from pki.security_infos import PaceInfo, parse_card_access, parse_data_group_14

GM, IM, CAM = (sim.pace_info(oid) for oid in (sim.PACE_ECDH_GM_AES_128, sim.PACE_ECDH_IM_AES_128, sim.PACE_ECDH_CAM_AES_128))
TRIPLE_DES = sim.pace_info("0.4.0.127.0.7.2.2.4.2.1")
PARAMETERS = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.2.2.4.2"), der.encode(der.SEQUENCE), der.encode_integer(40))
UNKNOWN = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.3.2.2"), der.encode_integer(1))
TERMINAL = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.2.2.2"), der.encode_integer(1))


@pytest.fixture(scope="module")
def document(workshop, data_groups):
    """Builds an Authentic whose DG14 holds these infos (None: the SOD lists no DG14); ``read=False``: listed and not read."""

    def build(infos, *, read: bool = True) -> Authentic:
        group = {} if infos is None else {14: sim.data_group_14(infos)}
        result = workshop.judge(workshop.sod(workshop.content(data_groups | group)), data_groups | (group if read else {}))
        assert isinstance(result, Authentic)
        return result

    return build


@pytest.fixture(scope="module")
def card_security(workshop, now):
    def build(infos, state=None):
        state = state or workshop.state
        return authenticate_card_security(state.signer.sign_card_security(infos), state.trust_store(), now)

    return build


def said(verdict) -> tuple[str, str]:
    return verdict.verdict, verdict.code


def test_an_offer_that_the_state_signed_agrees(document):
    pa = document([GM, CAM, PARAMETERS, UNKNOWN, TERMINAL])
    verdict = card_access_agrees(sim.card_access([CAM, GM, PARAMETERS]), pa)
    assert (said(verdict), verdict.offers_cam) == (("agrees", ""), True)
    assert not card_access_agrees(sim.card_access([GM]), document([GM])).offers_cam


@pytest.mark.parametrize("signed", [None, [], [UNKNOWN]])
@pytest.mark.parametrize("shown", [None, [], [UNKNOWN]])
def test_where_nobody_offers_pace_none_is_missed(signed, shown, document):
    card_access = None if shown is None else sim.card_access(shown)
    assert said(card_access_agrees(card_access, document(signed))) == ("not_offered", "PACE_NOT_OFFERED")


@pytest.mark.parametrize("shown", [None, sim.card_access([]), sim.card_access([UNKNOWN])])
@pytest.mark.conforms("Doc 9303-11 §4.2", "negative")
def test_downgrade_to_bac_by_hiding_the_offer(shown, document):
    assert said(card_access_agrees(shown, document([GM]))) == ("differs", "PACE_HIDDEN")


def test_downgrade_by_taking_the_strongest_out_of_the_offer(document):
    verdict = card_access_agrees(sim.card_access([TRIPLE_DES]), document([TRIPLE_DES, GM]))
    assert said(verdict) == ("differs", "PACE_OFFER_REDUCED")


def test_clone_by_taking_chip_authentication_mapping_out_of_the_offer(document):
    assert said(card_access_agrees(sim.card_access([GM]), document([GM, CAM]))) == ("differs", "PACE_OFFER_REDUCED")


def test_offer_with_something_weaker_added(document):
    assert said(card_access_agrees(sim.card_access([GM, TRIPLE_DES]), document([GM]))) == ("differs", "PACE_OFFER_EXTENDED")


@pytest.mark.parametrize(
    "shown", [sim.pace_info(parameter_id=8), sim.pace_info(parameter_id=None), sim.pace_info("0.4.0.127.0.7.2.2.4.2.4")]
)
def test_offer_with_other_domain_parameters_or_cipher(shown, document):
    assert said(card_access_agrees(sim.card_access([shown]), document([GM])))[0] == "differs"


@pytest.mark.parametrize(("shown", "signed"), [([GM, PARAMETERS], [GM]), ([GM], [GM, PARAMETERS])])
def test_domain_parameters_of_the_chips_own_that_nobody_signed(shown, signed, document):
    assert said(card_access_agrees(sim.card_access(shown), document(signed))) == ("differs", "PACE_PARAMETERS_DIFFER")


@pytest.mark.parametrize("signed", [None, [], [UNKNOWN]])
def test_offer_of_a_document_that_signs_none_is_unsigned(signed, document):
    assert said(card_access_agrees(sim.card_access([GM]), document(signed))) == ("unsigned", "PACE_OFFER_NOT_SIGNED")


def test_hiding_dg14_too_is_no_way_out(document):
    for shown in (None, sim.card_access([GM])):
        assert said(card_access_agrees(shown, document([GM], read=False))) == ("differs", "DG14_NOT_READ")


def test_card_security_is_a_signed_copy_as_well(document, card_security):
    """Doc 9303-11 §4.2: EF.DG14 or EF.CardSecurity."""
    shown, pa = sim.card_access([GM, CAM]), document(None)
    assert said(card_access_agrees(shown, pa, card_security=card_security([GM, CAM]))) == ("agrees", "")
    assert said(card_access_agrees(shown, pa, card_security=card_security([CAM])))[0] == "differs"
    assert said(card_access_agrees(None, pa, card_security=card_security([CAM]))) == ("differs", "PACE_HIDDEN")
    both = card_access_agrees(shown, document([GM, CAM]), card_security=card_security([GM]))
    assert said(both) == ("differs", "PACE_OFFER_EXTENDED")


def test_card_security_of_another_state_or_unproven_is_no_copy(document, card_security, workshop, now):
    shown, pa = sim.card_access([GM]), document(None)
    assert said(card_access_agrees(shown, pa, card_security=card_security([GM], workshop.foreign)))[0] == "unsigned"
    stranger = authenticate_card_security(workshop.foreign.signer.sign_card_security([GM]), workshop.state.trust_store(), now)
    assert said(card_access_agrees(shown, pa, card_security=stranger))[0] == "unsigned"


def test_a_signed_dg14_that_cannot_be_read_is_an_alarm(workshop, data_groups):
    groups = data_groups | {14: b"\x6e\x03odd"}
    pa = workshop.judge(workshop.sod(workshop.content(groups)), groups)
    assert said(card_access_agrees(sim.card_access([GM]), pa)) == ("differs", "DG14_MALFORMED")


@given(data=st.binary(max_size=60))
def test_any_bytes_as_card_access_never_agree(data, document):
    for shown in (data, der.encode(der.SET, data), der.encode_set([der.encode(der.SEQUENCE, der.encode_oid("1.2"), data)])):
        assert said(card_access_agrees(shown, document([GM])))[0] == "differs"


@given(data=st.data())
def test_an_offer_with_octets_changed_agrees_only_if_it_says_the_same(data, document):
    good = sim.card_access([GM, CAM])
    changed = bytearray(good)
    changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    if card_access_agrees(bytes(changed), document([GM, CAM])).verdict == "agrees":
        assert parse_card_access(bytes(changed)).pace == parse_card_access(good).pace


def test_infos_are_told_apart():
    infos = parse_card_access(sim.card_access([GM, CAM, PARAMETERS, UNKNOWN, TERMINAL]))
    assert PaceInfo(oid=sim.PACE_ECDH_GM_AES_128, version=2, parameter_id=13) in infos.pace
    assert (len(infos.pace), infos.pace_parameters, infos.terminal_authentication) == (2, {PARAMETERS}, 1)


def test_domain_parameters_of_chip_authentication_are_no_protocol():
    """German passports hold them; read as a protocol they would spoil the whole file."""
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.1.2"), der.encode_integer(13))
    info = der.encode(der.SEQUENCE, der.encode_oid("0.4.0.127.0.7.2.2.3.2"), algorithm, der.encode_integer(72))
    infos = parse_card_access(sim.card_access([info, sim.chip_authentication_info(72)]))
    assert [offer.key_id for offer in infos.chip_authentication] == [72]


@pytest.mark.shared
def test_specimen_offers_terminal_authentication_and_no_pace(shared_dir):
    infos = parse_data_group_14((shared_dir / "data/pki/bsi_dataset/Datagroup14.bin").read_bytes())
    assert (infos.terminal_authentication, infos.pace, infos.pace_parameters) == (1, frozenset(), frozenset())


def test_an_endless_set_of_infos_is_refused():
    with pytest.raises(PkiError):
        parse_card_access(sim.card_access([GM] * 65))
