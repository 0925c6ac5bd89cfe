"""Why a book did not pass, in the words of reports: each cause and the reason codes that mean it. A referral may have several causes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

Causes = Mapping[str, frozenset[str]]

OTHER = "other"
"""What is left: none of the causes of a table was among the reasons."""

_PERMIT = frozenset({"EXIT_PERMIT_MISSING", "EXIT_PERMIT_EXPIRED", "EXIT_PERMIT_USED", "EXIT_PERMIT_MISMATCH"})
_ISSUER_SILENT = frozenset({"ISSUANCE_UNAVAILABLE", "CONNECTED_ONE_UNAVAILABLE"})
_PERMIT_SILENT = frozenset({"EXIT_PERMIT_UNAVAILABLE"})
_SILENT = frozenset(
    {"WATCHLIST_UNAVAILABLE", "LOST_AND_STOLEN_UNAVAILABLE", "STAY_PERMIT_UNAVAILABLE", "DECLARATION_UNAVAILABLE"}
)
_UNREAD = frozenset({"CHIP_UNREADABLE", "CHIP_ACCESS_FAILED", "CHIP_LEFT_FIELD"})

OFFICIAL: Causes = {
    "chip unread": _UNREAD,
    "no chip in the book": frozenset({"CHIPLESS_BOOK"}),
    "no trust anchor": frozenset({"NO_TRUST_ANCHOR"}),
    "no biometric record": frozenset({"NO_BIOMETRIC_RECORD"}),
    "class not enabled": frozenset({"CLASS_NOT_ENABLED"}),
    "no exit permit": _PERMIT,
    "issuer down": _ISSUER_SILENT,
    "permit registry down": _PERMIT_SILENT,
}
"""Why a service or diplomatic book did not pass: the questions of the trial at Soekarno-Hatta and Ngurah Rai."""

ISSUED: Causes = {
    "chip": _UNREAD | {"CHIP_CHANGED", "CHIP_NOT_EXPECTED", "CHIP_ACCESS_DOWNGRADED"},
    "electronic proof": frozenset(
        {
            "PA_SIGNATURE_OR_HASH_BAD",
            "PA_UNDETERMINED",
            "NO_TRUST_ANCHOR",
            "SIGNER_REVOKED",
            "DG1_MRZ_DIFFERENT",
            "CARD_ACCESS_DIFFERS",
            "CARD_ACCESS_UNSIGNED",
            "CHIP_NOT_GENUINE",
            "CHIP_AUTHENTICITY_NOT_SUPPORTED",
            "CHIP_AUTHENTICITY_UNDETERMINED",
        }
    ),
}
"""What the office that issued a book answers for."""

CAPTURED: Causes = {
    "biometric record": frozenset({"NO_BIOMETRIC_RECORD"}),
    "portrait": frozenset({"NO_REFERENCE_IMAGE", "PORTRAIT_NOT_ISSUED"}),
    "face": frozenset({"FACE_NO_MATCH", "FACE_POOR_QUALITY"}),
}
"""What the office answers for that took the biometrics. Under Connected One it need not be the one that issued the book."""
BESIDE: Causes = {"exit permit": _PERMIT, "registry silent": _SILENT | _ISSUER_SILENT | _PERMIT_SILENT}
"""To be seen beside it; no office answers for these."""


def causes_of(reasons: Collection[str], causes: Causes) -> list[str]:
    """The causes among ``reasons``, in the table's order; :data:`OTHER` alone where none of them is there."""
    return [cause for cause, codes in causes.items() if not codes.isdisjoint(reasons)] or [OTHER]
