"""Password authenticated connection establishment, the terminal's side (Doc 9303-11 §4.4). Sans-IO.

A password of six digits is enough: a wrong guess shows only in the last step, and the chip sees nothing by which to guess off line.
Mappings: generic, integrated, and chip authentication mapping, after which :func:`cam_public_key` says whether the chip holds its key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import EXTENDED_NE, OK, SHORT_NE, CommandApdu, ResponseApdu
from hardware.emrtd.cipher_suites import SessionCipher, authentication_token
from hardware.emrtd.domain_parameters import read_key
from hardware.emrtd.errors import AccessError, ChipError
from hardware.emrtd.groups import Element, PrivateKey, Random
from hardware.emrtd.pace_mapping import map_generic, map_integrated, nonce_length
from hardware.emrtd.pace_offers import PaceOffer, choose, offers
from hardware.emrtd.secure_messaging import AesCipher, SecureMessaging, pad
from hardware.emrtd.security_infos import SecurityInfos, encode_oid

__all__ = ["PaceOffer", "PaceSession", "cam_public_key", "choose", "establish", "offers"]

Exchange = Callable[[CommandApdu], ResponseApdu]

MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE = 0x22, 0x86
SET_MUTUAL_AUTHENTICATION = (0xC1, 0xA4)
CHAINED = 0x10
"""CLA bit of all commands of a chain but the last."""
PASSWORDS = {"mrz": 1, "can": 2}
"""References of the passwords (§4.4.4.1)."""
DO_MECHANISM, DO_PASSWORD, DO_PARAMETERS, DO_DYNAMIC = 0x80, 0x83, 0x84, 0x7C
DO_NONCE, DO_MAP_TERMINAL, DO_MAP_CHIP, DO_KEY_TERMINAL, DO_KEY_CHIP = range(0x80, 0x85)
DO_TOKEN_TERMINAL, DO_TOKEN_CHIP, DO_AUTHORITY, DO_FORMER_AUTHORITY = range(0x85, 0x89)
DO_CHIP_AUTHENTICATION = 0x8A
MAX_ANSWER = 512
"""Octets of an answer: a 2048-bit element or chip authentication data with both authority references stay far below."""
MAX_NONCE = 32
"""Octets: no cipher's keys are longer."""
SHORT_FIELD = 246
"""Octets of p up to which an element and its frame fit a short response; points of our curves are shorter anyway."""
CAM_IV_COUNTER = b"\xff" * 16
"""§4.4.3.5.4: the IV is this, encrypted."""
MAX_CAM_KEYS = 4
"""Public keys that are tried: one is right, and each costs milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceSession:
    """What PACE ended in. ``mapping_key`` is PK_Map,IC, empty for the integrated mapping; ``chip_authentication_data`` CA_IC,
    empty but for the chip authentication mapping.
    """

    session: SecureMessaging = field(repr=False)
    mapping_key: bytes = field(repr=False)
    chip_authentication_data: bytes = field(repr=False)


def establish(exchange: Exchange, offer: PaceOffer, key: AccessKey, *, random: Random = secrets.token_bytes) -> PaceSession:
    """Run the protocol: MSE:Set AT and four GENERAL AUTHENTICATE, all in the clear.

    ``random`` is asked for the mapping key (generic and chip authentication mapping) or the nonce t (integrated mapping, as long as
    a key of the cipher), then for the ephemeral key; keys as their group says (order's octets on curves, p's for Diffie-Hellman).

    Raises AccessError: PACE_REFUSED before the password counted, so that another offer may be tried; PACE_DENIED, wrong password or
    refused later; PACE_REPLY_WRONG, an answer that no honest chip with this password gives. What ``exchange`` raises passes through.
    ValueError for a wiped ``key``.
    """
    return _Run(exchange, offer, random).run(key)


class _Run:
    def __init__(self, exchange: Exchange, offer: PaceOffer, random: Random) -> None:
        self._exchange, self._offer, self._random = exchange, offer, random
        self._group, self._suite = offer.group, offer.protocol.suite
        wide = (self._group.p.bit_length() + 7) // 8 > SHORT_FIELD
        self._ne = EXTENDED_NE if wide else SHORT_NE

    def run(self, key: AccessKey) -> PaceSession:
        password = self._suite.password_key(key.pace_secret())
        self._set_authentication(PASSWORDS[key.kind])
        generator, mapping_key = self._map(self._nonce(password))
        ephemeral = self._group.random_key(self._random)
        with _answer():
            public = ephemeral.multiply(generator)
        peer = self._trade(DO_KEY_TERMINAL, public, DO_KEY_CHIP)
        with _answer():
            cipher = self._suite.session_cipher(ephemeral.agree(peer))
        data = self._authenticate(cipher, public, peer)
        return PaceSession(session=SecureMessaging(cipher), mapping_key=mapping_key, chip_authentication_data=data)

    def _set_authentication(self, password: int) -> None:
        data = tlv.encode(DO_MECHANISM, encode_oid(self._offer.oid)) + tlv.encode(DO_PASSWORD, bytes([password]))
        if self._offer.ambiguous:
            data += tlv.encode(DO_PARAMETERS, bytes([self._offer.parameter_id]))
        p1, p2 = SET_MUTUAL_AUTHENTICATION
        command = CommandApdu(ins=MANAGE_SECURITY_ENVIRONMENT, p1=p1, p2=p2, data=data)
        _accept(self._exchange(command), "MSE:Set AT", "PACE_REFUSED")

    def _nonce(self, password: bytes) -> bytes:
        """Step 1: the chip's nonce, decrypted. A wrong password gives another one, and nobody can tell yet."""
        encrypted = self._step(b"", DO_NONCE, refused="PACE_REFUSED", ne=SHORT_NE)[DO_NONCE]
        integrated = self._offer.protocol.mapping == "IM"
        lengths = {nonce_length(self._suite)} if integrated else range(self._suite.block, MAX_NONCE + 1, self._suite.block)
        if len(encrypted) not in lengths:
            raise AccessError("PACE_REPLY_WRONG", f"a nonce of {len(encrypted)} bytes")
        return self._suite.decrypt(password, encrypted)

    def _map(self, nonce: bytes) -> tuple[Element, bytes]:
        """Step 2: the generator, and the chip's mapping key."""
        if self._offer.protocol.mapping == "IM":
            terminal_nonce = self._random(self._suite.key_length)
            self._step(tlv.encode(DO_MAP_TERMINAL, terminal_nonce), DO_MAP_CHIP, ne=SHORT_NE, empty=True)
            with _answer():
                return map_integrated(self._group, self._suite, nonce, terminal_nonce), b""
        key = self._group.random_key(self._random)
        peer = self._trade(DO_MAP_TERMINAL, key.public, DO_MAP_CHIP)
        with _answer():
            return map_generic(self._group, key, peer, nonce), peer

    def _trade(self, tag: int, own: Element, answer: int) -> Element:
        """Send a public key, return the chip's. Ours come back is a mirror, not a chip (§4.4.1 step 3 d)."""
        octets = self._step(tlv.encode(tag, own), answer, ne=self._ne)[answer]
        with _answer():
            peer = self._group.check(octets)
        if peer == own:
            raise AccessError("PACE_REPLY_WRONG", "the chip sends our own public key back")
        return peer

    def _authenticate(self, cipher: SessionCipher, own: bytes, peer: bytes) -> bytes:
        """Step 4: tokens both ways; returns the chip authentication data, if this mapping has any."""
        oid, tag = self._offer.oid, self._group.public_key_tag
        token = tlv.encode(DO_TOKEN_TERMINAL, authentication_token(cipher, oid, tag, peer))
        objects = self._step(token, DO_TOKEN_CHIP, ne=SHORT_NE, last=True)
        if not hmac.compare_digest(objects[DO_TOKEN_CHIP], authentication_token(cipher, oid, tag, own)):
            raise AccessError("PACE_REPLY_WRONG", "the chip's authentication token is wrong")
        encrypted = objects.get(DO_CHIP_AUTHENTICATION)
        if (encrypted is not None) != (self._offer.protocol.mapping == "CAM"):
            raise AccessError("PACE_REPLY_WRONG", "chip authentication data missing, or where none belongs")
        return b"" if encrypted is None else self._chip_authentication_data(cipher, encrypted)

    def _chip_authentication_data(self, cipher: SessionCipher, encrypted: bytes) -> bytes:
        """Decrypt A_IC (§4.4.3.5): one scalar with its leading zeros, padded."""
        length = (self._group.order.bit_length() + 7) // 8
        if not isinstance(cipher, AesCipher) or len(encrypted) != len(pad(bytes(length), cipher.block)):
            raise AccessError("PACE_REPLY_WRONG", f"chip authentication data of {len(encrypted)} bytes")
        plain = cipher.decrypt(CAM_IV_COUNTER, encrypted)
        if plain != pad(plain[:length], cipher.block):
            raise AccessError("PACE_REPLY_WRONG", "chip authentication data without its padding")
        return plain[:length]

    def _step(
        self, data: bytes, answer: int, *, ne: int, refused: str = "PACE_DENIED", last: bool = False, empty: bool = False
    ) -> dict[int, bytes]:
        """One GENERAL AUTHENTICATE; the data objects of its answer, ``answer`` among them (§4.4.5, table 4)."""
        dynamic = tlv.encode(DO_DYNAMIC, data)
        command = CommandApdu(cla=0 if last else CHAINED, ins=GENERAL_AUTHENTICATE, data=dynamic, ne=ne)
        response = self._exchange(command)
        _accept(response, "GENERAL AUTHENTICATE", refused)
        if len(response.data) > MAX_ANSWER:
            raise AccessError("PACE_REPLY_WRONG", f"an answer of {len(response.data)} bytes")
        with _answer():
            items = list(tlv.children(tlv.only(response.data, DO_DYNAMIC)))
        objects = {item.tag: item.value for item in items}
        allowed = {answer, DO_AUTHORITY, DO_FORMER_AUTHORITY, DO_CHIP_AUTHENTICATION} if last else {answer}
        if len(objects) != len(items) or not objects.keys() <= allowed or (answer not in objects and not empty):
            raise AccessError("PACE_REPLY_WRONG", f"no answer with {answer:02X} alone")
        if empty and objects.get(answer):
            raise AccessError("PACE_REPLY_WRONG", "mapping data where none belongs")
        return objects


