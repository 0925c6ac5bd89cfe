"""Honest passports of five kinds, what may be changed in them, and a reading that counts what the reader was made to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from hardware.emrtd.reader import AccessKey, ChipData, read_chip
from hardware.emrtd.security_infos import ID_CA, ID_PACE, ID_PK, encode_oid
from hardware.sim.chip import VirtualPassport
from hardware.sim.chip_files import atr_info

MRZ_LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""Doc 9303-4, Appendix A: the specimen of Utopia."""
MRZ_INFORMATION = "L898902C3674081221204159"
ACTIVE_KEY, CHIP_KEY, CAM_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
PORTRAIT = 3000
P256, RFC5114_1024 = 12, 0
"""Standardised domain parameters (Doc 9303-11 §9.5.1): quick ones."""
OFFERS = {"pace": ("2.2", P256), "dh": ("1.2", RFC5114_1024), "im": ("4.2", P256), "cam": ("6.2", P256)}
"""Kind of chip → PACE protocol under id-PACE, parameter id: ECDH and DH with generic, ECDH with integrated and chip authentication mapping, AES-128."""


def info(oid: str, *fields: bytes) -> bytes:
    return tlv.encode(0x30, tlv.encode(0x06, encode_oid(oid)) + b"".join(fields))


def number(value: int) -> bytes:
    return tlv.encode(0x02, bytes([value]))


def pace_info(protocol: str, parameter_id: int) -> bytes:
    return info(f"{ID_PACE}{protocol}", number(2), number(parameter_id))


def card_access(*infos: bytes) -> bytes:
    return tlv.encode(0x31, b"".join(infos))


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def dg14(*infos: bytes) -> bytes:
    return tlv.encode(0x6E, tlv.encode(0x31, b"".join(infos)))


def chip_authentication(public_key: bytes, *key_id: bytes, version: int = 1) -> bytes:
    return info(f"{ID_PK}2", public_key, *key_id) + info(f"{ID_CA}2.2", number(version), *key_id)


def card_security(public_key: bytes, offer: bytes) -> bytes:
    """EF.CardSecurity as far as its contents go; nothing here looks at the signature (RFC 5652 §5.1)."""
    infos = tlv.encode(0x31, offer + info(f"{ID_PK}2", public_key, number(P256)))
    content = tlv.encode(0x30, tlv.encode(0x06, b"\x04") + tlv.encode(0xA0, tlv.encode(0x04, infos)))
    signed = number(3) + tlv.encode(0x31, b"") + content + tlv.encode(0x31, b"")
    return tlv.encode(0x30, tlv.encode(0x06, b"\x2a") + tlv.encode(0xA0, tlv.encode(0x30, signed)))


def honest_files(kind: str) -> dict[str, bytes]:
    offer = pace_info(*OFFERS[kind]) if kind in OFFERS else b""
    files = {
        "EF.COM": build_com(["DG1", "DG2", "DG14", "DG15"]),
        "EF.SOD": tlv.encode(0x77, bytes(range(250)) * 6),
        "DG1": build_dg1(MRZ_LINES),
        "DG2": build_dg2(b"\xff\xd8\xff" + bytes(i * 7 % 251 for i in range(PORTRAIT)), "jpeg"),
        "DG14": dg14(chip_authentication(spki(CHIP_KEY)), offer),
        "DG15": tlv.encode(0x6F, spki(ACTIVE_KEY)),
    }
    if offer:
        files["EF.CardAccess"] = card_access(offer)
    if kind == "cam":
        files["EF.CardSecurity"] = card_security(spki(CAM_KEY), offer)
    return files


def passport(kind: str, files: Mapping[str, bytes] | None = None, **changes: object) -> VirtualPassport:
    arguments: dict[str, object] = {"active_key": ACTIVE_KEY, "chip_key": CHIP_KEY, "cam_key": CAM_KEY if kind == "cam" else None}
    arguments |= {"sleep": lambda _: None} | changes
    return VirtualPassport(files or honest_files(kind), MRZ_INFORMATION, **arguments)  # type: ignore[arg-type]  # a test's own keywords


# --- what cannot be said by an attribute alone: name → change of the files, or of the whole chip ---


