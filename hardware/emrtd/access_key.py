"""The password that opens a chip: the printed MRZ, or the card access number beside it (Doc 9303-11 §4.3.2, §4.4, §9.7.3)."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from hardware.emrtd.secure_messaging import KDF_ENC, KDF_MAC, TripleDesCipher, derive_key

SEED = 16
"""Bytes of the digest that seed the keys of basic access control."""


class AccessKey:
    """The chip's password from the MRZ: number, birth, expiry, each with its check digit; or, by :meth:`from_can`, from the CAN.

    Hidden in repr. :meth:`wipe` overwrites our copy (Python may hold others until they are collected); a wiped key unlocks
    nothing. Raises ValueError for a string that no MRZ gives.
    """

    __slots__ = ("_kind", "_password")

    def __init__(self, mrz_information: str) -> None:
        if not re.fullmatch(r"[A-Z0-9<]{24,40}", mrz_information, re.ASCII):
            raise ValueError("MRZ information: 24 to 40 characters of A-Z, 0-9 and <")
        self._set("mrz", mrz_information)

    @classmethod
    def from_can(cls, can: str) -> AccessKey:
        """The password from the six digits of the card access number; good for PACE alone. Raises ValueError."""
        if not re.fullmatch(r"[0-9]{6}", can, re.ASCII):
            raise ValueError("card access number: six digits")
        key = cls.__new__(cls)
        key._set("can", can)  # noqa: SLF001 - our own
        return key

    def _set(self, kind: Literal["mrz", "can"], password: str) -> None:
        self._kind, self._password = kind, bytearray(password, "ascii")

    def __repr__(self) -> str:
        return "AccessKey(…)"

    @property
    def kind(self) -> Literal["mrz", "can"]:
        return self._kind

    def wipe(self) -> None:
        self._password[:] = bytes(len(self._password))
        self._password.clear()

    def bac_cipher(self) -> TripleDesCipher:
        """3DES and retail MAC under K_Enc and K_MAC (§9.7.2). Raises ValueError for a CAN, and once wiped."""
        if self._kind == "can":
            raise ValueError("basic access control knows no card access number")
        seed = self.pace_secret()[:SEED]
        return TripleDesCipher(derive_key(seed, KDF_ENC, tdes=True), derive_key(seed, KDF_MAC, tdes=True))

    def pace_secret(self) -> bytes:
        """f(π), what PACE derives its key from (table 14): SHA-1 of the MRZ information, the CAN as it is. ValueError once wiped."""
        if not self._password:
            raise ValueError("this access key was wiped")
        return hashlib.sha1(self._password, usedforsecurity=False).digest() if self._kind == "mrz" else bytes(self._password)
