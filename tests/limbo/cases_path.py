"""From the signer to the CSCA: keys that roll over, links, namesakes, and anchors nobody handed over."""

from __future__ import annotations

from dataclasses import replace

from forge import (
    AUTHORITY_KEY,
    CSCA_END,
    CSCA_KEY_END,
    CSCA_START,
    DAY,
    EXTENDED_KEY_USAGE,
    NAME_CHANGE,
    NOW,
    SIGNER_START,
    SUBJECT_KEY,
    TRUE,
    YEAR,
    Signer,
    State,
    authority_key,
    extension,
    key_identifier,
    key_period,
    pretend,
    pretended,
    signer_parts,
    subject_key,
)
from forge_keys import NULL, key, sequence
from inspection import case, inspection

from pki import der


def newer(state: State, common_name: str = "CSCA Pretendia") -> State:
    """The same State after its roll-over: a new CSCA key, a new signer; its name may have changed."""
    fresh = pretend(state.country, role="newer")
    subject = pretended(state.country, common_name)
    root = fresh.csca_parts.but(subject=subject, issuer=subject)
    parts = fresh.parts.but(issuer=subject)
    signer = Signer(key=fresh.signer.key, certificate=parts.signed(fresh.csca_key))
    return replace(fresh, csca_parts=root, csca=root.signed(fresh.csca_key), parts=parts, signer=signer)


def link(old: State, new: State) -> bytes:
    """The old key vouches for the new one (Doc 9303-12 §7.1: link certificate)."""
    parts = new.csca_parts.but(issuer=old.csca_parts.subject, serial=der.encode_integer(9))
    return parts.having(authority_key(key_identifier(old.csca_parts.public))).signed(old.csca_key)


@case(clause="Doc 9303-12 §4.1: several CSCA keys at once", over=("old", "new"))
def two_csca_keys_of_one_name(state, which):
    """Both keys are in the store; each signer is found its own."""
    new = newer(state)
    return inspection(state, (state if which == "old" else new).sod(), anchors=(state.csca, new.csca))


@case(clause="Doc 9303-12 §4.1", over=("old", "new"))
def two_csca_keys_of_one_name_and_no_identifiers(state, which):
    """The same, found by trying: neither signers nor CSCAs have key identifiers."""
    new = newer(state)
    anchors = tuple(each.csca_parts.lacking(SUBJECT_KEY, AUTHORITY_KEY).signed(each.csca_key) for each in (state, new))
    chosen = state if which == "old" else new
    return inspection(state, chosen.issue(chosen.parts.lacking(AUTHORITY_KEY)).sod().built(), anchors=anchors)


@case(clause="Doc 9303-12 §6: trust anchor", expect="Undetermined/NO_TRUST_ANCHOR")
def new_key_that_the_inspector_does_not_have_yet(state):
    """An old CSCA of the same name is at hand: the document is not proven, and not disproven."""
    return inspection(state, newer(state).sod())


@case(clause="Doc 9303-12 §7.1: link certificate")
def link_certificate_in_the_store(state):
    """The new key came as a link certificate; its own root is not needed beside it."""
    new = newer(state)
    return inspection(state, new.sod(), anchors=(state.csca, link(state, new)))


@case(clause="Doc 9303-12 §7.1: link certificate")
def link_certificate_whose_issuer_is_unknown(state):
    """Handed over on a signed list, without the old root: the list vouches for it."""
    new = newer(state)
    return inspection(state, new.sod(), anchors=(link(state, new),))


@case(clause="Doc 9303-12 §7.1: link certificate", over=("link first", "root first"))
def link_and_root_hold_one_key(state, order):
    """Two certificates verify the signer; either one is its CSCA."""
    new = newer(state)
    anchors = (link(state, new), new.csca)
    return inspection(state, new.sod(), anchors=anchors if order == "link first" else anchors[::-1])


