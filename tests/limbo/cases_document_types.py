"""documentTypeList: which kinds of document a signer may sign (Doc 9303-12 §7.1)."""

from __future__ import annotations

from forge import DATA_GROUPS, DOCUMENT_TYPES, TRUE, State, data_group_1, document_types, extension, mrz, security_object
from forge_keys import sequence
from inspection import Inspection, case, inspection

from pki import der


def document_by(state: State, value: bytes, code: str = "P<", *, critical: bytes = b"") -> Inspection:
    signer = state.issue(state.parts.having(extension(DOCUMENT_TYPES, value, critical=critical)))
    groups = {**DATA_GROUPS, 1: data_group_1(mrz(code=code))}
    return inspection(state, signer.sod(security_object(groups)).built(), data_groups=groups)


@case(clause="Doc 9303-12 §7.1: documentTypeList", over=(("P",), ("I", "P"), ("P", "V", "A")))
def signer_of_passports_signs_a_passport(state, types):
    """The type of the document is in the list."""
    return document_by(state, document_types(*types))


@case(clause="Doc 9303-12 §7.1: documentTypeList", over=("PD", "PS"))
def signer_of_passports_with_a_letter_of_the_state(state, code):
    """The list holds the code as it stands in the MRZ; its second letter is the State's own."""
    return document_by(state, document_types("P", code), code)


@case(clause="Doc 9303-12 §7.1: documentTypeList", expect="Rejected/DOCUMENT_TYPE_MISMATCH", over=(("I",), ("AC",), ("V", "I")))
def signer_of_other_documents_signs_a_passport(state, types):
    """A key for identity cards, crew certificates or visas is kept less closely than one for passports."""
    return document_by(state, document_types(*types))


@case(
    clause="Doc 9303-12 §7.1: documentTypeList",
    expect="Rejected/DOCUMENT_TYPE_MISMATCH",
)
def signer_of_no_documents_signs_a_passport(state):
    """The list is there and names no type: the signer may sign none."""
    return document_by(state, document_types())


@case(clause="Doc 9303-12 §7.1: documentTypeList", expect="Rejected/DOCUMENT_TYPE_MISMATCH")
def signer_of_passports_signs_a_card(state):
    """The other way round."""
    return document_by(state, document_types("P"), "I<")


@case(clause="Doc 9303-12 §7.1: documentTypeList", expect="Undetermined/MALFORMED", over=("not a sequence", "no list"))
def list_of_types_that_cannot_be_read(state, what):
    """What the signer may sign is not known."""
    value = der.encode(der.SET, der.encode(0x13, b"P")) if what == "not a sequence" else sequence(der.encode_integer(0))
    return document_by(state, value)


@case(
    clause="Doc 9303-12 §7.1: DocumentType is a PrintableString",
    expect="Undetermined/MALFORMED",
)
def list_of_types_that_are_no_text(state):
    """The number 80 is not the letter P."""
    return document_by(state, sequence(der.encode_integer(0), der.encode_set([der.encode_integer(80)])))


@case(clause="RFC 5280 §4.2")
def list_of_types_marked_critical(state):
    """The profile does not mark it so; whoever understands it may go on."""
    return document_by(state, document_types("P"), critical=TRUE)
