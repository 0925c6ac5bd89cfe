"""Access: the PACE offer of EF.CardAccess against its signed copies, and PACE with chip authentication mapping."""

from __future__ import annotations

from forge import DATA_GROUPS, State, edited, octet_string, pretend
from forge_chip import (
    CA_AES_256,
    CARD_SECURITY,
    PACE_CAM_AES_128,
    PACE_GM_3DES,
    PACE_GM_AES_128,
    agreed,
    card_access,
    card_security,
    chip_key,
    chip_sod,
    data_group_14,
    groups_with,
    info,
    key_info,
    mapped,
)
from forge_keys import sequence
from inspection import Inspection, case, inspection

from pki import der

PACE, WEAK, CAM = info(PACE_GM_AES_128, 2, 13), info(PACE_GM_3DES, 2, 12), info(PACE_CAM_AES_128, 2, 13)


def keyed() -> list[bytes]:
    """What stands in DG14 beside PACE."""
    return [info(CA_AES_256, 1), key_info(chip_key().public)]


def opened(state: State, shown: bytes | None, *signed: bytes, **more) -> Inspection:
    """A document that signs ``signed`` beside chip authentication, and shows ``shown`` as EF.CardAccess."""
    groups = groups_with(dg14=data_group_14(*signed, *keyed()))
    notes = {"chip": agreed(chip_key().public), "data_groups": groups, "card_access": shown} | more
    return inspection(state, chip_sod(state, groups), **notes)


@case(clause="Doc 9303-11 §9.2.11: DG14 repeats EF.CardAccess", access="agrees", chip="genuine", over=(1, 2))
def pace_offered_as_signed(state, count):
    """Shown in the clear and signed in DG14, in any order."""
    infos = (PACE, WEAK)[:count]
    return opened(state, card_access(*infos), *infos)


@case(clause="Doc 9303-11 §4.2", access="not_offered")
def chip_without_pace(state):
    """Neither file offers it."""
    return opened(state, None)


@case(clause="Doc 9303-11 §4.2, §9.2.11", access="differs/PACE_HIDDEN", over=("no file", "empty file"))
def pace_hidden(state, what):
    """Downgrade to basic access control: the offer is taken away before anything is protected."""
    return opened(state, None if what == "no file" else card_access(), PACE)


@case(clause="Doc 9303-11 §9.2.11", access="differs/PACE_OFFER_REDUCED")
def strong_offer_taken_away(state):
    """Downgrade to the weaker of two ciphers."""
    return opened(state, card_access(WEAK), PACE, WEAK)


@case(clause="Doc 9303-11 §9.2.11", access="differs/PACE_OFFER_EXTENDED")
def weak_offer_put_in(state):
    """An offer that the State never made."""
    return opened(state, card_access(PACE, WEAK), PACE)


@case(clause="Doc 9303-11 §9.2.1: parameterId", access="differs/PACE_OFFER_REDUCED")
def offer_with_other_domain_parameters(state):
    """The same protocol on a weaker curve."""
    return opened(state, card_access(info(PACE_GM_AES_128, 2, 9)), PACE)


@case(clause="Doc 9303-11 §9.2.1: parameterId 0 to 31", access="differs/PACE_OFFER_REDUCED", over=(255, -1, 1 << 64))
def offer_with_domain_parameters_that_cannot_be(state, number):
    """A number of no set, negative, or far beyond all sets."""
    return opened(state, card_access(info(PACE_GM_AES_128, 2, number)), PACE)


@case(clause="Doc 9303-11 §9.2.1: parameterId 0 to 31", access="differs/CARD_ACCESS_MALFORMED")
def offer_with_domain_parameters_of_thousands_of_digits(state):
    """EF.CardAccess is signed by nobody: anybody can put this into it."""
    return opened(state, card_access(info(PACE_GM_AES_128, 2, 1 << 16_000)), PACE)


@case(clause="Doc 9303-11 §9.2.11", access="unsigned/PACE_OFFER_NOT_SIGNED")
def offer_that_nothing_signed_repeats(state):
    """The document has no DG14: the offer may be the State's or not."""
    return inspection(state, card_access=card_access(PACE))


@case(clause="Doc 9303-11 §9.2", access="differs/CARD_ACCESS_MALFORMED", over=("", "31", "3003020100", "3180", "310330010400"))
def card_access_that_cannot_be_read(state, text):
    """Broken by a fault or by somebody: no word on what the State offered."""
    return opened(state, bytes.fromhex(text), PACE)


@case(clause="Doc 9303-11 §9.2.11", access="differs/DG14_NOT_READ", chip="not_genuine/DG14_NOT_READ")
def offer_whose_signed_copy_was_not_read(state):
    """The SOD lists DG14; hiding it hides the comparison."""
    return opened(state, card_access(PACE), PACE, data_groups=dict(DATA_GROUPS), chip=None)


# --- PACE with chip authentication mapping


def mapped_document(state: State, security: bytes | None, notes, **more) -> Inspection:
    """A document without DG14 and DG15 whose chip proves itself in PACE."""
    return inspection(state, card_access=card_access(CAM), card_security=security, cam=notes, **more)


def mapping_infos() -> list[bytes]:
    return [CAM, key_info(chip_key().public)]


@case(clause="Doc 9303-11 §4.4, §9.2.11: EF.CardSecurity", chip="genuine", access="agrees")
def mapping_with_the_key_of_card_security(state):
    """The key stands in EF.CardSecurity, signed by the same State."""
    return mapped_document(state, card_security(state, mapping_infos()), mapped(chip_key().public))


