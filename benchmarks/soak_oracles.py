"""Changed documents and certificates put to us, to OpenSSL and to asn1crypto. Whoever disagrees must have a reason that stands here.

A word counts each outcome; a disagreement without a reason fails. OpenSSL is the library of the ``openssl`` command, called directly:
``cms -verify -noverify`` and ``x509`` without a process for each case.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from asn1crypto import cms as oracle_cms
from asn1crypto import x509 as oracle_x509

from benchmarks.pki_store import absent, certificates_in_the_lists
from benchmarks.soak_cases import NOW, Case, spoil
from pki import der, sim
from pki.certificates import parse_certificate
from pki.errors import PkiError
from pki.passive_authentication import authenticate_sod
from pki.results import SignedHashes
from pki.sod import parse_sod
from pki.trust import Csca, TrustStore

KINDS = ("rsa:2048", "ec:P-256", "ec:brainpoolP256r1", "ec:brainpoolP512r1")


# --- OpenSSL


class OpenSsl:
    """Two questions to libcrypto. Malformed bytes are a no. Raises OSError where the library is absent."""

    NO_CHAIN = 0x20  # CMS_NO_SIGNER_CERT_VERIFY

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
        for name in ("d2i_CMS_ContentInfo", "d2i_X509", "BIO_new", "BIO_s_null", "X509_get0_pubkey"):
            getattr(self._lib, name).restype = ctypes.c_void_p

    def signed(self, content_info: bytes) -> bool:
        """Structure, digest and signature of one SignedData."""
        found = self._decoded("d2i_CMS_ContentInfo", content_info)
        if not found:
            return False
        nowhere = ctypes.c_void_p(self._lib.BIO_new(ctypes.c_void_p(self._lib.BIO_s_null())))
        good = self._lib.CMS_verify(found, None, None, None, nowhere, self.NO_CHAIN)
        self._lib.BIO_free(nowhere)
        self._lib.CMS_ContentInfo_free(found)
        self._lib.ERR_clear_error()
        return bool(good == 1)

    def issued(self, issuer: bytes, certificate: bytes) -> bool:
        """Whether the issuer's key signed the certificate."""
        authority, subject = self._decoded("d2i_X509", issuer), self._decoded("d2i_X509", certificate)
        key = ctypes.c_void_p(self._lib.X509_get0_pubkey(authority)) if authority else None
        good = self._lib.X509_verify(subject, key) if subject and key else 0
        for each in (authority, subject):
            self._lib.X509_free(each)
        self._lib.ERR_clear_error()
        return bool(good == 1)

    def _decoded(self, decoder: str, encoded: bytes) -> ctypes.c_void_p | None:
        start = ctypes.c_char_p(encoded)
        found = getattr(self._lib, decoder)(None, ctypes.byref(start), ctypes.c_long(len(encoded)))
        return ctypes.c_void_p(found) if found else None


# --- documents

GENUINE_IN = 50
"""One case in so many is left as it is: both judges must still be able to say yes."""
WE_ALONE_REFUSE = {
    "WRONG_CONTENT_TYPE": "OpenSSL takes any type of content (Doc 9303-10 §4.6.2.2 names one)",
    "CONTENT_TYPE_MISMATCH": "OpenSSL does not compare the signed attribute with the content's type (RFC 5652 §11.1)",
    "UNSUPPORTED_ALGORITHM": "OpenSSL takes the kind of signature from the key, whatever the SignerInfo says",
    "MALFORMED": "OpenSSL reads BER and does not see the tag of EF.SOD",
}
OPENSSL_ALONE_REFUSES = {
    "digest_algorithms": "a hint before the content (RFC 5652 §5.1): OpenSSL hashes by nothing else, we by the SignerInfo",
    "sid": "we compare names without regard to letter case and to string types (RFC 5280 §7.1)",
}