def cam_public_key(session: PaceSession, card_security_infos: SecurityInfos, offer: PaceOffer) -> bytes | None:
    """The SubjectPublicKeyInfo of EF.CardSecurity whose private key the chip showed: KA(CA_IC, PK_IC) = PK_Map,IC (§4.4.3.5.2).

    Only keys of the offer's group and its id count (§9.2.1). None where no key fits.
    """
    scalar = int.from_bytes(session.chip_authentication_data)
    if not 0 < scalar < offer.group.order:
        return None
    proof = offer.group.key(scalar)
    fitting = [info.public_key for info in card_security_infos.public_keys if info.key_id in {offer.parameter_id, None}]
    return next((key for key in fitting[:MAX_CAM_KEYS] if _fits(proof, key, offer, session.mapping_key)), None)


def _fits(proof: PrivateKey, public_key: bytes, offer: PaceOffer, mapping_key: bytes) -> bool:
    try:
        group, point = read_key(public_key)
        return group == offer.group and proof.multiply(point) == mapping_key
    except ChipError:
        return False


def _accept(response: ResponseApdu, name: str, refused: str) -> None:
    """63xx speaks of the password wherever it comes (ISO/IEC 7816-4 §5.6)."""
    if response.sw != OK:
        code = "PACE_DENIED" if response.sw >> 8 == 0x63 else refused
        raise AccessError(code, f"{name} ended with status {response.sw:04X}")


@contextmanager
def _answer() -> Iterator[None]:
    """What fails here fails by the chip's answer."""
    try:
        yield
    except ChipError as error:
        raise AccessError("PACE_REPLY_WRONG", error.what, offset=error.offset) from error
