"""A published specimen as a virtual chip: a folder with its files, and its private keys where they were published too.

Files are called after what they hold, ``EF.COM.bin``, ``EF_SOD.bin``, ``DG1.bin``, ``EF_DG2.bin`` or ``Datagroup14.bin``; keys
``DG14_sk.pkcs8`` (chip authentication) and ``DG15_sk.pkcs8`` (active authentication). Whatever is called otherwise is let be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from hardware.emrtd import tlv
from hardware.emrtd.curves import EcKey, find_curve
from hardware.emrtd.lds import FILES, dg1_mrz
from hardware.ports import DeviceError
from hardware.sim.chip import LinkModel, VirtualPassport

DATA_GROUP = re.compile(r"(?:EF[._])?(?:Datagroup|DG)(\d+)")
INFORMATION = {88: (slice(44, 54), slice(57, 64), slice(65, 72)), 90: (slice(5, 15), slice(30, 37), slice(38, 45))}
"""Number, birth and expiry, each with its check digit, in the MRZ of a TD3 and a TD1 (Doc 9303-4 §4.2.2, 9303-5 §4.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What is in the folder. ``mrz_information`` is the chip's password, as its own DG1 gives it."""

    files: dict[str, bytes] = field(repr=False)
    mrz_information: str
    active_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = field(repr=False)
    chip_key: EcKey | None = field(repr=False)

    def chip(self, link: LinkModel | None = None) -> VirtualPassport:
        return VirtualPassport(self.files, self.mrz_information, self.active_key, self.chip_key, link)


def load_specimen(folder: Path) -> Specimen:
    """Raises DeviceError where the folder cannot be read or holds no DG1; ChipError for a malformed DG1 or key."""
    try:
        contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise DeviceError(str(folder), f"cannot be read: {error.strerror}", "name a folder with a specimen's files") from error
    files = {name: data for path, data in contents.items() if (name := _file_name(path)) in FILES}
    if "DG1" not in files:
        raise DeviceError(str(folder), "holds no DG1", "name the files EF.COM.bin, EF.SOD.bin, DG1.bin …")
    active, chip = contents.get("DG15_sk.pkcs8"), contents.get("DG14_sk.pkcs8")
    return Specimen(
        files=files,
        mrz_information=_mrz_information(files["DG1"], str(folder)),
        active_key=_active_key(active, str(folder)) if active else None,
        chip_key=_chip_key(chip, str(folder)) if chip else None,
    )


def _file_name(path: str) -> str:
    """The file that ``path`` holds by its name; empty or unknown where it is none."""
    stem, _, suffix = path.rpartition(".")
    if suffix != "bin":
        return ""
    group = DATA_GROUP.fullmatch(stem)
    return f"DG{group[1]}" if group else stem.replace("EF_", "EF.", 1)


def _mrz_information(dg1: bytes, folder: str) -> str:
    mrz = dg1_mrz(dg1)
    if len(mrz) not in INFORMATION:
        raise DeviceError(folder, "a DG1 of neither a TD3 nor a TD1", "use another specimen")
    return "".join(mrz[part] for part in INFORMATION[len(mrz)])


def _active_key(pkcs8: bytes, folder: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key = load_der_private_key(pkcs8, None)
    except (ValueError, TypeError) as error:
        raise DeviceError(folder, "DG15_sk.pkcs8 is no private key", "take it away, or use another specimen") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise DeviceError(folder, "DG15_sk.pkcs8 is neither RSA nor on an elliptic curve", "use another specimen")
    return key


def _chip_key(pkcs8: bytes, folder: str) -> EcKey:
    """Read by hand: specimens have explicit parameters of curves that OpenSSL lacks (RFC 5958 §2, RFC 5915 §3)."""
    try:
        _, algorithm, wrapped = list(tlv.children(tlv.only(pkcs8, tlv.SEQUENCE)))[:3]
        _, parameters = tlv.children(algorithm.value)
        scalar = list(tlv.children(tlv.only(wrapped.value, tlv.SEQUENCE)))[1].value
        return EcKey(curve=find_curve(parameters), scalar=int.from_bytes(scalar))
    except (ValueError, IndexError) as error:
        raise DeviceError(
            folder, "DG14_sk.pkcs8 is no key on an elliptic curve", "take it away, or use another specimen"
        ) from error
