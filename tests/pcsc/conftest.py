"""A virtual reader of the PC/SC service, a passport of every protocol to lie in it, and the means to swap it without lifting it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.emrtd import tlv
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from hardware.emrtd.pcsc import PcscTransceiver, list_readers
from hardware.emrtd.security_infos import encode_oid
from hardware.ports import DeviceError, Transceiver
from hardware.sim.chip import VirtualPassport
from hardware.sim.vpcd import VirtualSlot, run_atr, slot_port

READER, DEMO_READER = "Virtual PCD 00 00", "Virtual PCD 00 01"
SECRET = "secret of this run"
MRZ_LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""Doc 9303-4, Appendix A: the specimen of Utopia."""
MRZ_INFORMATION = "L898902C3674081221204159"
CAN = "123456"
ID_PACE, ID_CA = "0.4.0.127.0.7.2.2.4", "0.4.0.127.0.7.2.2.3"
OTHERS_S = 50.0
"""How long another run of these tests may keep the slot."""


def sequence(*parts: bytes) -> bytes:
    return tlv.encode(0x30, b"".join(parts))


def identifier(oid: str) -> bytes:
    return tlv.encode(0x06, encode_oid(oid))


def number(value: int) -> bytes:
    return tlv.encode(0x02, bytes([value]))


def public_key(parameter_id: int, element: bytes) -> bytes:
    """SubjectPublicKeyInfo that names standardized domain parameters (Doc 9303-11 §9.5.1)."""
    octets = element if parameter_id >= 8 else tlv.encode(0x02, b"\0" + element)
    return sequence(sequence(identifier("0.4.0.127.0.7.1.2"), number(parameter_id)), tlv.encode(0x03, b"\0" + octets))


def passport(
    pace: str = "",
    parameter_id: int = 13,
    chip: str = "2.4",
    chip_parameters: int = 13,
    version: int = 1,
    active: str = "ec",
    **changes: object,
) -> VirtualPassport:
    """A passport. ``pace``: last two arcs of its PACE protocol, none: BAC; ``chip``: of its chip authentication; ``active``: ec, rsa."""
    family = "1" if chip_parameters < 8 else "2"
    chip_key = STANDARDIZED[chip_parameters].random_key(secrets.token_bytes)
    spki = public_key(chip_parameters, chip_key.public)
    infos = sequence(identifier(f"0.4.0.127.0.7.2.2.1.{family}"), spki, number(1))
    infos += sequence(identifier(f"{ID_CA}.{chip}"), number(version), number(1))
    active_key = ec.generate_private_key(ec.SECP256R1()) if active == "ec" else rsa.generate_private_key(65537, 2048)
    files = {
        "EF.COM": build_com(["DG1", "DG2", "DG14", "DG15"]),
        "EF.SOD": tlv.encode(0x77, bytes(range(250)) * 6),
        "DG1": build_dg1(MRZ_LINES),
        "DG2": build_dg2(b"\xff\xd8\xff" + bytes(i * 7 % 251 for i in range(20_000)), "jpeg"),
        "DG14": tlv.encode(0x6E, tlv.encode(0x31, infos)),
        "DG15": tlv.encode(0x6F, active_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
    }
    if pace:
        files["EF.CardAccess"] = tlv.encode(0x31, sequence(identifier(f"{ID_PACE}.{pace}"), number(2), number(parameter_id)))
    options: dict[str, object] = {"can": CAN, "cam_key": chip_key, "chip_version": version, "chip_keys": {1: chip_key}} | changes
    return VirtualPassport(files, MRZ_INFORMATION, active_key, None, **options)  # type: ignore[arg-type]  # a test's own keywords


class Field:
    """What lies in the field: any chip, changed without lifting it. Counts how often it was reset."""

    def __init__(self) -> None:
        self.chip: Transceiver = passport()
        self.resets = 0

    def transceive(self, command: bytes) -> bytes:
        return self.chip.transceive(command)

    def reconnect(self, timeout: float) -> bool:
        self.resets += 1
        return self.chip.reconnect(timeout)


class Kit:
    reader, demo_reader, secret = READER, DEMO_READER, SECRET
    mrz_lines, mrz_information, can = MRZ_LINES, MRZ_INFORMATION, CAN
    passport = staticmethod(passport)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> None:
    """pcscd with vpcd, and pyscard; skips where one is absent (or fails, where everything is required)."""
    absent = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py")).absent  # type: ignore[union-attr]
    try:
        readers = list_readers()
    except DeviceError as error:
        absent(str(error))
    if not {READER, DEMO_READER} <= set(readers):
        absent(f"pcscd shows no virtual readers (Debian: vsmartcard-vpcd), only {readers}")


@pytest.fixture(scope="module")
def slot(service: None) -> Iterator[VirtualSlot]:
    """The first virtual reader, ours alone."""
    deadline = time.monotonic() + OTHERS_S
    while True:
        try:
            slot = VirtualSlot(run_atr(SECRET), slot_port(READER))
            break
        except DeviceError:  # another run of these tests has it
            assert time.monotonic() < deadline, f"{READER} is not given up"
            time.sleep(0.2)
    with slot:
        yield slot


@pytest.fixture(scope="module")
def field(slot: VirtualSlot) -> Field:
    """A field in which something always lies."""
    field = Field()
    slot.place(field)
    return field


@pytest.fixture(scope="module")
def shared_reader(slot: VirtualSlot) -> Iterator[PcscTransceiver]:
    reader = PcscTransceiver(READER)
    yield reader
    reader.close()


@pytest.fixture
def reader(shared_reader: PcscTransceiver, field: Field) -> PcscTransceiver:
    """The reader, its chip freshly powered."""
    assert shared_reader.reconnect(5.0)
    return shared_reader
