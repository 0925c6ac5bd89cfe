"""What a chip may say, parser by parser: each target takes any bytes and tells in a word what came of them.

They serve the long suites, where changed seeds go in, and ``tests/fuzz``, where a fuzzer looks for its own way through the code. A target
lets nothing through but what the product lets through, and asserts what must hold of a value. Specimens in ``../shared`` are seeds too,
where that folder is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.soak_cases import METER, spoil
from benchmarks.soak_seeds import card_access, passport_files, public_keys
from benchmarks.soak_trees import mutate
from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.domain_parameters import read_key
from hardware.emrtd.errors import ApduError, ChipError, LdsError, TlvError
from hardware.emrtd.lds import dg1_mrz, dg2_image, parse_com
from hardware.emrtd.lds_details import (
    DocumentDetails,
    PersonalDetails,
    PersonToNotify,
    build_dg11,
    build_dg12,
    build_dg16,
    parse_dg11,
    parse_dg12,
    parse_dg13,
    parse_dg16,
)
from hardware.emrtd.lds_face import build_dg2, build_dg2_39794, build_group
from hardware.emrtd.lds_images import build_displayed, displayed_images
from hardware.emrtd.lds_master import AtrInfo, build_atr_info, build_dir, parse_atr_info, parse_dir
from hardware.emrtd.pace_offers import offers

Change = Callable[[bytes, Random], bytes]
OBJECTS = 64
"""So many data objects are taken at most, as the product does."""
JPEG, JPEG2000 = b"\xff\xd8\xff" + bytes(range(40)), b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(range(40))
SPECIMENS = ("bsi_dataset", "tsemrtd_specimen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``parse`` gives a word or raises; ``errors`` are what it may raise; ``seeds`` are honest inputs, ``change`` spoils one."""

    seeds: tuple[bytes, ...]
    parse: Callable[[bytes], str]
    change: Change = mutate
    errors: tuple[type[Exception], ...] = (ChipError,)

    def judge(self, data: bytes) -> str:
        """The word for what came out. What should not be raised is."""
        METER.start()
        try:
            return self.parse(data)
        except self.errors as error:
            return error.code if isinstance(error, ChipError) else type(error).__name__
        finally:
            METER.stop()


Prepare = Callable[[], Target]


def _tlv() -> Target:
    def parse(data: bytes) -> str:
        end = 0
        for item in islice(tlv.children(data), OBJECTS):
            assert item.start == end
            assert data[item.start : item.end].endswith(item.value)
            end = item.end
        return "read"

    files = passport_files()
    return Target(seeds=(*files.values(), b"".join(files.values())[:2000]), parse=parse, errors=(TlvError,))


def _command() -> Target:
    def parse(data: bytes) -> str:
        command = CommandApdu.decode(data)
        assert CommandApdu.decode(command.encode()) == command
        return "read"

    shapes = [(data, ne) for data in (b"", b"\1", bytes(255), bytes(256)) for ne in (None, 1, 256, 257, 65_536)]
    return Target(
        seeds=tuple(CommandApdu(ins=0xB0, p1=1, p2=2, data=data, ne=ne).encode() for data, ne in shapes),
        parse=parse,
        change=spoil,
        errors=(ApduError,),
    )


def _response() -> Target:
    def parse(data: bytes) -> str:
        assert ResponseApdu.decode(data).encode() == data
        return "read"

    seeds = [ResponseApdu(data=bytes(length), sw=sw).encode() for length in (0, 1, 256, 65_536) for sw in (0x9000, 0x6C11)]
    return Target(seeds=tuple(seeds), parse=parse, change=spoil, errors=(ApduError,))


# --- files


@cache
def _specimens() -> Mapping[str, list[bytes]]:
    """Files of the published specimens by their name; none where ``../shared`` is absent."""
    from hardware.sim.specimen import load_specimen

    found: dict[str, list[bytes]] = {}
    shared = Path(__file__).resolve().parents[2] / "shared" / "data" / "pki"
    for folder in (shared / name for name in SPECIMENS if (shared / name).is_dir()):
        for name, content in load_specimen(folder).files.items():
            found.setdefault(name, []).append(content)
    return found


def _file(name: str, parse: Callable[[bytes], object], *seeds: bytes) -> Prepare:
    """A file of the LDS whose parser gives a value or LdsError."""

    def run(data: bytes) -> str:
        parse(data)
        return "read"

    return lambda: Target(seeds=(*seeds, *_specimens().get(name, [])), parse=run, errors=(LdsError,))


def _portrait(data: bytes) -> None:
    portrait = dg2_image(data)
    assert portrait.image in data
    assert portrait.encodings >= 1


def _displayed(data: bytes) -> None:
    for image in displayed_images("DG7" if data[:1] == b"\x67" else "DG5", data):
        assert image.image in data


PERSON = PersonalDetails(
    full_name="ERIKSSON<<ANNA<MARIA",
    other_names=("A", "B<<C"),
    personal_number="ZE184226B",
    date_of_birth="19740812",
    place_of_birth="ZENITH",
    proof_of_citizenship=JPEG,
)
DOCUMENT = DocumentDetails(
    issuing_authority="UTOPIA",
    date_of_issue="20200415",
    other_persons=("X<<Y",),
    image_of_front=JPEG,
    personalized_at="20200415120000",
)
NOTIFIED = [PersonToNotify(date_recorded="20200415", name="A<<B", telephone="1", address="C") for _ in range(3)]


def _portraits() -> tuple[bytes, ...]:
    one = build_dg2(JPEG, "jpeg")
    template = tlv.only(tlv.only(one, 0x75), 0x7F61)[3:]
    return one, build_dg2(JPEG2000, "jpeg2000"), build_dg2_39794(JPEG, "jpeg"), build_group([template] * 3)


# --- keys and offers


def _card_access() -> Target:
    def parse(data: bytes) -> str:
        return f"{min(len(offers(data)), 1)} offer"

    return Target(seeds=(card_access(), *_specimens().get("EF.CardAccess", [])), parse=parse)


def _public_key() -> Target:
    def parse(data: bytes) -> str:
        group, element = read_key(data)
        assert group.check(element) == element
        return "read"

    return Target(seeds=public_keys(), parse=parse)


LANGUAGE: Mapping[str, Prepare] = {"tlv": _tlv, "command": _command, "response": _response}
"""What everything else is made of."""
FILES: Mapping[str, Prepare] = {
    "com": _file("EF.COM", parse_com, passport_files()["EF.COM"]),
    "dg1": _file("DG1", dg1_mrz, passport_files()["DG1"]),
    "dg2": _file("DG2", _portrait, *_portraits()),
    "dg5_dg7": _file("DG7", _displayed, build_displayed("DG5", [JPEG, JPEG2000]), build_displayed("DG7", [JPEG])),
    "dg11": _file("DG11", parse_dg11, build_dg11(PERSON)),
    "dg12": _file("DG12", parse_dg12, build_dg12(DOCUMENT)),
    "dg13": _file("DG13", parse_dg13, tlv.encode(0x6D, bytes(30))),
    "dg16": _file("DG16", parse_dg16, build_dg16(NOTIFIED)),
    "dir": _file("EF.DIR", parse_dir, build_dir([bytes.fromhex("A0000002471001"), bytes(16)])),
    "atr_info": _file(
        "EF.ATR/INFO", parse_atr_info, build_atr_info(AtrInfo(extended_length=True, max_command=1000, max_response=65_536))
    ),
    "card_access": _card_access,
    "public_key": _public_key,
}
"""The files of the LDS, and the keys in them."""
