"""A passport of our own making, its keys, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.emrtd import tlv
from hardware.emrtd.chip_authentication import encode_oid
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from hardware.emrtd.reader import AccessKey, ChipData, read_chip
from hardware.sim.chip import VirtualPassport

MRZ_LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""Doc 9303-4, Appendix A: the specimen of Utopia."""
MRZ_INFORMATION = "L898902C3674081221204159"

ACTIVE_KEY = ec.generate_private_key(ec.SECP256R1())
CHIP_KEY = ec.generate_private_key(ec.BrainpoolP256R1())
AES_256 = "0.4.0.127.0.7.2.2.3.2.4"


class StillClock:
    """A clock that ticks a millisecond at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def boot(self) -> float:
        self.now += 0.001
        return self.now

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def spki(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def build_dg14(public_key: bytes, oid: str | None = AES_256, key_id: int | None = None) -> bytes:
    """DG14 with one chip authentication key and, unless ``oid`` is None, its ChipAuthenticationInfo."""
    number = b"" if key_id is None else tlv.encode(0x02, bytes([key_id]))
    infos = tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.1.2")) + public_key + number)
    if oid is not None:
        infos += tlv.encode(0x30, tlv.encode(0x06, encode_oid(oid)) + b"\x02\x01\x01" + number)
    return tlv.encode(0x6E, tlv.encode(0x31, infos))


def passport_files(portrait_bytes: int = 3000) -> dict[str, bytes]:
    return {
        "EF.COM": build_com(["DG1", "DG2", "DG14", "DG15"]),
        "EF.SOD": tlv.encode(0x77, bytes(range(250)) * 6),
        "DG1": build_dg1(MRZ_LINES),
        "DG2": build_dg2(b"\xff\xd8\xff" + bytes(i * 7 % 251 for i in range(portrait_bytes)), "jpeg"),
        "DG14": build_dg14(spki(CHIP_KEY)),
        "DG15": tlv.encode(0x6F, spki(ACTIVE_KEY)),
    }


class Kit:
    """What the tests of this room need, in one fixture (test modules cannot import from here)."""

    mrz_information = MRZ_INFORMATION
    mrz_lines = MRZ_LINES
    active_key = ACTIVE_KEY
    chip_key = CHIP_KEY
    build_dg14 = staticmethod(build_dg14)
    files = staticmethod(passport_files)
    spki = staticmethod(spki)
    clock = StillClock

    @staticmethod
    def passport(kind: type[VirtualPassport] = VirtualPassport, **changes: object) -> VirtualPassport:
        arguments: dict[str, object] = {
            "files": passport_files(),
            "mrz_information": MRZ_INFORMATION,
            "active_key": ACTIVE_KEY,
            "chip_key": CHIP_KEY,
        }
        return kind(**(arguments | changes))  # type: ignore[arg-type]  # a test's own keywords

    @staticmethod
    def read(
        chip: object, on_file: Callable[[str, bytes], None] | None = None, mrz_information: str = MRZ_INFORMATION
    ) -> ChipData:
        return read_chip(chip, AccessKey(mrz_information), on_file=on_file, clock=StillClock())  # type: ignore[arg-type]  # broken chips


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture(scope="session")
def pki_data(shared_dir: Path) -> Path:
    return shared_dir / "data" / "pki"
