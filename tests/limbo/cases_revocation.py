"""Revocation: the lists of the issuing State, whose word on who was revoked never gets too old."""

from __future__ import annotations

from forge import DAY, NOW, TRUE, State, authority_key, extension, key_identifier, pretend, pretended
from forge_keys import NULL, key, sequence
from inspection import Inspection, case, inspection

from pki import der

DELTA, ISSUING_POINT, REASON, CERTIFICATE_ISSUER = "2.5.29.27", "2.5.29.28", "2.5.29.21", "2.5.29.29"
OWN = 2
"""Serial number of the honest signer."""


@case(clause="Doc 9303-12 §7.1", revocation="no_crl")
def no_list_at_hand(state):
    """Authentic, and said to be without a word on revocation: a policy decides."""
    return inspection(state)


@case(clause="Doc 9303-12 §7.1", revocation="good", over=("empty", "others"))
def signer_that_is_not_on_a_fresh_list(state, what):
    """The list is of that State, signed by it, and of today."""
    return inspection(state, crls=(state.crl(*([3, 4] if what == "others" else [])),))


@case(clause="Doc 9303-12 §7.1", revocation="stale_crl", over=("expired", "from the future", "without an end"))
def list_that_is_not_of_today(state, what):
    """Past its nextUpdate, not yet begun, or without a nextUpdate: it may miss the latest revocations."""
    dates = {
        "expired": {"at": NOW - 60 * DAY, "until": NOW - DAY},
        "from the future": {"at": NOW + DAY, "until": NOW + 30 * DAY},
        "without an end": {"until": None},
    }[what]
    return inspection(state, crls=(state.crl(**dates),))


@case(clause="Doc 9303-12 §7.1", expect="Rejected/SIGNER_REVOKED", over=("fresh", "expired", "from the future", "without an end"))
def revoked_signer(state, what):
    """Who was revoked stays so, however old the list is."""
    dates = {
        "fresh": {},
        "expired": {"at": NOW - 60 * DAY, "until": NOW - DAY},
        "from the future": {"at": NOW + DAY, "until": NOW + 30 * DAY},
        "without an end": {"until": None},
    }[what]
    return inspection(state, crls=(state.crl(OWN, **dates),))


@case(clause="Doc 9303-12 §4.1, RFC 5652 §11.3", expect="Rejected/SIGNER_REVOKED")
def revoked_signer_with_a_signing_time_from_before(state):
    """Whoever stole the key writes any time into the document: revocation counts for all that it signed."""
    return inspection(state, state.sod(at=NOW - 20 * DAY), crls=(state.crl(OWN),))


@case(clause="RFC 5280 §5.3.1: reasonCode", expect="Rejected/SIGNER_REVOKED", over=(1, 4, 6))
def revoked_for_any_reason(state, reason):
    """Compromised, superseded, on hold."""
    mark = extension(REASON, der.encode(0x0A, bytes((reason,))))
    return inspection(state, crls=(state.crl(OWN, entry_extensions=[mark]),))


@case(clause="Doc 9303-12 §7.1", expect="Rejected/SIGNER_REVOKED", over=("older", "newer"))
def revoked_on_one_of_two_lists(state, which):
    """A clean list of the same State does not undo the other."""
    older, newer = NOW - 40 * DAY, NOW - DAY
    revoking, clean = (older, newer) if which == "older" else (newer, older)
    return inspection(state, crls=(state.crl(OWN, at=revoking), state.crl(at=clean)))


@case(clause="Doc 9303-12 §7.1: the State signs its list with its newest key", expect="Rejected/SIGNER_REVOKED")
def revoked_by_the_newer_key_of_the_state(state):
    """One list for all certificates of the State, signed with the CSCA key of today."""
    newer = pretend("UT", role="newer")
    return inspection(state, anchors=(state.csca, newer.csca), crls=(newer.crl(OWN),))


@case(clause="Doc 9303-12 §7.1", revocation="good")
def cleared_by_the_newer_key_of_the_state(state):
    """The same list, without the signer on it."""
    newer = pretend("UT", role="newer")
    return inspection(state, anchors=(state.csca, newer.csca), crls=(newer.crl(7),))


@case(
    clause="RFC 5280 §6.3.3 (f): the list's signature",
    revocation="no_crl",
    over=("a forger", "the document signer", "another State"),
)
def list_signed_by_somebody_else(state, who):
    """A list under the State's name that its CSCA did not sign neither revokes nor clears."""
    signer = {
        "a forger": key("ec:secp256r1", "forger"),
        "the document signer": state.signer.key,
        "another State": pretend("XX", label="Elsewhere").csca_key,
    }[who]
    return inspection(state, anchors=(state.csca, pretend("XX", label="Elsewhere").csca), crls=(state.crl(OWN, signer=signer),))


