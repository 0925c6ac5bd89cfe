"""Chip authentication (Doc 9303-11 §6.2), the terminal's side. Sans-IO.

The chip proves that it holds the private key to a public key in DG14: only then can it go on under the session keys agreed here.
The proof counts only once passive authentication has bound DG14; that is for others to judge.

Version 1 is that of Doc 9303. Version 2 (BSI TR-03110-3 §A.4) answers with a nonce and a token as well; real chips want terminal
authentication before it, so it stands behind version 1 of the same strength.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hardware.emrtd import tlv
from hardware.emrtd.apdu import OK, SHORT_NE, CommandApdu, ResponseApdu
from hardware.emrtd.cipher_suites import SUITES, CipherSuite, authentication_token
from hardware.emrtd.domain_parameters import read_key
from hardware.emrtd.elliptic_curve import Curve
from hardware.emrtd.errors import ChipError, TlvError
from hardware.emrtd.groups import Element, KeyAgreementGroup, Random
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import (
    ID_CA,
    ID_PK,
    ChipAuthenticationInfo,
    SecurityInfos,
    encode_oid,
    parse_security_infos,
)

DG14, DG14_TAG = "DG14", 0x6E
ELLIPTIC = "2"
"""The arc of elliptic curves under id-CA and id-PK; Diffie-Hellman has 1."""
MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE = 0x22, 0x86
SET_KEY_AGREEMENT, SET_AUTHENTICATION = (0x41, 0xA6), (0x41, 0xA4)
DO_MECHANISM, DO_KEY_REFERENCE, DO_EPHEMERAL_KEY, DO_DYNAMIC = 0x80, 0x84, 0x91, 0x7C
DO_NONCE, DO_TOKEN = 0x81, 0x82
NONCE = 8
"""Octets of r_PICC in version 2."""
MAX_OFFERS = 4
"""Offers whose key is looked at: chips make one to three, and each look may cost milliseconds."""
PROTOCOLS: Mapping[str, CipherSuite] = MappingProxyType(
    {f"{ID_CA}{family}.{arc}": suite for family in ("1", "2") for arc, suite in SUITES.items()}
)
"""Ciphers by object identifier: Diffie-Hellman and elliptic curves (tables 5 and 6)."""
VERSIONS = (1, 2)

Exchange = Callable[[CommandApdu], ResponseApdu]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationEvidence:
    """What happened. ``public_key`` is the SubjectPublicKeyInfo (DER) from DG14 that was used, hidden in repr: it names one chip for
    life; ``succeeded`` means that the chip answered under the agreed keys.
    """

    public_key: bytes = field(repr=False)
    oid: str
    key_id: int | None
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One key of the chip and the protocol to run with it."""

    oid: str
    version: int
    key_id: int | None
    public_key: bytes = field(repr=False)
    group: KeyAgreementGroup
    element: Element = field(repr=False)

    @property
    def suite(self) -> CipherSuite:
        return PROTOCOLS[self.oid]

    def commands(self, ephemeral: bytes) -> tuple[CommandApdu, ...]:
        """The commands that hand over the terminal's ``ephemeral`` key: §6.2.4.1 for 3DES in version 1, else §6.2.4.2."""
        reference = b"" if self.key_id is None else tlv.encode(DO_KEY_REFERENCE, _unsigned(self.key_id))
        if self.version == 1 and self.suite.cipher == "3DES":
            return (_manage(SET_KEY_AGREEMENT, tlv.encode(DO_EPHEMERAL_KEY, ephemeral) + reference),)
        dynamic = tlv.encode(DO_DYNAMIC, tlv.encode(DO_MECHANISM, ephemeral))
        return (
            _manage(SET_AUTHENTICATION, tlv.encode(DO_MECHANISM, encode_oid(self.oid)) + reference),
            CommandApdu(ins=GENERAL_AUTHENTICATE, data=dynamic, ne=SHORT_NE),
        )

    def evidence(self, *, succeeded: bool) -> ChipAuthenticationEvidence:
        return ChipAuthenticationEvidence(public_key=self.public_key, oid=self.oid, key_id=self.key_id, succeeded=succeeded)


