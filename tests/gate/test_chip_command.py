"""``autogate chip``: what it tells of a chip, and what it keeps to itself."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate import chip_command
from gate.__main__ import main
from hardware.emrtd import pcsc
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from pki.sim import active_authentication_key, card_access, chip_authentication_key, pace_info

LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""Doc 9303-4, Appendix A: the specimen of Utopia."""
PERSONAL = ("ERIKSSON", "L898902C3", "740812", "120415")
PACE_GM_AES_256 = "0.4.0.127.0.7.2.2.4.2.4"


@pytest.fixture(scope="module")
def specimen(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("specimen")
    chip_key, dg14 = chip_authentication_key()
    active_key, dg15 = active_authentication_key()
    files = {
        "EF.CardAccess.bin": card_access([pace_info(PACE_GM_AES_256, 12)]),
        "EF_COM.bin": build_com(["DG1", "DG2", "DG14", "DG15"]),
        "EF.SOD.bin": b"\x77\x82\x01\x00" + bytes(256),
        "DG1.bin": build_dg1(LINES),
        "EF_DG2.bin": build_dg2(b"\xff\xd8\xff" + bytes(3000), "jpeg"),
        "Datagroup14.bin": dg14,
        "DG15.bin": dg15,
        "DG14_pk.bin": b"no file of the chip",
        "README.txt": b"nor this",
    }
    for key, name in ((chip_key, "DG14_sk.pkcs8"), (active_key, "DG15_sk.pkcs8")):
        files[name] = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = main(["chip", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_files_protocols_proofs_and_times_are_told_and_nothing_of_the_person(capsys, specimen):
    status, told, complaints = run(capsys, "read", "--specimen", specimen)
    assert (status, complaints) == (0, "")
    for words in ("PACE-ECDH-GM, AES-256, ", "(set 12), password from the MRZ", "EF.CardAccess", "APDUs"):
        assert words in told
    assert f"{(specimen / 'EF_DG2.bin').stat().st_size:>7} bytes" in told
    assert "chip_authentication    successful" in told
    assert "active_authentication  answered with 64 bytes" in told
    assert not [word for word in PERSONAL if word in told]


def test_the_same_as_json(capsys, specimen):
    status, text, _ = run(capsys, "read", "--specimen", specimen, "--json", "--extra", "DG11")
    told = json.loads(text)
    assert status == 0
    assert (told["access"]["protocol"], told["access"]["oid"], told["access"]["parameter_id"]) == ("pace", PACE_GM_AES_256, 12)
    assert told["files"]["DG1"] == 93
    assert list(told["missing"]) == ["DG11"]
    assert told["proofs"]["chip_authentication"]["succeeded"] is True
    assert [step["name"] for step in told["steps"]][:3] == ["capabilities", "card_access", "pace"]
    assert told["exchanges"]["count"] > 10
    assert not [word for word in PERSONAL if word in text]


def test_the_mrz_is_shown_where_that_was_asked_for(capsys, specimen):
    _, told, _ = run(capsys, "read", "--specimen", specimen, "--show")
    assert "\n".join(LINES) in told


def test_the_key_may_come_from_a_file_or_be_typed(capsys, specimen, tmp_path, monkeypatch):
    (tmp_path / "mrz").write_text("\n".join(LINES))
    assert run(capsys, "read", "--specimen", specimen, "--mrz", tmp_path / "mrz")[0] == 0
    (tmp_path / "can").write_text("123456\n")
    status, told, complaint = run(capsys, "read", "--specimen", specimen, "--can", tmp_path / "can")
    assert (status, told) == (1, ""), "this chip knows no CAN"
    assert "PACE" in complaint
    assert " APDUs, the last ones:\n" in complaint
    assert "123456" not in complaint
    monkeypatch.setattr(sys, "stdin", io.StringIO("L898902C3\n740812\n120415\n"))
    typed = chip_command._key(type("Options", (), {"can": None, "mrz": None}))
    assert typed.pace_secret() == AccessKey("L898902C3674081221204159").pace_secret()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mrz", "P<UTOERIKSSON"),
        ("mrz", ""),
        ("can", "12345"),
        ("can", "passwd"),
        ("absent", None),
    ],
)
def test_a_key_that_is_none_is_told_without_repeating_it(capsys, specimen, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    option = "--can" if name == "can" else "--mrz"
    status, told, complaint = run(capsys, "read", "--specimen", specimen, option, tmp_path / name)
    assert (status, told) == (2, "")
    assert complaint.startswith("autogate chip: ")
    assert complaint.count("\n") == 1
    assert not content or content not in complaint


@pytest.mark.parametrize(
    "changed",
    [
        {"DG1.bin": None},
        {"DG1.bin": b"\x61\x82"},
        {"DG1.bin": build_dg1(("A" * 36, "B" * 36))},
        {"DG14_sk.pkcs8": b"\x30\x00"},
        {"DG15_sk.pkcs8": b"\x30\x00"},
    ],
)
def test_a_broken_specimen_is_one_line(capsys, specimen, tmp_path, changed):
    for path in specimen.iterdir():
        content = changed.get(path.name, path.read_bytes())
        if content is not None:
            (tmp_path / path.name).write_bytes(content)
    status, told, complaint = run(capsys, "read", "--specimen", tmp_path)
    assert status in {1, 2}
    assert told == ""
    assert complaint.count("\n") == 1


def test_ctrl_c_in_mid_reading_is_a_word_and_leaves_no_key(capsys, specimen, monkeypatch):
    keys = []

    def interrupted(chip, key, **_):
        keys.append(key)
        raise KeyboardInterrupt

    monkeypatch.setattr(chip_command, "read_chip", interrupted)
    assert run(capsys, "read", "--specimen", specimen) == (130, "", "autogate chip: interrupted\n")
    with pytest.raises(ValueError, match="wiped"):
        keys[0].pace_secret()


def test_a_dg1_without_mrz_is_told_beside_the_report_and_what_was_read_is_wiped(capsys, specimen, monkeypatch):
    read = []

    def spoiled(*arguments, **options):
        read.append(chip_command_read(*arguments, **options))
        read[0].files["DG1"][5:] = b"?" * (len(read[0].files["DG1"]) - 5)
        return read[0]

    chip_command_read = chip_command.read_chip
    monkeypatch.setattr(chip_command, "read_chip", spoiled)
    status, told, complaint = run(capsys, "read", "--specimen", specimen, "--show", "--json")
    assert (status, complaint) == (0, "")
    (line,) = json.loads(told)["mrz"]
    assert line.startswith("no MRZ in DG1: ")
    assert not any(read[0].files["DG2"])


class NoChip:
    """A PC/SC reader in which nothing lies."""

    def __init__(self, name: str) -> None:
        pass

    def reconnect(self, timeout: float) -> bool:
        return False

    def close(self) -> None:
        pass


def test_where_no_chip_comes_the_key_is_wiped(capsys, monkeypatch):
    key = AccessKey.from_can("123456")
    monkeypatch.setattr(pcsc, "PcscTransceiver", NoChip)
    monkeypatch.setattr(chip_command, "_key", lambda _: key)
    status, told, complaint = run(capsys, "read", "--reader", "any")
    assert (status, told) == (1, "")
    assert "no eMRTD answered within 30 s" in complaint
    with pytest.raises(ValueError, match="wiped"):
        key.pace_secret()


@pytest.mark.parametrize("typed", ["", "\n", "L898902C3\n\n120415\n", "L898902C3\n740812\n"])
def test_an_answer_that_nobody_typed_is_refused_before_a_chip_is_awaited(capsys, monkeypatch, typed):
    monkeypatch.setattr(pcsc, "PcscTransceiver", NoChip)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    status, told, complaint = run(capsys, "read", "--reader", "any")
    assert (status, told) == (2, "")
    assert "was typed" in complaint


def test_without_pyscard_the_remedy_is_told(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "smartcard", None)
    status, _, complaint = run(capsys, "read", "--reader", "any")
    assert status == 2
    assert "make setup-pcsc" in complaint
