"""Secure messaging (Doc 9303-11 §9.8), both sides: the terminal protects commands, the virtual chip opens them.

Sans-IO. One :class:`SecureMessaging` is one session: its send sequence counter advances with each command and each response, in
that order. After any :class:`SecureMessagingError` the session must be thrown away.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from itertools import islice
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from hardware.emrtd import tlv
from hardware.emrtd.apdu import EXTENDED_NE, SHORT_NE, CommandApdu, ResponseApdu
from hardware.emrtd.errors import ChipError, SecureMessagingError

SM_CLASS = 0x0C
"""CLA bits: secure messaging, header authenticated."""
MAC_LENGTH = 8
DO_CRYPTOGRAM_TLV, DO_CRYPTOGRAM, DO_LE, DO_STATUS, DO_MAC = 0x85, 0x87, 0x97, 0x99, 0x8E
LE_LENGTHS = {1, 2}
"""Octets of DO'97' (§9.8.4): a short or an extended Le."""
MAX_OBJECTS = 4
"""One of each kind at most; a response may be long, but not long in objects."""
KDF_ENC, KDF_MAC = 1, 2
"""Counters of the key derivation (Doc 9303-11 §9.7.1)."""


class SmCipher(Protocol):
    """The algorithms under a session. ``ssc`` is the counter as one block; data is padded to whole blocks."""

    block: int

    def encrypt(self, ssc: bytes, padded: bytes) -> bytes: ...
    def decrypt(self, ssc: bytes, ciphertext: bytes) -> bytes: ...
    def decrypt_into(self, ssc: bytes, ciphertext: bytes, room: bytearray) -> int:
        """Decrypt to the start of ``room``, which is a block longer than ``ciphertext``, and return the length: no other copy is made."""
        ...

    def mac(self, padded: bytes) -> bytes: ...


class TripleDesCipher:
    """3DES in CBC mode with zero IV, retail MAC (§9.8.6.1, §9.8.6.2). Keys are 16 bytes."""

    block = 8

    def __init__(self, k_enc: bytes, k_mac: bytes) -> None:
        self._enc = _Cbc(TripleDES(k_enc + k_enc[:8]))
        self._mac_inner = _Cbc(TripleDES(k_mac[:8] * 3))  # K‖K‖K: single DES
        self._mac_last = _Cbc(TripleDES(k_mac + k_mac[:8]))

    def encrypt(self, ssc: bytes, padded: bytes) -> bytes:  # noqa: ARG002 - the IV is zero here
        return self._enc.encrypt(bytes(8), padded)

    def decrypt(self, ssc: bytes, ciphertext: bytes) -> bytes:  # noqa: ARG002 - the IV is zero here
        return self._enc.decrypt(bytes(8), ciphertext)

    def decrypt_into(self, ssc: bytes, ciphertext: bytes, room: bytearray) -> int:  # noqa: ARG002 - the IV is zero here
        return self._enc.decrypt_into(bytes(8), ciphertext, room)

    def mac(self, padded: bytes) -> bytes:
        """ISO/IEC 9797-1 algorithm 3: single DES in CBC mode over all blocks but the last, 3DES over that one."""
        head, last = padded[:-8], padded[-8:]
        chain = self._mac_inner.encrypt(bytes(8), head)[-8:] if head else bytes(8)
        return self._mac_last.encrypt(chain, last)


class AesCipher:
    """AES in CBC mode with IV = E(K, SSC), CMAC cut to 8 bytes (§9.8.7.1, §9.8.7.2). Keys are 16, 24 or 32 bytes."""

    block = 16

    def __init__(self, k_enc: bytes, k_mac: bytes) -> None:
        self._enc, self._mac = _Cbc(algorithms.AES(k_enc)), CMAC(algorithms.AES(k_mac))

    def encrypt(self, ssc: bytes, padded: bytes) -> bytes:
        return self._enc.encrypt(self._iv(ssc), padded)

    def decrypt(self, ssc: bytes, ciphertext: bytes) -> bytes:
        return self._enc.decrypt(self._iv(ssc), ciphertext)

    def decrypt_into(self, ssc: bytes, ciphertext: bytes, room: bytearray) -> int:
        return self._enc.decrypt_into(self._iv(ssc), ciphertext, room)

    def mac(self, padded: bytes) -> bytes:
        cmac = self._mac.copy()
        cmac.update(padded)
        return cmac.finalize()[:MAC_LENGTH]

    def _iv(self, ssc: bytes) -> bytes:
        return self._enc.encrypt(bytes(16), ssc)  # one block under a zero IV is ECB


class _Cbc:
    """A key in CBC mode without padding. Its contexts are kept for the session, since making one takes longer than using it; so the
    chain is turned from where it stands to each new IV. Data is whole blocks, else ValueError: a context would keep what is over.
    """

    def __init__(self, algorithm: TripleDES | algorithms.AES) -> None:
        self._block = algorithm.block_size // 8
        cipher = Cipher(algorithm, modes.CBC(bytes(self._block)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._last = 0

    def encrypt(self, iv: bytes, data: bytes) -> bytes:
        self._check(data)
        first = int.from_bytes(data[: self._block]) ^ int.from_bytes(iv) ^ self._last
        ciphertext = self._encryptor.update(first.to_bytes(self._block) + data[self._block :])
        self._last = int.from_bytes(ciphertext[-self._block :])
        return ciphertext

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        self._check(ciphertext)
        self._decryptor.update(iv)
        return self._decryptor.update(ciphertext)

    def decrypt_into(self, iv: bytes, ciphertext: bytes, room: bytearray) -> int:
        self._check(ciphertext)
        self._decryptor.update(iv)  # what was decrypted last is what the next block is chained to
        return self._decryptor.update_into(ciphertext, room)

    def _check(self, data: bytes) -> None:
        if not data or len(data) % self._block:
            raise ValueError(f"{len(data)} bytes are no whole blocks")


class SecureMessaging:
    """One session. ``ssc`` is the counter's start value (§9.8.6.3, §9.8.7.3: from BAC's nonces, else zero)."""

    def __init__(self, cipher: SmCipher, ssc: int = 0) -> None:
        self._cipher, self._ssc = cipher, ssc

    # --- terminal ---

    def protect(self, command: CommandApdu) -> CommandApdu:
        """Return ``command`` encrypted and authenticated (§9.8.4, figure 5)."""
        cla, ins, p1, p2 = command.cla | SM_CLASS, command.ins, command.p1, command.p2
        ssc = self._advance()
        body = self._cryptogram(ssc, command.data, odd=bool(command.ins & 1)) if command.data else b""
        if command.ne is not None:
            body += tlv.encode(
                DO_LE, (command.ne % EXTENDED_NE).to_bytes(2) if command.extended else bytes([command.ne % SHORT_NE])
            )
        mac = self._mac(ssc, pad(bytes([cla, ins, p1, p2]), self._cipher.block) + body)
        wide = command.extended or len(body) + MAC_LENGTH + 2 > 0xFF
        data = body + tlv.encode(DO_MAC, mac)
        return CommandApdu(cla=cla, ins=ins, p1=p1, p2=p2, data=data, ne=EXTENDED_NE if wide else SHORT_NE)

    def unprotect(self, response: ResponseApdu) -> ResponseApdu:
        """Return the response's plain data and status. Raises SecureMessagingError; a plain status is one, whatever it says."""
        room = bytearray(len(response.data) + self._cipher.block)
        length = self.unprotect_into(response, room)
        return ResponseApdu(data=bytes(memoryview(room)[:length]), sw=response.sw)

    def unprotect_into(self, response: ResponseApdu, room: bytearray) -> int:
        """As :meth:`unprotect`, but decrypt to the start of ``room`` and return the length of the plain data; what lies beyond it
        in ``room`` is padding. For contents that are wiped later: no copy is made elsewhere.
        """
        ssc = self._advance()
        if not response.data:
            raise SecureMessagingError("SM_STATUS_UNPROTECTED", f"status {response.sw:04X} without protection")
        objects = self._authentic(ssc, b"", response.data)
        status = objects.pop(DO_STATUS, b"")
        if len(status) != 2 or int.from_bytes(status) != response.sw:
            raise SecureMessagingError("SM_STATUS_MISSING", "protected status missing, or other than the plain one")
        if not objects:
            return 0
        ciphertext = self._ciphertext(objects)
        if len(room) < len(ciphertext) + self._cipher.block:
            raise SecureMessagingError("RESPONSE_TOO_LONG", f"{len(ciphertext)} bytes, far more than were asked for")
        return unpadded(room, self._cipher.decrypt_into(ssc, ciphertext, room), self._cipher.block)

    # --- chip ---

    def open_command(self, command: CommandApdu) -> CommandApdu:
        """Inverse of :meth:`protect`. Raises SecureMessagingError."""
        ssc = self._advance()
        header = replace(command, data=b"", ne=None)
        objects = self._authentic(ssc, pad(header.encode(), self._cipher.block), command.data)
        le = objects.pop(DO_LE, None)
        if le is not None and len(le) not in LE_LENGTHS:
            raise SecureMessagingError("SM_MALFORMED", f"Le of {len(le)} bytes")
        ne = None if le is None else int.from_bytes(le) or (SHORT_NE if len(le) == 1 else EXTENDED_NE)
        plain = unpad(self._cipher.decrypt(ssc, self._ciphertext(objects)), self._cipher.block) if objects else b""
        return replace(header, cla=command.cla & ~SM_CLASS, data=plain, ne=ne)

    def seal_response(self, response: ResponseApdu, *, odd: bool = False) -> ResponseApdu:
        """Inverse of :meth:`unprotect`; ``odd`` for a command with an odd INS (§9.8.4: DO'85')."""
        ssc = self._advance()
        body = self._cryptogram(ssc, response.data, odd=odd) if response.data else b""
        body += tlv.encode(DO_STATUS, response.sw.to_bytes(2))
        return ResponseApdu(data=body + tlv.encode(DO_MAC, self._mac(ssc, body)), sw=response.sw)

    # --- both ---

    def _advance(self) -> bytes:
        self._ssc = (self._ssc + 1) % (1 << 8 * self._cipher.block)
        return self._ssc.to_bytes(self._cipher.block)

    def _mac(self, ssc: bytes, message: bytes) -> bytes:
        return self._cipher.mac(pad(ssc + message, self._cipher.block))

    def _cryptogram(self, ssc: bytes, data: bytes, *, odd: bool) -> bytes:
        ciphertext = self._cipher.encrypt(ssc, pad(data, self._cipher.block))
        return tlv.encode(DO_CRYPTOGRAM_TLV, ciphertext) if odd else tlv.encode(DO_CRYPTOGRAM, b"\x01" + ciphertext)

    def _authentic(self, ssc: bytes, prefix: bytes, body: bytes) -> dict[int, bytes]:
        """The objects before the MAC, once the MAC is right: nothing is decrypted or believed before."""
        try:
            items = list(islice(tlv.children(body), MAX_OBJECTS + 1))
        except ChipError as error:
            raise SecureMessagingError("SM_MALFORMED", error.what, offset=error.offset) from error
        if len(items) > MAX_OBJECTS:
            raise SecureMessagingError("SM_MALFORMED", f"more than {MAX_OBJECTS} data objects")
        if not items or items[-1].tag != DO_MAC:
            raise SecureMessagingError("SM_MAC_MISSING", "no MAC at the end")
        *items, mac = items
        if not hmac.compare_digest(mac.value, self._mac(ssc, prefix + body[: mac.start])):
            raise SecureMessagingError("SM_MAC_WRONG", "the MAC does not fit the message and the counter")
        objects = {item.tag: item.value for item in items}
        in_order = list(objects) == sorted(objects) and len(objects) == len(items)  # §9.8.4's order is that of the tags
        if not in_order or not objects.keys() <= {DO_CRYPTOGRAM, DO_CRYPTOGRAM_TLV, DO_LE, DO_STATUS}:
            raise SecureMessagingError("SM_MALFORMED", "an object that does not belong there")
        return objects

    def _ciphertext(self, objects: dict[int, bytes]) -> bytes:
        """What the one cryptogram left in ``objects`` holds; anything else is refused."""
        (tag, value), *rest = objects.items()
        if tag == DO_CRYPTOGRAM and value[:1] == b"\x01":
            value = value[1:]
        elif tag != DO_CRYPTOGRAM_TLV:
            raise SecureMessagingError("SM_MALFORMED", "padding indicator or object not allowed here")
        if rest or not value or len(value) % self._cipher.block:
            raise SecureMessagingError("SM_MALFORMED", "cryptogram of a wrong length, or more than one")
        return value