def choose(dg14: bytes) -> Choice | None:
    """Return the strongest offer in DG14 that we can run; None where it offers no chip authentication at all.

    An offer belongs to the key of its family and id; an only key and an only offer belong together where one of them lacks the id.
    Keys mean 3DES where DG14 holds no ChipAuthenticationInfo at all (§9.2.5). Raises ChipError for a malformed DG14, and for one
    whose every offer is out of reach (CURVE_UNSUPPORTED, KEY_UNSUPPORTED, CA_UNSUPPORTED).
    """
    infos = _parse(dg14)
    reason = None
    for offer, public_key in sorted(_offers(infos), key=lambda pair: _strength(pair[0]), reverse=True)[:MAX_OFFERS]:
        try:
            return _choice(offer, public_key)
        except ChipError as error:
            reason = reason or error
    if reason is None and (infos.chip_authentication or infos.public_keys):
        reason = ChipError("CA_UNSUPPORTED", "no public key belongs to the protocols offered", file=DG14)
    if reason is not None:
        raise reason
    return None


def run(exchange: Exchange, choice: Choice, random: Random = secrets.token_bytes) -> SecureMessaging:
    """Agree on new keys, and return the session under them; its first good answer is the proof (§6.2.2).

    ``random`` is asked for the ephemeral key alone. Raises ChipError: CA_REFUSED, after which the old session stays good;
    CA_REPLY_WRONG (version 2), after which the chip may have gone over to keys that nobody knows. What ``exchange`` raises passes through.
    """
    key = choice.group.random_key(random)
    answer = b""
    for command in choice.commands(key.public):
        answer = _accept(exchange(command))
    secret = key.agree(choice.element)
    if choice.version == 1:
        return SecureMessaging(choice.suite.session_cipher(secret))
    return _confirmed(choice, key.public, secret, answer)


def _confirmed(choice: Choice, public: bytes, secret: bytes, answer: bytes) -> SecureMessaging:
    """Version 2: the nonce goes into the keys, the token shows that they are the same on both sides."""
    nonce, token = answer[4 : 4 + NONCE], answer[6 + NONCE :]
    cipher = choice.suite.session_cipher(secret + nonce)
    expected = authentication_token(cipher, choice.oid, choice.group.public_key_tag, public)
    form = tlv.encode(DO_DYNAMIC, tlv.encode(DO_NONCE, nonce) + tlv.encode(DO_TOKEN, token))
    if len(nonce) != NONCE or answer != form or not hmac.compare_digest(token, expected):
        raise ChipError("CA_REPLY_WRONG", "no nonce, or a token that does not fit")
    return SecureMessaging(cipher)


def _parse(dg14: bytes) -> SecurityInfos:
    try:
        return parse_security_infos(tlv.only(dg14, DG14_TAG), DG14)
    except TlvError as error:
        raise ChipError("DG14_MALFORMED", error.what, file=DG14, offset=error.offset) from error


def _offers(infos: SecurityInfos) -> Iterator[tuple[ChipAuthenticationInfo, bytes]]:
    """What we can run, each with its public key."""
    said, keys = infos.chip_authentication, infos.public_keys
    if not said:
        said = tuple(
            ChipAuthenticationInfo(oid=f"{ID_CA}{key.oid.removeprefix(ID_PK)}.1", version=1, key_id=key.key_id) for key in keys
        )
    elif len(said) == len(keys) == 1 and None in {said[0].key_id, keys[0].key_id}:
        key_id = keys[0].key_id if said[0].key_id is None else said[0].key_id
        said, keys = (replace(said[0], key_id=key_id),), (replace(keys[0], key_id=key_id),)
    by_id = {(key.oid.removeprefix(ID_PK), key.key_id): key.public_key for key in reversed(keys)}
    for info in said:
        public_key = by_id.get((_family(info.oid), info.key_id))
        if public_key is not None and info.oid in PROTOCOLS and info.version in VERSIONS:
            yield info, public_key


def _choice(offer: ChipAuthenticationInfo, public_key: bytes) -> Choice:
    group, element = read_key(public_key)
    if isinstance(group, Curve) != (_family(offer.oid) == ELLIPTIC):
        raise ChipError("KEY_UNSUPPORTED", "a key of another kind than its protocol's", file=DG14)
    return Choice(oid=offer.oid, version=offer.version, key_id=offer.key_id, public_key=public_key, group=group, element=element)


def _strength(info: ChipAuthenticationInfo) -> tuple[int, int, str]:
    suite = PROTOCOLS[info.oid]
    return suite.key_length * suite.block, -info.version, _family(info.oid)  # 3DES below AES-128


def _family(oid: str) -> str:
    return oid.removeprefix(ID_CA).partition(".")[0]


def _manage(which: tuple[int, int], data: bytes) -> CommandApdu:
    return CommandApdu(ins=MANAGE_SECURITY_ENVIRONMENT, p1=which[0], p2=which[1], data=data)


def _accept(response: ResponseApdu) -> bytes:
    if response.sw != OK:
        raise ChipError("CA_REFUSED", f"chip authentication ended with status {response.sw:04X}")
    return response.data


def _unsigned(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))
