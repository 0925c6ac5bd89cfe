"""Was the offer by which the chip was opened the State's, or an attacker's? (Doc 9303-11 §4.2, §9.2.11)

EF.CardAccess is read first, in the clear, and signed by nobody. Who takes PACE out of it, or leaves the file away, has a chip read
over basic access control; who adds to it chooses the domain parameters that a password is risked on. So the inspection system must
compare it with DG14 or EF.CardSecurity, both of which hold a copy of all of it, once these are verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pki.card_security import CardSecurity, CardSecurityVerdict
from pki.errors import PkiError
from pki.results import Authentic
from pki.security_infos import SecurityInfos, parse_card_access, parse_data_group_14


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAccessVerdict:
    """``code`` says why, empty where the offers agree; ``offers_cam``: EF.CardAccess offers PACE with chip authentication mapping.

    ``agrees``: EF.CardAccess offers just the PACE that the signed copy offers. ``not_offered``: neither offers any.
    ``differs``: an alarm; the signed copy offers what EF.CardAccess hid, or other than it showed, or cannot be read where the
    signed document says there is one. ``unsigned``: EF.CardAccess offers PACE, and the document signs no copy to compare it with.
    """

    verdict: Literal["agrees", "not_offered", "differs", "unsigned"]
    code: str = ""
    detail: str = ""
    offers_cam: bool = False


def card_access_agrees(
    card_access: bytes | None, pa: Authentic, *, card_security: CardSecurityVerdict | None = None
) -> CardAccessVerdict:
    """Compare EF.CardAccess as read (None: the chip has none) with the verified DG14 of ``pa``, and with ``card_security`` where that
    was read and verified; it stands in for DG14 where the SOD lists none. Raises nothing on any bytes.
    """
    try:
        shown = parse_card_access(card_access) if card_access is not None else SecurityInfos()
    except PkiError as error:
        return CardAccessVerdict(verdict="differs", code="CARD_ACCESS_MALFORMED", detail=error.detail)
    if pa.lists_dg14 and 14 not in pa.data_groups:
        return _verdict(shown, "differs", "DG14_NOT_READ", "the SOD lists DG14, it was not read")
    try:
        copies = [parse_data_group_14(pa.data_groups[14])] if pa.lists_dg14 else []
    except PkiError as error:
        return _verdict(shown, "differs", "DG14_MALFORMED", error.detail)
    if isinstance(card_security, CardSecurity) and card_security.issuing_country == pa.issuing_country:
        copies.append(card_security.infos)
    return _compared(shown, copies)


def _compared(shown: SecurityInfos, copies: list[SecurityInfos]) -> CardAccessVerdict:
    # A copy without any PACE is no copy: chips older than the rule sign DG14 for chip authentication alone.
    signed = [copy for copy in copies if copy.pace]
    if not shown.pace:
        if signed:
            return _verdict(shown, "differs", "PACE_HIDDEN", f"signed are {_named(signed[0])}, EF.CardAccess shows none")
        return _verdict(shown, "not_offered", "PACE_NOT_OFFERED", "neither EF.CardAccess nor the signed document offers PACE")
    if not signed:
        return _verdict(shown, "unsigned", "PACE_OFFER_NOT_SIGNED", f"nothing signed to compare {_named(shown)} with")
    for copy in signed:
        if (copy.pace, copy.pace_parameters) != (shown.pace, shown.pace_parameters):
            return _verdict(shown, "differs", _difference(shown, copy), f"signed are {_named(copy)}, shown {_named(shown)}")
    return _verdict(shown, "agrees", "", "")


def _difference(shown: SecurityInfos, copy: SecurityInfos) -> str:
    if copy.pace - shown.pace:
        return "PACE_OFFER_REDUCED"
    return "PACE_OFFER_EXTENDED" if shown.pace - copy.pace else "PACE_PARAMETERS_DIFFER"


def _named(infos: SecurityInfos) -> str:
    return ", ".join(sorted(f"{info.oid} with {info.parameter_id}" for info in infos.pace))[:200]


def _verdict(
    shown: SecurityInfos, verdict: Literal["agrees", "not_offered", "differs", "unsigned"], code: str, detail: str
) -> CardAccessVerdict:
    return CardAccessVerdict(verdict=verdict, code=code, detail=detail, offers_cam=shown.offers_cam)
