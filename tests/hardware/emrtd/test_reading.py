"""A reader and a virtual passport: everything comes across as it is, over every kind of chip that behaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_private_key

from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.curves import CURVES, EcKey
from hardware.emrtd.lds import dg1_mrz
from hardware.emrtd.reader import AccessEvidence, AccessKey, read_chip
from hardware.emrtd.transcript import Transcript
from hardware.sim.chip import LinkModel, VirtualPassport


@pytest.fixture(scope="module")
def keys() -> dict[int, rsa.RSAPrivateKey]:
    return {bits: rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (1024, 1536, 1792, 2048, 3072)}


ORDER = ["EF.SOD", "DG1", "DG14", "DG15", "DG2", "EF.COM"]


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_every_file_comes_byte_equal_and_as_soon_as_it_is_complete(kit, extended) -> None:
    files = kit.files(20_000)
    seen: list[tuple[str, bytes]] = []
    data = kit.read(kit.passport(files=files, extended_length=extended), on_file=lambda name, file: seen.append((name, file)))
    assert dict(data.files) == files
    assert data.missing == {}
    assert [name for name, _ in seen] == ORDER
    assert dict(seen) == files
    assert data.access == AccessEvidence(protocol="bac", oid="", parameter_id=None, password="mrz", tolerance="", sessions=1)
    assert {step.name: step.result for step in data.steps} == {
        "capabilities": "successful",
        "card_access": "not_supported",
        "bac": "successful",
        **dict.fromkeys(ORDER, "successful"),
        "chip_authentication": "successful",
        "active_authentication": "successful",
    }
    assert data.last_byte_boot > data.steps[-1].start_boot


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_a_file_beyond_32767_bytes_comes_through_the_odd_instruction(kit, extended) -> None:
    files = kit.files(50_000)
    chip = kit.passport(files=files, extended_length=extended)
    assert kit.read(chip).files["DG2"] == files["DG2"]
    files["DG14"] = kit.build_dg14(kit.spki(kit.chip_key), "0.4.0.127.0.7.2.2.3.2.1")  # under 3DES too
    assert kit.read(kit.passport(files=files, extended_length=extended)).files["DG2"] == files["DG2"]


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.BrainpoolP512R1()], ids=lambda c: c.name)
@pytest.mark.parametrize("suite", [1, 2, 3, 4])
def test_chip_authentication_succeeds_with_the_right_key(kit, curve, suite) -> None:
    key = ec.generate_private_key(curve)
    files = kit.files() | {"DG14": kit.build_dg14(kit.spki(key), f"0.4.0.127.0.7.2.2.3.2.{suite}", key_id=7)}
    evidence = kit.read(kit.passport(files=files, chip_key=key)).chip_authentication
    assert evidence is not None
    assert evidence.succeeded
    assert (evidence.public_key, evidence.oid, evidence.key_id) == (kit.spki(key), f"0.4.0.127.0.7.2.2.3.2.{suite}", 7)


def test_a_chip_authentication_key_without_protocol_information_means_3des(kit) -> None:
    files = kit.files() | {"DG14": kit.build_dg14(kit.spki(kit.chip_key), None)}
    evidence = kit.read(kit.passport(files=files)).chip_authentication
    assert evidence is not None
    assert (evidence.succeeded, evidence.oid) == (True, "0.4.0.127.0.7.2.2.3.2.1")


def test_an_ecdsa_active_authentication_answers_the_challenge(kit) -> None:
    evidence = kit.read(kit.passport()).active_authentication
    r, s = int.from_bytes(evidence.response[:32]), int.from_bytes(evidence.response[32:])
    kit.active_key.public_key().verify(encode_dss_signature(r, s), evidence.challenge, ec.ECDSA(hashes.SHA256()))
    assert len(evidence.challenge) == 8


def test_challenges_are_never_used_twice(kit) -> None:
    assert len({kit.read(kit.passport()).active_authentication.challenge for _ in range(3)}) == 3


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda a: a.name)
def test_an_rsa_active_authentication_recovers_to_iso_9796_2(kit, algorithm) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    files = kit.files() | {"DG15": tlv.encode(0x6F, kit.spki(key))}
    evidence = kit.read(kit.passport(files=files, active_key=key, active_hash=algorithm)).active_authentication
    numbers = key.public_key().public_numbers()
    message = pow(int.from_bytes(evidence.response), numbers.e, numbers.n).to_bytes(256)
    trailer = 1 if message[-1] == 0xBC else 2
    body, digest = message[1 : -trailer - algorithm.digest_size], message[-trailer - algorithm.digest_size : -trailer]
    check = hashes.Hash(algorithm)
    check.update(body + evidence.challenge)
    assert message[0] == 0x6A
    assert check.finalize() == digest


class KeepsExtendedLengthToItself(VirtualPassport):
    """Takes extended length and says so in its ATS alone, where we cannot see it."""

    def _select(self, command: CommandApdu) -> ResponseApdu:
        return ResponseApdu(sw=0x6A82) if command.data == b"\x2f\x01" else super()._select(command)


@pytest.mark.parametrize("bits", [1024, 1536, 1792, 2048, 3072])
@pytest.mark.parametrize("chip", [VirtualPassport, KeepsExtendedLengthToItself])
def test_a_signature_of_any_length_comes_whole(kit, keys, chip, bits) -> None:
    files = kit.files() | {"DG15": tlv.encode(0x6F, kit.spki(keys[bits]))}
    data = kit.read(kit.passport(chip, files=files, active_key=keys[bits]))
    assert len(data.active_authentication.response) == bits // 8
    assert dict(data.files) == files


def test_a_short_signature_asks_nothing_special_of_the_chip(kit, keys) -> None:
    files = kit.files() | {"DG15": tlv.encode(0x6F, kit.spki(keys[1536]))}
    data = kit.read(kit.passport(files=files, active_key=keys[1536], extended_length=False))
    assert len(data.active_authentication.response) == 192


def test_a_missing_file_is_named_and_the_rest_is_read(kit) -> None:
    files = kit.files()
    del files["DG14"], files["DG15"]
    data = kit.read(kit.passport(files=files))
    assert dict(data.missing) == {"DG14": "FILE_NOT_FOUND", "DG15": "FILE_NOT_FOUND"}
    assert (data.chip_authentication, data.active_authentication) == (None, None)
    assert dict(data.files) == files


def test_what_ef_com_hides_is_read_all_the_same(kit) -> None:
    files = kit.files() | {"EF.COM": tlv.encode(0x60, b"\x5c\x01\x61")}
    data = kit.read(kit.passport(files=files))
    assert dict(data.files) == files
    assert data.chip_authentication is not None


def test_trailing_bytes_after_a_file_are_left_in_the_chip(kit) -> None:
    files = kit.files()
    padded = {name: file + bytes(40) for name, file in files.items()}
    assert dict(kit.read(kit.passport(files=padded)).files) == files


def test_progress_only_grows_and_ends_at_one(kit) -> None:
    seen: list[float] = []
    read_chip(kit.passport(files=kit.files(9000)), AccessKey(kit.mrz_information), progress=seen.append, clock=kit.clock())
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 6


class MindsBeingAskedTooMuch(VirtualPassport):
    """Refuses to be asked for more than the file holds, as older chips do."""

    refusal = 0x6700

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        if offset + (command.ne or 0) > len(file):
            return ResponseApdu(sw=self.refusal)
        return super()._part(file, offset, command)


class LiesAboutExtendedLength(VirtualPassport):
    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        return ResponseApdu(sw=0x6700) if (command.ne or 0) > 256 else super()._part(file, offset, command)


class TellsTheLengthItWants(VirtualPassport):
    """Answers 6Cxx with what is left of the file, or with what it can send."""

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        most = min(100, len(file) - offset)
        return ResponseApdu(sw=0x6C00 | most) if (command.ne or 0) > most else super()._part(file, offset, command)


@pytest.mark.parametrize("refusal", [0x6700, 0x6B00])
@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_a_chip_that_minds_being_asked_too_much_is_read(kit, refusal, extended) -> None:
    chip = kit.passport(MindsBeingAskedTooMuch, extended_length=extended)
    chip.refusal = refusal
    assert dict(kit.read(chip).files) == kit.files()


@pytest.mark.parametrize("chip", [LiesAboutExtendedLength, TellsTheLengthItWants])
def test_a_chip_with_its_own_idea_of_length_is_read(kit, chip) -> None:
    assert dict(kit.read(kit.passport(chip)).files) == kit.files()


def test_a_stingy_chip_is_read_in_small_parts(kit) -> None:
    chip = kit.passport()
    chip.stingy = 64
    assert dict(kit.read(chip).files) == kit.files()


def test_the_chip_gives_nothing_in_the_clear(kit) -> None:
    chip = kit.passport()
    chip.transceive(CommandApdu(ins=0xA4, p1=4, p2=12, data=bytes.fromhex("A0000002471001")).encode())
    for name in (0x1E, 0x1D, 0x01, 0x02):
        assert chip.transceive(CommandApdu(ins=0xB0, p1=0x80 | name, ne=256).encode()) == bytes.fromhex("6982")


def test_a_transcript_keeps_lengths_and_statuses_but_no_contents(kit) -> None:
    transcript = Transcript(kit.passport(), kit.clock())
    kit.read(transcript)
    assert {exchange.sw for exchange in transcript.exchanges} <= {
        0x9000,
        0x6282,
        0x6982,
        0x6A82,
    }  # the last two: no EF.CardAccess
    assert sum(exchange.response_length for exchange in transcript.exchanges) > sum(map(len, kit.files().values()))
    assert "ERIKSSON" not in repr(transcript.exchanges)


def test_nothing_personal_shows_in_repr(kit) -> None:
    data, key = kit.read(kit.passport()), AccessKey(kit.mrz_information)
    assert "ERIKSSON" not in repr(data)
    assert repr(key) == "AccessKey(…)"
    assert kit.mrz_lines[0][:20] in dg1_mrz(bytes(data.files["DG1"]))


def test_a_wiped_key_opens_nothing(kit) -> None:
    key = AccessKey(kit.mrz_information)
    key.wipe()
    with pytest.raises(ValueError, match="wiped"):
        key.bac_cipher()


@pytest.mark.parametrize(
    "text", ["", "short", "l898902c3674081221204159", "L898902C3674081221204159\n", "Ü898902C3674081221204159"]
)
def test_an_access_key_is_made_of_mrz_characters_only(text: str) -> None:
    with pytest.raises(ValueError, match="MRZ"):
        AccessKey(text)


def test_the_link_model_gives_the_known_figures() -> None:
    # One READ BINARY of 223 bytes under secure messaging at 424 kbit/s: 19 + 244 bytes, 3 more a frame, 9 bits each, 100 µs a frame.
    assert LinkModel(kbit_s=424).seconds(19, 244) == pytest.approx((19 + 3 + 244 + 3) * 9 / 424_000 + 200e-6)
    # 300 bytes need two frames and one acknowledgement.
    assert LinkModel(kbit_s=106).seconds(10, 300) == pytest.approx((10 + 3 + 300 + 6 + 3) * 9 / 106_000 + 400e-6)


def test_a_paced_chip_sleeps_as_long_as_the_link_takes(kit) -> None:
    slept: list[float] = []
    transcript = Transcript(kit.passport(link=LinkModel(kbit_s=424), sleep=slept.append, timer=lambda: 0.0), kit.clock())
    kit.read(transcript)
    link = LinkModel(kbit_s=424)
    assert slept == [link.seconds(one.command_length, one.response_length) for one in transcript.exchanges]


@pytest.mark.shared
def test_the_bsi_specimen_comes_byte_equal_with_both_proofs(kit, pki_data: Path) -> None:
    folder = pki_data / "bsi_dataset"
    names = {
        "EF.COM": "EF_COM",
        "EF.SOD": "EF_SOD",
        "DG1": "Datagroup1",
        "DG2": "Datagroup2",
        "DG14": "Datagroup14",
        "DG15": "Datagroup15",
    }
    files = {name: (folder / f"{file}.bin").read_bytes() for name, file in names.items()}
    active_key = load_der_private_key((folder / "DG15_sk.pkcs8").read_bytes(), None)
    # PKCS#8 with explicit brainpoolP224r1, which OpenSSL does not know: SEQUENCE {version, algorithm, OCTET STRING {SEQUENCE {1, key …}}}
    inner = list(tlv.children(tlv.only((folder / "DG14_sk.pkcs8").read_bytes(), 0x30)))[2].value
    scalar = int.from_bytes(list(tlv.children(tlv.only(inner, 0x30)))[1].value)
    curve = next(curve for curve in CURVES if curve.name == "brainpoolP224r1")
    mrz_information = "C11T002JM496081222310314"
    chip = VirtualPassport(files, mrz_information, active_key, EcKey(curve=curve, scalar=scalar), active_hash=hashes.SHA1())
    data = kit.read(chip, mrz_information=mrz_information)
    assert dict(data.files) == files
    assert data.chip_authentication is not None
    assert data.chip_authentication.succeeded
    assert data.chip_authentication.public_key == (folder / "DG14_pk.bin").read_bytes()
    assert data.active_authentication is not None
    assert len(data.active_authentication.response) == 128