@case(clause="Doc 9303-12 §2: link certificates are not processed as intermediate ones", expect="Undetermined/NO_TRUST_ANCHOR")
def link_certificate_in_the_document(state):
    """A good link under a trusted key, but it came with the document: trust is handed over, not carried along."""
    new = newer(state)
    bag = (new.signer.certificate, link(state, new))
    return inspection(state, replace(new.signer.sod(), certificates=bag).built())


@case(clause="Doc 9303-12 §7.1: nameChange")
def csca_whose_name_changed_since(state):
    """The key is the same, the name in the store the new one; the signer names the old one and has no key identifier."""
    subject = pretended("UT", "CSCA Pretendia renamed")
    anchor = state.csca_parts.but(subject=subject).having(extension(NAME_CHANGE, NULL)).signed(state.csca_key)
    return inspection(state, state.issue(state.parts.lacking(AUTHORITY_KEY)).sod().built(), anchors=(anchor,))


@case(clause="RFC 5280 §4.2.1.1: identifiers need not be unique")
def key_identifier_that_two_cscas_share(state):
    """Another State's CSCA has the same identifier and stands first."""
    other = pretend("XX", label="Elsewhere")
    namesake = other.csca_parts.having(subject_key(key_identifier(state.csca_parts.public))).signed(other.csca_key)
    return inspection(state, anchors=(namesake, state.csca))


@case(clause="Doc 9303-12 §6: trust anchor", expect="Undetermined/NO_TRUST_ANCHOR", over=("empty store", "another State"))
def state_that_is_in_no_list(state, what):
    """That nothing is known of a State says nothing against its document."""
    anchors = () if what == "empty store" else (pretend("XX", label="Elsewhere").csca,)
    return inspection(state, anchors=anchors)


@case(clause="Doc 9303-12 §6: trust anchors are handed over out of band", expect="Undetermined/NO_TRUST_ANCHOR")
def csca_that_came_with_the_document(_state):
    """A complete chain of a forger's own making, its root in the bag."""
    forger = pretend("XX", label="Elsewhere")
    sod = replace(forger.signer.sod(), certificates=(forger.signer.certificate, forger.csca)).built()
    return inspection(forger, sod, anchors=(pretend().csca,))


@case(clause="Doc 9303-12 §6", expect="Rejected/SIGNER_CERTIFICATE_FORGED")
def csca_of_a_forger_under_the_true_name_and_key_identifier(state):
    """The forger's CSCA is in the bag and says all that the true one says; the signer claims to come from that very key."""
    forger = pretend("UT", role="forger")
    parts = forger.parts.having(authority_key(key_identifier(state.csca_parts.public)))
    root = forger.csca_parts.having(subject_key(key_identifier(state.csca_parts.public))).signed(forger.csca_key)
    signer = forger.issue(parts)
    return inspection(state, replace(signer.sod(), certificates=(signer.certificate, root)).built())


@case(clause="Doc 9303-12 §6", expect="Undetermined/NO_TRUST_ANCHOR")
def csca_of_a_forger_under_the_true_name_alone(state):
    """Without the key identifier it might be a key that the inspector does not have yet."""
    forger = pretend("UT", role="forger")
    return inspection(state, forger.issue(forger.parts.lacking(AUTHORITY_KEY)).sod().built())


@case(clause="Doc 9303-12 §7.1", expect="Undetermined/NO_TRUST_ANCHOR")
def signer_that_signed_its_own_certificate(state):
    """Issuer and subject are itself."""
    own = key("ec:secp256r1", "forger")
    subject = pretended("UT", "Document Signer of itself")
    signer = Signer(key=own, certificate=signer_parts(subject, own.public, subject, own.public).signed(own))
    return inspection(state, signer.sod().built())


@case(clause="Doc 9303-12 §7.1: a document signer issues nothing", expect="Undetermined/NO_TRUST_ANCHOR")
def signer_that_was_issued_by_a_document_signer(state):
    """A stolen signer's key makes a signer of its own, with its true certificate in between."""
    own, true = key("ec:secp256r1", "forger"), state.signer
    parts = signer_parts(state.parts.subject, state.parts.public, pretended("UT", "Document Signer below"), own.public)
    below = Signer(key=own, certificate=parts.signed(true.key))
    return inspection(state, replace(below.sod(), certificates=(below.certificate, true.certificate)).built())


