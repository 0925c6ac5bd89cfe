"""Countries: the State of the MRZ, of the signer and of the CSCA are one."""

from __future__ import annotations

from dataclasses import replace

from forge import DATA_GROUPS, State, data_group_1, mrz, pretend, pretended, security_object
from inspection import Inspection, case, inspection

from pki import der


def document_of(state: State, code: str, text: bytes | None = None, **more) -> Inspection:
    """A document whose MRZ names ``code`` as its issuing State."""
    groups = {**DATA_GROUPS, 1: data_group_1(mrz(code) if text is None else text)}
    return inspection(state, state.sod(security_object(groups)), data_groups=groups, **more)


@case(
    clause="Doc 9303-3 §5: codes for States and organizations",
    over=(("D", "DE"), ("GBD", "GB"), ("GBN", "GB"), ("GBO", "GB"), ("GBP", "GB"), ("GBS", "GB"), ("RKS", "KS"), ("RKS", "XK"),
          ("UNO", "UN"), ("UNA", "UN"), ("UNK", "UN"), ("EUE", "EU"), ("UTO", "UT"), ("IDN", "ID"), ("CHE", "CH")),
)  # fmt: skip
def code_of_the_mrz_and_country_of_the_certificates(_state, codes):
    """Germany has one letter, Britain six codes, Kosovo and the organizations codes of their own."""
    code, country = codes
    return document_of(pretend(country), code)


@case(clause="Doc 9303-12 §7.1: countryName in upper case", over=("signer", "csca", "both"))
def country_in_lower_case(_state, where):
    """Some States write theirs in lower case."""
    lower, upper = pretend("ut"), pretend("UT")
    subject = {"signer": lower, "csca": upper, "both": lower}[where].parts.subject
    root = {"signer": upper, "csca": lower, "both": lower}[where]
    return document_of(replace(root, signer=root.issue(root.parts.but(subject=subject))), "UTO")


@case(
    clause="Doc 9303-12 §7.1: countryName is a code of two letters",
)
def csca_whose_country_has_three_letters(_state):
    """One State's CSCA writes the three letters of the MRZ: the same State, and no reason to reject its documents."""
    lithuania, subject = pretend("LT"), pretended("LTU", "CSCA Pretendia")
    root = lithuania.csca_parts.but(subject=subject, issuer=subject).signed(lithuania.csca_key)
    signer = lithuania.issue(lithuania.parts.but(issuer=subject))
    return document_of(replace(lithuania, csca=root, signer=signer), "LTU")


@case(clause="Doc 9303-12 §7.1: countryName", expect="Rejected/ISSUING_COUNTRY_MISMATCH", over=("D", "IDN", "GBR"))
def state_that_vouches_for_anothers_document(state, code):
    """All signatures are good, the CSCA is trusted: for its own documents, not for those of others."""
    return document_of(state, code)


@case(clause="Doc 9303-12 §7.1: countryName", expect="Rejected/ISSUING_COUNTRY_MISMATCH")
def state_that_signs_as_another(_state):
    """The signer's certificate names the victim, the CSCA its own State."""
    rogue = pretend("XX", label="Elsewhere")
    parts = rogue.parts.but(subject=pretended("UT", "Document Signer Pretendia"))
    return document_of(replace(rogue, signer=rogue.issue(parts)), "UTO", anchors=(rogue.csca, pretend().csca))


@case(clause="Doc 9303-12 §7.1: issuer and subject name one country", expect="Rejected/ISSUING_COUNTRY_MISMATCH")
def signer_that_names_another_issuer_than_signed_it(_state):
    """Issuer and subject are the victim's, the key that signed is the rogue's, and the identifier leads to it."""
    rogue = pretend("XX", label="Elsewhere")
    parts = rogue.parts.but(subject=pretend().parts.subject, issuer=pretend().parts.issuer)
    return document_of(replace(rogue, signer=rogue.issue(parts)), "UTO", anchors=(rogue.csca, pretend().csca))


@case(clause="Doc 9303-3 §5", expect="Undetermined/ISSUING_STATE_UNKNOWN", over=("XYZ", "<<<", "ut<", "U", "000"))
def code_that_no_state_has(state, code):
    """An unknown code is of no State, and so not of the one that signed."""
    return document_of(state, code)


@case(clause="Doc 9303-3 §5", expect="Rejected/ISSUING_COUNTRY_MISMATCH")
def printed_state_is_another_than_the_signed_one(state):
    """The MRZ in print counts where it is at hand."""
    return inspection(state, issuing_state="D<<")


@case(clause="Doc 9303-3 §5", over=("UTO",))
def printed_state_is_the_signed_one(state, code):
    """The MRZ in print, DG1 not read yet."""
    return inspection(state, data_groups={2: DATA_GROUPS[2]}, issuing_state=code)


@case(clause="Doc 9303-11 §5.1", expect="Undetermined/ISSUING_STATE_UNKNOWN")
def neither_mrz_nor_data_group_1(state):
    """Whose document it is cannot be said."""
    return inspection(state, data_groups={2: DATA_GROUPS[2]})


@case(clause="Doc 9303-4, -5, -6 §4.2: characters 3 to 5", over=(88, 72, 90))
def issuing_state_in_each_size_of_document(state, size):
    """Passports, cards of size 1 and 2."""
    text = (b"P<UTO" if size == 88 else b"I<UTO").ljust(size, b"<")
    return document_of(state, "", text)


@case(clause="Doc 9303-10 §4.7.1: DG1 holds an MRZ", expect="Undetermined/MALFORMED", over=(0, 5, 87, 91))
def data_group_1_of_another_length(state, size):
    """Signed, and no MRZ."""
    return document_of(state, "", b"P<UTO".ljust(size, b"<")[:size])


@case(clause="Doc 9303-10 §4.7.1", expect="Undetermined/MALFORMED", over=("tag", "inner tag", "two"))
def data_group_1_that_is_something_else(state, what):
    """Signed as DG1, and another file, another data object, or two of them."""
    inner = der.encode(0x5F1F, mrz())
    group = {
        "tag": der.encode(0x75, inner),
        "inner tag": der.encode(0x61, der.encode(0x5F0E, mrz())),
        "two": der.encode(0x61, inner, inner),
    }[what]
    groups = {**DATA_GROUPS, 1: group}
    return inspection(state, state.sod(security_object(groups)), data_groups=groups)
