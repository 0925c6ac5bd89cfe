"""Reason codes of the room, and its one family of errors.

A code alone decides which of the two bad verdicts a finding becomes (:attr:`ReasonCode.rejects`), so the table below is the
whole policy of this room: *rejected* where the proof contradicts itself or the trust store, *undetermined* where something
is missing, unknown or unreadable. Neither opens a gate.
"""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class ReasonCode(StrEnum):
    """Why a document is not authentic."""

    # rejected: the electronic proof is wrong
    CONTENT_TYPE_MISMATCH = "CONTENT_TYPE_MISMATCH"
    MESSAGE_DIGEST_MISMATCH = "MESSAGE_DIGEST_MISMATCH"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SIGNER_CERTIFICATE_FORGED = "SIGNER_CERTIFICATE_FORGED"
    """Names a trusted CSCA by subject *and* key identifier, but that CSCA's key did not sign it."""
    SIGNER_NOT_ENTITLED = "SIGNER_NOT_ENTITLED"
    """The certificate is a CSCA's, or one for master lists and the like: its key may not sign documents."""
    ISSUING_COUNTRY_MISMATCH = "ISSUING_COUNTRY_MISMATCH"
    """Signer, CSCA and MRZ do not name one State: a State vouching for another's document."""
    DOCUMENT_TYPE_MISMATCH = "DOCUMENT_TYPE_MISMATCH"
    """The signer's certificate limits it to documents of other types."""
    SIGNER_REVOKED = "SIGNER_REVOKED"
    CSCA_REVOKED = "CSCA_REVOKED"
    """The State itself revoked the CSCA certificate behind the signer (Doc 9303-12 §4.2)."""
    DATA_GROUP_NOT_SIGNED = "DATA_GROUP_NOT_SIGNED"
    DATA_GROUP_HASH_MISMATCH = "DATA_GROUP_HASH_MISMATCH"

    # undetermined: nothing is proven, nothing is disproven
    MALFORMED = "MALFORMED"
    """Bytes that cannot be read: a reading fault, an issuer's defect or an attack; a machine cannot tell."""
    SIGNER_COUNT = "SIGNER_COUNT"
    """None or several SignerInfos (Doc 9303-10 §4.6.2.3 recommends one): which of them counts is not ours to choose."""
    WRONG_CONTENT_TYPE = "WRONG_CONTENT_TYPE"
    """Not an LDS security object by name. Genuine documents with id-data are known, so this is no proof of forgery."""
    SIGNER_NOT_FOUND = "SIGNER_NOT_FOUND"
    UNSUPPORTED_ALGORITHM = "UNSUPPORTED_ALGORITHM"
    UNSUPPORTED_CURVE = "UNSUPPORTED_CURVE"
    UNSUPPORTED_EXTENSION = "UNSUPPORTED_EXTENSION"
    """A critical extension in the signer certificate that is unknown here."""
    NO_TRUST_ANCHOR = "NO_TRUST_ANCHOR"
    SEARCH_EXHAUSTED = "SEARCH_EXHAUSTED"
    """More anchors could have issued the certificate than signatures are checked for one document."""
    CSCA_NOT_VALID_AT_ISSUE = "CSCA_NOT_VALID_AT_ISSUE"
    CERTIFICATE_NOT_VALID_AT_SIGNING = "CERTIFICATE_NOT_VALID_AT_SIGNING"
    SIGNED_IN_FUTURE = "SIGNED_IN_FUTURE"
    """The signing time lies ahead of the clock: one of the two is wrong."""
    ISSUING_STATE_UNKNOWN = "ISSUING_STATE_UNKNOWN"
    """No country in a certificate, or an MRZ code of no known State."""

    # about a trust store, never about a document
    STORE_NOT_SIGNED = "STORE_NOT_SIGNED"
    """Fewer of the accepted people signed the trust store than must."""
    STORE_OUTDATED = "STORE_OUTDATED"
    """Properly signed once, but before the trust store that was in force."""

    @property
    def rejects(self) -> bool:
        """True: the verdict is *rejected*. False: *undetermined*."""
        return self in _REJECTING


_REJECTING = frozenset(
    {
        ReasonCode.CONTENT_TYPE_MISMATCH,
        ReasonCode.MESSAGE_DIGEST_MISMATCH,
        ReasonCode.SIGNATURE_INVALID,
        ReasonCode.SIGNER_CERTIFICATE_FORGED,
        ReasonCode.SIGNER_NOT_ENTITLED,
        ReasonCode.ISSUING_COUNTRY_MISMATCH,
        ReasonCode.DOCUMENT_TYPE_MISMATCH,
        ReasonCode.SIGNER_REVOKED,
        ReasonCode.CSCA_REVOKED,
        ReasonCode.DATA_GROUP_NOT_SIGNED,
        ReasonCode.DATA_GROUP_HASH_MISMATCH,
    }
)


class PkiError(Exception):
    """Base of all errors of this room: ``code`` says what kind, ``detail`` what was met, in one line.

    Parsers raise it. The verdict functions turn it into a value and raise nothing.
    """

    def __init__(self, code: ReasonCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class DerError(PkiError):
    """Bytes that are not the ASN.1 structure they should be; ``offset`` is where in the outermost value."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(ReasonCode.MALFORMED, f"{what} at offset {offset}")
        self.what, self.offset = what, offset

    def moved(self, by: int) -> DerError:
        """The same error, its offset counted from ``by`` octets earlier."""
        return DerError(self.what, self.offset + by)
