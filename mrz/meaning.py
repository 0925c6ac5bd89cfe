"""What is odd about the meaning of a well-formed zone: warned about, never refused, never mended."""

from __future__ import annotations

from mrz import codes
from mrz.dates import MrzDate
from mrz.document_codes import oddity
from mrz.formats import Format
from mrz.record import Finding, finding

SEXES = frozenset("MF<")


def oddities(  # noqa: PLR0917  # by position, for each parse calls it
    form: Format, code: str, state: str, number: str, nationality: str, birth: MrzDate, sex: str, expiry: MrzDate
) -> list[Finding]:
    """Findings of the semantic layer, in the order of the fields. All values without trailing fillers."""
    odd: list[tuple[str, str, str]] = []
    if about_code := oddity(form.name, code, state):
        odd.append(("document_code", *about_code))
    if state not in codes.ISSUERS:
        odd.append(("issuing_state", *_about_state("issuing_state", state)))
    if not number:
        odd.append(("document_number", "document_number_missing", "letters or digits"))
    if nationality not in codes.NATIONALITIES:
        odd.append(("nationality", *_about_state("nationality", nationality)))
    if not birth.possible:
        odd.append(("date_of_birth", "date_of_birth_impossible", "YYMMDD of a day that exists"))
    if sex not in SEXES:
        odd.append(("sex", "sex_unknown", "M, F or <; X belongs to the visual zone"))
    if not expiry.possible:
        odd.append(("date_of_expiry", "date_of_expiry_impossible", "YYMMDD of a day that exists"))
    elif not expiry.complete:
        odd.append(("date_of_expiry", "date_of_expiry_incomplete", "YYMMDD; only a date of birth may be unknown"))
    return [_placed(form, *each) for each in odd]


def _placed(form: Format, name: str, what: str, expected: str) -> Finding:
    place = form.field(name)
    return finding("semantic", place.line, place.first, what, expected)


def _about_state(name: str, code: str) -> tuple[str, str]:
    if code == codes.MASTER_LIST_SIGNER:
        return f"{name}_signs_master_lists_only", "a State or organization that issues travel documents"
    if code in codes.SPECIMENS:
        return f"{name}_specimen", "a State or organization; Utopia stands on specimens"
    if code in codes.NO_ISSUERS:
        return f"{name}_is_no_issuer", "a State or organization; this code is a kind of nationality"
    return f"{name}_unknown", "a code of Doc 9303-3 §5"