@case(clause="Doc 9303-12 §4.1: a CSCA certificate need not be valid at inspection")
def csca_that_expired_after_the_signer_was_issued(state):
    """A passport lives longer than the key that vouches for it."""
    root = state.csca_parts.valid(CSCA_START, NOW + YEAR).signed(state.csca_key)
    return inspection(state, anchors=(root,), at=NOW + 10 * YEAR)


@case(clause="Doc 9303-12 §7.1: validity of the CSCA", expect="Undetermined/CSCA_NOT_VALID_AT_ISSUE", over=("before", "after"))
def signer_issued_outside_the_validity_of_its_csca(state, when):
    """A certificate from before the CSCA began, or from after its end."""
    start = CSCA_START - DAY if when == "before" else CSCA_END + DAY
    signed = start + DAY / 2 if when == "before" else NOW
    signer = state.issue(state.parts.valid(start, start + YEAR))
    return inspection(state, signer.sod(at=signed).built())


@case(
    clause="Doc 9303-12 §7.1: privateKeyUsagePeriod of the CSCA",
    expect="Undetermined/CSCA_NOT_VALID_AT_ISSUE",
    over=("before", "after"),
)
def signer_issued_outside_the_key_period_of_its_csca(state, when):
    """The CSCA is valid, but its key was not yet, or no longer, to be used."""
    period = (NOW - 10 * DAY, NOW) if when == "before" else (CSCA_START, SIGNER_START - DAY)
    return inspection(state, anchors=(state.csca_parts.having(key_period(*period)).signed(state.csca_key),))


@case(clause="Doc 9303-12 §7.1: privateKeyUsagePeriod", over=("no start", "no end"))
def key_period_with_one_end(state, what):
    """Either end may be absent."""
    period = (None, CSCA_KEY_END) if what == "no start" else (CSCA_START, None)
    return inspection(state, anchors=(state.csca_parts.having(key_period(*period)).signed(state.csca_key),))


@case(clause="Doc 9303-12 §7.1: link certificate", over=("link first", "root first"))
def one_of_two_certificates_of_a_key_was_valid_at_issue(state, order):
    """The root's key period has run out, the link's covers the day: the State did vouch."""
    root = state.csca_parts.having(key_period(CSCA_START, SIGNER_START - DAY)).signed(state.csca_key)
    anchors = (state.csca, root)
    return inspection(state, anchors=anchors if order == "link first" else anchors[::-1])


@case(clause="Doc 9303-12 §7.1: validity")
def signer_that_outlives_its_csca(state):
    """States should not issue so; the CSCA's word of the day of issue stands."""
    return inspection(state, state.issue(state.parts.valid(SIGNER_START, CSCA_END + YEAR)).sod().built())


@case(
    clause="RFC 5280 §4.2.1.3: certificates are verified with a key for keyCertSign; Doc 9303-12 §7.1",
    expect="Undetermined/NO_TRUST_ANCHOR",
    over=("a list signer", "a document signer"),
)
def certificate_in_the_store_that_may_not_issue(state, what):
    """Lists hold certificates of list signers, directories those of document signers: neither makes a key a CSCA's."""
    own = key("ec:secp256r1", "list signer")
    subject = pretended("UT", "Signer of lists")
    holder = signer_parts(state.csca_parts.subject, state.csca_parts.public, subject, own.public)
    if what == "a list signer":
        holder = holder.having(extension(EXTENDED_KEY_USAGE, sequence(der.encode_oid("2.23.136.1.1.3")), critical=TRUE))
    below = signer_parts(subject, own.public, state.parts.subject, state.parts.public)
    signer = Signer(key=state.signer.key, certificate=below.signed(own))
    return inspection(state, signer.sod().built(), anchors=(holder.signed(state.csca_key),))
