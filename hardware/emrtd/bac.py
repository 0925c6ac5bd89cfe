"""Basic access control, the protocol of old (Doc 9303-11 §4.3): the printed MRZ unlocks the chip. Sans-IO."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from hardware.emrtd.errors import AccessError
from hardware.emrtd.secure_messaging import SecureMessaging, TripleDesCipher, pad, session

NONCE, KEYING = 8, 16
"""Lengths of RND.IC and RND.IFD, of K.IC and K.IFD."""
CRYPTOGRAM = 2 * NONCE + KEYING


@dataclass(frozen=True, slots=True, kw_only=True)
class BacExchange:
    """The secrets of one run: both nonces and the terminal's half of the session keys."""

    rnd_ic: bytes = field(repr=False)
    rnd_ifd: bytes = field(repr=False)
    k_ifd: bytes = field(repr=False)

    def request(self, cipher: TripleDesCipher) -> bytes:
        """Data of EXTERNAL AUTHENTICATE: E_IFD ‖ M_IFD (§4.3.1 step 2)."""
        return seal(cipher, self.rnd_ifd + self.rnd_ic + self.k_ifd)

    def session(self, cipher: TripleDesCipher, response: bytes) -> SecureMessaging:
        """Check the chip's E_IC ‖ M_IC and return the session (§4.3.1 step 4). Raises AccessError."""
        plain = unseal(cipher, response)
        if plain is None:
            raise AccessError("ACCESS_REPLY_WRONG", "the chip's answer does not fit the MRZ key")
        if not hmac.compare_digest(plain[: 2 * NONCE], self.rnd_ic + self.rnd_ifd):
            raise AccessError("ACCESS_REPLY_WRONG", "the chip's answer belongs to other nonces")
        return self.agreed(plain[2 * NONCE :])

    def agreed(self, k_ic: bytes) -> SecureMessaging:
        """The session that both sides hold once they know both halves (§4.3.1 step 5, §9.7.4; counter §9.8.6.3)."""
        secret = bytes(a ^ b for a, b in zip(self.k_ifd, k_ic, strict=True))
        return session(secret, cipher="3DES", key_length=KEYING, ssc=int.from_bytes(self.rnd_ic[-4:] + self.rnd_ifd[-4:]))


def seal(cipher: TripleDesCipher, plain: bytes) -> bytes:
    """Encrypt 32 bytes and append their MAC."""
    cryptogram = cipher.encrypt(b"", plain)
    return cryptogram + cipher.mac(pad(cryptogram, cipher.block))


def unseal(cipher: TripleDesCipher, sealed: bytes) -> bytes | None:
    """Inverse of :func:`seal`; None where length or MAC are wrong."""
    cryptogram, mac = sealed[:CRYPTOGRAM], sealed[CRYPTOGRAM:]
    if len(cryptogram) != CRYPTOGRAM or not hmac.compare_digest(mac, cipher.mac(pad(cryptogram, cipher.block))):
        return None
    return cipher.decrypt(b"", cryptogram)