@contextmanager
def documents() -> Iterator[Case]:
    """A changed EF.SOD: its signature and its signer's certificate judged by us and by OpenSSL, what it says read by asn1crypto too."""
    openssl = OpenSsl()
    genuine = []
    for kind in KINDS:
        state = sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=kind)
        genuine.append((state.sign_sod({1: b"data group 1", 2: bytes(500)}), state))

    def case(dice: random.Random) -> str:
        sod, state = dice.choice(genuine)
        spoilt = spoil(sod, dice) if dice.randrange(GENUINE_IN) else sod
        code = _our_word(spoilt, state.csca)
        theirs = _openssl_says(openssl, spoilt, state.csca)
        if not code:
            _agrees_with_asn1crypto(spoilt)
        if (code == "") == theirs:
            return "both accept" if theirs else "both refuse"
        if theirs:
            assert code in WE_ALONE_REFUSE, f"{code}: {spoilt.hex()}"
            return f"we alone refuse: {code}"
        part = _changed_part(spoilt, sod)
        assert part in OPENSSL_ALONE_REFUSES, f"{part}: {spoilt.hex()}"
        return f"OpenSSL alone refuses: {part}"

    yield case


def _our_word(sod: bytes, csca: bytes) -> str:
    """Our reason code; empty where signature and certificate are good."""
    result = authenticate_sod(sod, _trust(csca), NOW)
    return "" if isinstance(result, SignedHashes) else str(result.code.value)


@cache
def _trust(csca: bytes) -> TrustStore:
    return TrustStore(anchors=(Csca.of(csca, provenance="pretend State"),), demo=True)


def _openssl_says(openssl: OpenSsl, sod: bytes, csca: bytes) -> bool:
    """Of the message in the file (which openssl does not know), and of the certificate in it as asn1crypto finds it."""
    try:
        message = der.read(sod).content
    except PkiError:
        message = sod[4:]
    if not openssl.signed(message):
        return False
    certificates = oracle_cms.ContentInfo.load(message)["content"]["certificates"]
    return any(openssl.issued(csca, certificate.dump()) for certificate in certificates)


def _agrees_with_asn1crypto(sod: bytes) -> None:
    """What we believed is what it reads. Raises AssertionError."""
    ours = parse_sod(sod)
    signer, theirs = ours.signers[0], oracle_cms.ContentInfo.load(der.read(sod).content)["content"]
    told = theirs["signer_infos"][0]
    assert ours.content == theirs["encap_content_info"]["content"].contents, sod.hex()
    assert ours.certificates[0] == theirs["certificates"][0].dump(), sod.hex()
    assert signer.signature == told["signature"].native, sod.hex()
    assert signer.serial == told["sid"].chosen["serial_number"].native, sod.hex()
    assert signer.signed_attributes[1:] == told["signed_attrs"].dump()[1:], sod.hex()


def _changed_part(sod: bytes, genuine: bytes) -> str:
    """The first part, as asn1crypto names it, in which two documents differ."""
    ours, theirs = (oracle_cms.ContentInfo.load(der.read(each).content)["content"] for each in (sod, genuine))
    for name in ("version", "digest_algorithms", "encap_content_info", "certificates"):
        if ours[name].dump() != theirs[name].dump():
            return name
    signers = ours["signer_infos"][0], theirs["signer_infos"][0]
    return next((name for name in signers[0] if signers[0][name].dump() != signers[1][name].dump()), "nothing")


# --- certificates

WE_ALONE_REFUSE_TO_READ = {
    "signature algorithm differs": "asn1crypto does not compare the two (RFC 5280 §4.1.1.2)",
    "indefinite or too long a length": "asn1crypto reads BER",
    "malformed object identifier": "asn1crypto reads arcs that are cut off or longer than any in use",
    "malformed time": "asn1crypto reads times in more forms than DER has",
    "no such time": "a date that no calendar has, in a part that asn1crypto was not asked for",
    "bit string with unused bits": "asn1crypto takes a signature that ends within an octet",
    "malformed bit string": "asn1crypto does not count the unused bits of one that it was not asked for",
    "extension": "asn1crypto takes one of two (RFC 5280 §4.2: not more than one)",
    # Behind what it was asked for, asn1crypto does not look: names, extensions and the ends of sequences are parsed on demand.
    "tag ": "a part that asn1crypto was not asked for, or passes over as optional",
    "reaches beyond its container": "inside a part that asn1crypto was not asked for",
    "more than ": "asn1crypto does not look for the end of an explicit tag, and counts nothing",
    "ends too early": "members that asn1crypto was not asked for may be missing",
    "ends in a header": "inside a part that asn1crypto was not asked for",
    "octets after the end": "inside a part that asn1crypto was not asked for",
    "unexpected element": "behind the parts that asn1crypto was asked for",
}
"""How the detail of our error begins → why asn1crypto reads such a certificate. The other way round it parses each extension, also
those that are not read here."""
READ_DIFFERENTLY = {
    ("key_period",): "a part of privateKeyUsagePeriod that is unknown: asn1crypto then reads neither bound, we the other one",
    ("identifiers",): "octets behind the key identifier inside its extension: asn1crypto passes over them, we take it for absent",
    ("key_usage",): "a bit set among those that are said to be unused: asn1crypto leaves it out",
}