def _curve_point(change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({"DG14": dg14(chip_authentication(change(spki(CHIP_KEY))))})


def _diffie_hellman(bits: int) -> bytes:
    """A SubjectPublicKeyInfo of PKCS #3 with a modulus of so many bits, of no use for anything but arithmetic."""
    integer = lambda value: tlv.encode(0x02, b"\0" + value.to_bytes((bits + 7) // 8))
    modulus = (1 << bits) - 1
    parameters = tlv.encode(0x30, integer(modulus) + tlv.encode(0x02, b"\2"))
    algorithm = tlv.encode(0x30, tlv.encode(0x06, encode_oid("1.2.840.113549.1.3.1")) + parameters)
    return tlv.encode(0x30, algorithm + tlv.encode(0x03, b"\0" + integer(modulus - 1)))


FILE_EDITS: dict[str, Callable[[dict[str, bytes]], object]] = {
    "com_without_dg15": lambda f: f.update({"EF.COM": build_com(["DG1", "DG2", "DG14"])}),
    "com_garbage": lambda f: f.update({"EF.COM": bytes(20)}),
    "com_lists_what_is_not_there": lambda f: f.update({"EF.COM": build_com(["DG1", "DG2", "DG3", "DG14", "DG15", "DG16"])}),
    "card_access_without_pace": lambda f: f.update({"EF.CardAccess": card_access(info("2.23.136.1.1.6.1", number(0)))}),
    "card_access_empty_set": lambda f: f.update({"EF.CardAccess": card_access()}),
    "card_access_weaker": lambda f: f.update({"EF.CardAccess": card_access(pace_info("2.1", P256))}),
    "card_access_garbage": lambda f: f.update({"EF.CardAccess": b"\x31\x05\x30\x03\x06\x09\x00"}),
    "card_access_other_tag": lambda f: f.update({"EF.CardAccess": b"\x30" + f.get("EF.CardAccess", b"")[1:]}),
    "card_access_unknown_protocol": lambda f: f.update({"EF.CardAccess": card_access(pace_info("9.9", P256))}),
    "card_access_other_version": lambda f: f.update(
        {"EF.CardAccess": card_access(info(f"{ID_PACE}2.2", number(1), number(P256)))}
    ),
    "card_access_reserved_parameters": lambda f: f.update({"EF.CardAccess": card_access(pace_info("2.2", 7))}),
    "card_access_own_parameters": lambda f: f.update({"EF.CardAccess": card_access(pace_info("2.2", 40))}),
    "card_access_crowded": lambda f: f.update({"EF.CardAccess": card_access(*[pace_info("2.2", P256)] * 100)}),
    "card_security_other_key": lambda f: f.update({"EF.CardSecurity": card_security(spki(OTHER_KEY), b"")}),
    "card_security_garbage": lambda f: f.update({"EF.CardSecurity": b"\x30\x03\x06\x05\x2a"}),
    "card_security_missing": lambda f: f.pop("EF.CardSecurity", None),
    "dg14_garbage": lambda f: f.update({"DG14": tlv.encode(0x6E, b"\x31\x7f" + bytes(20))}),
    "dg14_crowded": lambda f: f.update({"DG14": dg14(*[info(f"{ID_CA}2.2", number(1))] * 100)}),
    "dg14_without_key": lambda f: f.update({"DG14": dg14(info(f"{ID_CA}2.2", number(1)))}),
    "dg14_two_keys": lambda f: f.update(
        {"DG14": dg14(chip_authentication(spki(CHIP_KEY), number(1)), chip_authentication(spki(OTHER_KEY), number(2)))}
    ),
    "dg14_version_2": lambda f: f.update({"DG14": dg14(chip_authentication(spki(CHIP_KEY), version=2))}),
    "dg14_unknown_curve": _curve_point(
        lambda key: key.replace(bytes.fromhex("2A8648CE3D030107"), bytes.fromhex("2A8648CE3D030106"))
    ),
    "dg14_point_off_curve": _curve_point(lambda key: key[:-1] + bytes([key[-1] ^ 1])),
    "dg14_point_at_infinity": _curve_point(lambda key: tlv.encode(0x30, key[2:23] + b"\x03\x02\x00\x00")),
    "dg14_monstrous_modulus": lambda f: f.update(
        {"DG14": dg14(info(f"{ID_PK}1", _diffie_hellman(12_000)), info(f"{ID_CA}1.2", number(1)))}
    ),
    "dg2_under_the_tag_of_dg1": lambda f: f.update({"DG2": f["DG1"]}),
    "dg1_empty": lambda f: f.update({"DG1": b""}),
    "dg1_one_byte": lambda f: f.update({"DG1": b"\x61"}),
    "dg1_indefinite_length": lambda f: f.update({"DG1": b"\x61\x80" + bytes(20)}),
    "dg1_length_of_four_bytes": lambda f: f.update({"DG1": b"\x61\x84\xff\xff\xff\xff" + bytes(20)}),
    "trailing_bytes": lambda f: f.update({name: content + bytes(40) for name, content in f.items()}),
    "atr_info_garbage": lambda f: f.update({"EF.ATR/INFO": b"\x7f\x66\x7f"}),
    "atr_info_promises_nothing": lambda f: f.update({"EF.ATR/INFO": atr_info(0)}),
    "atr_info_promises_16_mib": lambda f: f.update({"EF.ATR/INFO": atr_info(0xFFFFFF)}),
    "atr_info_promises": lambda f: f.update({"EF.ATR/INFO": atr_info()}),
    "long_portrait": lambda f: f.update({"DG2": build_dg2(b"\xff\xd8\xff" + bytes(40_000), "jpeg")}),
}


def _another_chip(**changes: object) -> Callable[[VirtualPassport, str], None]:
    def replace(chip: VirtualPassport, kind: str) -> None:
        chip.replaced_by = passport(kind, **changes)

    return replace


def _another_holder(chip: VirtualPassport, kind: str) -> None:
    chip.replaced_by = VirtualPassport(honest_files(kind), "X12345678474081221204159", ACTIVE_KEY, CHIP_KEY)


def _another_kind(chip: VirtualPassport, kind: str) -> None:
    chip.replaced_by = passport("bac" if kind == "pace" else "pace")


def _another_portrait(length: int) -> Callable[[VirtualPassport, str], None]:
    def replace(chip: VirtualPassport, kind: str) -> None:
        files = honest_files(kind) | {"DG2": build_dg2(b"\xff\xd8\xff" + bytes(length), "jpeg")}
        chip.replaced_by = passport(kind, files)

    return replace


CHIP_EDITS: dict[str, Callable[[VirtualPassport, str], None]] = {
    "another_chip_same_files_no_keys": _another_chip(active_key=None, chip_key=None),
    "another_chip_other_keys": _another_chip(active_key=OTHER_KEY, chip_key=OTHER_KEY),
    "another_chip_another_holder": _another_holder,
    "another_chip_other_access_control": _another_kind,
    "another_chip_longer_portrait": _another_portrait(PORTRAIT + 100),
    "another_chip_other_portrait": _another_portrait(PORTRAIT),
}
KEYWORDS: dict[str, dict[str, object]] = {
    "other_chip_key": {"chip_key": OTHER_KEY},
    "other_active_key": {"active_key": OTHER_KEY},
    "other_cam_key": {"cam_key": OTHER_KEY},
    "keys_swapped": {"chip_key": None, "chip_keys": {1: OTHER_KEY, 2: CHIP_KEY}},
    "version_2": {"chip_version": 2},
    "keys_by_id": {"chip_key": None, "chip_keys": {1: CHIP_KEY, 2: OTHER_KEY}},
}


class StillClock:
    """A clock that ticks a millisecond at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def boot(self) -> float:
        self.now += 0.001
        return self.now

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Counting:
    """Passes everything through, and counts the commands and, from each response to the next command, the function calls it causes."""

    chip: VirtualPassport
    commands: int = 0
    most_calls: int = 0
    sent: list[bytes] = field(default_factory=list)
    _calls: int = 0

    def transceive(self, command: bytes) -> bytes:
        sys.setprofile(None)
        self.commands += 1
        self.sent.append(command)
        self.most_calls, self._calls = max(self.most_calls, self._calls), 0
        try:
            return self.chip.transceive(command)
        except ChipError as error:
            raise AssertionError("the chip itself raised") from error
        finally:
            sys.setprofile(self._count)

    def reconnect(self, timeout: float) -> bool:
        return self.chip.reconnect(timeout)

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self._calls += event in {"call", "c_call"}

    def read(self, mrz_information: str = MRZ_INFORMATION) -> ChipData:
        """Raises as read_chip does."""
        try:
            return read_chip(self, AccessKey(mrz_information), clock=StillClock())
        finally:
            sys.setprofile(None)
            self.most_calls = max(self.most_calls, self._calls)


class Workshop:
    """What the suite needs, in one fixture (test modules cannot import from here)."""

    active_key = ACTIVE_KEY
    edits = frozenset(FILE_EDITS) | frozenset(CHIP_EDITS) | frozenset(KEYWORDS)
    files = staticmethod(honest_files)
    passport = staticmethod(passport)
    counting = Counting

    @staticmethod
    def build(kind: str, edits: list[str], attributes: Mapping[str, object]) -> VirtualPassport:
        """A chip of this ``kind`` after these ``edits``, with these attributes set."""
        files = honest_files(kind)
        for edit in edits:
            FILE_EDITS.get(edit, lambda _: None)(files)
        chip = passport(kind, files, **{name: value for edit in edits for name, value in KEYWORDS.get(edit, {}).items()})
        for edit in edits:
            CHIP_EDITS.get(edit, lambda *_: None)(chip, kind)
        for name, value in attributes.items():
            assert hasattr(chip, name), name
            setattr(chip, name, value)
        return chip


@pytest.fixture(scope="session")
def workshop() -> type[Workshop]:
    return Workshop