@case(clause="Doc 9303-11 §4.4", chip="not_genuine/CAM_NOT_RUN", over=("no proof", "general mapping"))
def mapping_that_is_offered_and_not_run(state, what):
    """A copy opens over another mapping: it has no key for this one."""
    shown = card_access(CAM) if what == "no proof" else card_access(CAM, PACE)
    return inspection(state, card_access=shown, card_security=card_security(state, mapping_infos()))


@case(clause="Doc 9303-11 §4.4", chip="not_genuine/CAM_FAILED")
def mapping_under_no_key_of_the_file(state):
    """The chip's authentication data fits none of the keys."""
    return mapped_document(state, card_security(state, mapping_infos()), mapped(b"", succeeded=False))


@case(clause="Doc 9303-11 §4.4", chip="not_genuine/CAM_KEY_NOT_SIGNED")
def mapping_under_a_key_that_nobody_signed(state):
    """It fits the clone's own key."""
    return mapped_document(state, card_security(state, mapping_infos()), mapped(chip_key("clone").public))


@case(clause="Doc 9303-11 §4.4", chip="not_genuine/CARD_SECURITY_NOT_READ")
def mapping_without_card_security(state):
    """Where the key came from cannot be said."""
    return mapped_document(state, None, mapped(chip_key().public))


@case(clause="Doc 9303-11 §9.2.11: EF.CardSecurity is signed", chip="not_genuine/CARD_SECURITY_REJECTED")
def card_security_with_the_clones_key_put_in(state):
    """The signature of the State over another content."""
    honest = der.read(card_security(state, mapping_infos()))
    forged = der.encode_set([CAM, key_info(chip_key("clone").public)])
    signed_data = honest.children()[1].only_child().encoded
    wrapped = sequence(der.encode_oid(CARD_SECURITY), der.encode(0xA0, octet_string(forged)))
    file = sequence(honest.children()[0].encoded, der.encode(0xA0, edited(signed_data, 2, wrapped)))
    return mapped_document(state, file, mapped(chip_key("clone").public))


@case(clause="Doc 9303-11 §9.2.11", chip="not_genuine/CARD_SECURITY_OF_OTHER_STATE")
def card_security_of_another_state(state):
    """A true file of another trusted State."""
    other = pretend("XX", label="Elsewhere")
    file = card_security(other, mapping_infos())
    return mapped_document(state, file, mapped(chip_key().public), anchors=(state.csca, other.csca))


@case(clause="Doc 9303-11 §9.2.11", chip="undetermined/NO_TRUST_ANCHOR")
def card_security_of_a_state_that_is_in_no_list(state):
    """Not proven, not disproven."""
    return mapped_document(state, card_security(pretend("XX", label="Elsewhere"), mapping_infos()), mapped(chip_key().public))


@case(clause="Doc 9303-11 §9.2.11: id-SecurityObject", chip="undetermined/WRONG_CONTENT_TYPE")
def signed_file_of_another_kind_for_card_security(state):
    """A good signature of the State over a set of its own, called a master list."""
    return mapped_document(state, card_security(state, mapping_infos(), oid="2.23.136.1.1.2"), mapped(chip_key().public))


# --- the mapping beside DG14


def both_offered(state: State, key_in_dg14: bytes, **more) -> Inspection:
    """DG14 and EF.CardAccess offer the mapping, DG14 a key for chip authentication, too."""
    groups = groups_with(dg14=data_group_14(CAM, info(CA_AES_256, 1), key_info(key_in_dg14)))
    security = card_security(state, mapping_infos())
    notes = {"data_groups": groups, "card_access": card_access(CAM), "card_security": security} | more
    return inspection(state, chip_sod(state, groups), **notes)


@case(clause="Doc 9303-11 §4.4: the mapping stands in for chip authentication", chip="genuine", access="agrees")
def mapping_with_the_key_of_data_group_14(state):
    """One key in both signed files: it was proven once, and need not be again."""
    return both_offered(state, chip_key().public, cam=mapped(chip_key().public))


@case(clause="Doc 9303-11 §4.4, §6.2", chip="not_genuine/CA_NOT_RUN")
def mapping_by_another_chip_of_the_same_state(state):
    """The files are of one document; the mapping was done by another true chip, with its own true EF.CardSecurity."""
    return both_offered(state, chip_key("the document's").public, cam=mapped(chip_key().public))


@case(clause="Doc 9303-11 §6.2", chip="not_genuine/CA_FAILED")
def chip_authentication_that_fails_after_a_good_mapping(state):
    """What was run must have been passed."""
    notes = {"cam": mapped(chip_key().public), "chip": agreed(chip_key().public, succeeded=False)}
    return both_offered(state, chip_key().public, **notes)


@case(clause="Doc 9303-11 §4.4, §6.2", chip="genuine")
def chip_authentication_instead_of_the_mapping(state):
    """Opened by another mapping, proven by chip authentication."""
    return both_offered(state, chip_key().public, chip=agreed(chip_key().public))


@case(clause="Doc 9303-11 §4.4, §9.2.11", chip="not_genuine/CAM_NOT_RUN", access="differs/PACE_HIDDEN")
def mapping_hidden_and_nothing_run(state):
    """EF.CardAccess shows nothing; the signed DG14 says what this chip should have done."""
    groups = groups_with(dg14=data_group_14(CAM))
    return inspection(state, chip_sod(state, groups), data_groups=groups)