@contextmanager
def certificates() -> Iterator[Case]:
    """A changed certificate (of the published ones, where they are): read by us and asn1crypto, its signature judged by us and OpenSSL."""
    openssl = OpenSsl()
    if absent():
        states = [sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=kind) for kind in KINDS]
        genuine = [each for state in states for each in (state.csca, state.signer.certificate)]
    else:
        genuine = certificates_in_the_lists()

    def case(dice: random.Random) -> str:
        whole = dice.choice(genuine)
        spoilt = spoil(whole, dice) if dice.randrange(GENUINE_IN) else whole
        ours, theirs = _our_reading(spoilt), _asn1crypto_reading(spoilt)
        if ours is None or theirs is None:
            return _one_refused(spoilt, by_us=ours is None, by_both=ours is theirs)
        differs = tuple(name for name in ours if ours[name] != theirs[name])
        assert not differs or differs in READ_DIFFERENTLY, f"{differs}: {spoilt.hex()}"
        if differs:
            return f"read differently: {differs[0]}"
        signed = _self_issued(whole, spoilt)
        assert signed == openssl.issued(whole, spoilt), spoilt.hex()
        return "read alike, " + ("signature good by both" if signed else "signature of nobody by both")

    yield case


def _one_refused(certificate: bytes, *, by_us: bool, by_both: bool) -> str:
    if by_both:
        return "both refuse"
    if not by_us:
        return "asn1crypto alone refuses"
    detail = _refusal(certificate)
    reason = next((start for start in WE_ALONE_REFUSE_TO_READ if detail.startswith(start)), None)
    assert reason is not None, f"{detail}: {certificate.hex()}"
    return f"we alone refuse: {reason.strip()}"


def _refusal(certificate: bytes) -> str:
    try:
        parse_certificate(certificate)
    except PkiError as error:
        return error.detail
    return ""


def _self_issued(issuer: bytes, certificate: bytes) -> bool:
    try:
        return parse_certificate(issuer).issued(parse_certificate(certificate))
    except PkiError:
        return False


def _our_reading(encoded: bytes) -> dict[str, Any] | None:
    try:
        ours = parse_certificate(encoded)
    except PkiError:
        return None
    extensions = ours.extensions
    return {
        "serial": ours.serial,
        "names": (ours.subject.encoded, ours.issuer.encoded),
        "validity": (ours.not_before, ours.not_after),
        "key": ours.subject_public_key_info,
        "signature": ours.signature,
        "identifiers": (extensions.subject_key_identifier, extensions.authority_key_identifier),
        "key_usage": extensions.key_usage,
        "is_issuer": extensions.is_issuer,
        "key_period": (extensions.key_period_start, extensions.key_period_end),
    }


def _asn1crypto_reading(encoded: bytes) -> dict[str, Any] | None:
    """None where it raises: what it raises is not one type."""
    try:
        theirs = oracle_x509.Certificate.load(encoded, strict=True)
        signed, period = theirs["tbs_certificate"], theirs.private_key_usage_period_value
        usage, constraints = theirs.key_usage_value, theirs.basic_constraints_value
        bits = oracle_x509.KeyUsage._map.items()
        return {
            "serial": theirs.serial_number,
            "names": (signed["subject"].dump(), signed["issuer"].dump()),
            "validity": (signed["validity"]["not_before"].native, signed["validity"]["not_after"].native),
            "key": signed["subject_public_key_info"].dump(),
            "signature": theirs.signature,
            "identifiers": (theirs.key_identifier, theirs.authority_key_identifier),
            "key_usage": None if usage is None else sum(1 << bit for bit, name in bits if name in usage.native),
            "is_issuer": bool(constraints and constraints["ca"].native),
            "key_period": (period["not_before"].native, period["not_after"].native) if period else (None, None),
        }
    except Exception:  # noqa: BLE001 - an oracle that stumbles refuses
        return None