def pad(data: bytes, block: int) -> bytes:
    """ISO/IEC 9797-1 padding method 2: 0x80, then zeros to a whole block."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpadded(data: bytes | bytearray, end: int, block: int) -> int:
    """The length of ``data[:end]`` without its padding, which fills at most one ``block``. Raises SecureMessagingError."""
    length = data.rfind(0x80, max(0, end - block), end)
    if length < 0 or data.count(0, length, end) != end - length - 1:
        raise SecureMessagingError("SM_PADDING", "decrypted data without padding")
    return length


def unpad(data: bytes, block: int) -> bytes:
    """Undo :func:`pad`. Raises SecureMessagingError."""
    return data[: unpadded(data, len(data), block)]


def derive_key(secret: bytes, counter: int, *, length: int = 16, tdes: bool = False) -> bytes:
    """Key derivation function (Doc 9303-11 §9.7.1): SHA-1 for 16-byte keys, SHA-256 above; ``tdes`` adjusts the parity bits."""
    message = secret + counter.to_bytes(4)
    key = (hashlib.sha1(message, usedforsecurity=False) if length == 16 else hashlib.sha256(message)).digest()[:length]
    return bytes(byte & 0xFE | ((byte >> 1).bit_count() + 1) % 2 for byte in key) if tdes else key


def session(secret: bytes, *, cipher: str, key_length: int, ssc: int = 0) -> SecureMessaging:
    """A session under keys derived from ``secret``; ``cipher`` is ``3DES`` or ``AES``, ``key_length`` in bytes."""
    tdes = cipher == "3DES"
    k_enc, k_mac = (derive_key(secret, counter, length=key_length, tdes=tdes) for counter in (KDF_ENC, KDF_MAC))
    return SecureMessaging(TripleDesCipher(k_enc, k_mac) if tdes else AesCipher(k_enc, k_mac), ssc)