@case(clause="RFC 5280 §5.1.2.3: issuer", revocation="no_crl")
def list_of_another_state(state):
    """Serial numbers are unique within an issuer: another State's list speaks of others."""
    other = pretend("XX", label="Elsewhere")
    return inspection(state, anchors=(state.csca, other.csca), crls=(other.crl(OWN),))


@case(
    clause="RFC 5280 §5.2: unknown critical extensions of a list",
    revocation="stale_crl",
    over=(DELTA, ISSUING_POINT, "1.3.6.1.4.1.99999.1"),
)
def partial_list_clears_nobody(state, oid):
    """A delta, a list of some certificates only, or one with an unknown condition: whom it does not name may be on the rest."""
    value = sequence() if oid == ISSUING_POINT else der.encode_integer(1)
    return inspection(state, crls=(state.crl(extensions=[extension(oid, value, critical=TRUE)]),))


@case(clause="RFC 5280 §5.2.4", expect="Rejected/SIGNER_REVOKED")
def partial_list_revokes(state):
    """A delta that names the signer."""
    mark = extension(DELTA, der.encode_integer(1), critical=TRUE)
    return inspection(state, crls=(state.crl(OWN, extensions=[mark]),))


@case(clause="RFC 5280 §5.2.3: cRLNumber and authorityKeyIdentifier", revocation="good")
def list_by_the_profile(state):
    """With the two extensions that the profile asks for."""
    marks = [authority_key(key_identifier(state.csca_parts.public)), extension("2.5.29.20", der.encode_integer(7))]
    return inspection(state, crls=(state.crl(3, extensions=marks),))


@case(
    clause="RFC 5280 §5.3: unknown critical extensions of an entry",
    revocation="stale_crl",
)
def entry_with_an_unknown_condition_clears_nobody(state):
    """RFC 5280: such a list must not be used to say that a certificate is good."""
    mark = extension("1.3.6.1.4.1.99999.1", NULL, critical=TRUE)
    return inspection(state, crls=(state.crl(3, entry_extensions=[mark]),))


def after_roll_over(state: State, *revoked: int, **changes) -> Inspection:
    """The store holds the old CSCA (serial number 1) and the new one (5), whose list revokes ``revoked``."""
    new = pretend("UT", role="newer")
    root = new.csca_parts.but(serial=der.encode_integer(5)).signed(new.csca_key)
    notes = {"anchors": (state.csca, root), "crls": (new.crl(*revoked),)} | changes
    return inspection(state, **notes)


@case(clause="Doc 9303-12 §4.1: a CSCA can be revoked", expect="Rejected/CSCA_REVOKED", over=("fresh", "expired"))
def revoked_csca(state, what):
    """The State revoked its own old CSCA with its new key: what the old one issues counts no longer."""
    if what == "fresh":
        return after_roll_over(state, 1)
    list_ = pretend("UT", role="newer").crl(1, at=NOW - 60 * DAY, until=NOW - DAY)
    return after_roll_over(state, crls=(list_,))


@case(clause="Doc 9303-12 §4.1")
def csca_that_follows_a_revoked_one(state):
    """Documents under the new key are not touched by the end of the old one."""
    return after_roll_over(state, 1, sod=pretend("UT", role="newer").sod())


@case(clause="RFC 5280 §6.3.3 (f)", revocation="no_crl")
def csca_revoked_by_another_state(state):
    """A trusted State's list under its own name says nothing about a serial number of ours."""
    other = pretend("XX", label="Elsewhere")
    return inspection(state, anchors=(state.csca, other.csca), crls=(other.crl(1),))


@case(clause="RFC 5280 §6.3.3 (f)", revocation="no_crl")
def csca_revoked_by_another_state_in_our_name(state):
    """The same list under the name of this State: its signature is not by a key of that name."""
    other = pretend("XX", label="Elsewhere")
    return inspection(state, anchors=(state.csca, other.csca), crls=(state.crl(1, 2, signer=other.csca_key),))


@case(clause="RFC 5280 §4.1.2.2, §5.1: serial numbers", expect="Rejected/SIGNER_REVOKED", over=("as written", "without a sign"))
def revoked_signer_with_a_negative_serial_number(state, what):
    """FB in the certificate; the list writes FB, or 00FB, as software that knows no negative ones does."""
    signer = state.issue(state.parts.but(serial=der.encode_integer(-5)))
    return inspection(state, signer.sod().built(), crls=(state.crl(-5 if what == "as written" else 0xFB),))


@case(clause="RFC 5280 §6.3.3: names are compared", expect="Rejected/SIGNER_REVOKED")
def list_under_the_name_in_other_letters(state):
    """The issuer of the list in PrintableStrings, that of the signer in UTF8Strings."""
    return inspection(state, crls=(state.crl(OWN, issuer=pretended("UT", "CSCA Pretendia", text=0x13)),))
