"""The virtual passport keeps the rules of a chip: who may read what, which file is meant, what ends a session, what a loss leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hardware.emrtd import pace, tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.bac import BacExchange
from hardware.emrtd.errors import AccessError
from hardware.emrtd.files import select_application, select_file
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import ID_PACE, encode_oid
from hardware.ports import TagLost
from hardware.sim.chip import SPOILABLE, LinkModel, VirtualPassport
from hardware.sim.chip_attacks import ATTACKS

MRZ = "L898902C3674081221204159"
CAN = "123456"
CARD_ACCESS = tlv.encode(0x31, tlv.encode(0x30, tlv.encode(0x06, encode_oid(f"{ID_PACE}2.2")) + b"\2\1\2\2\1\x0c"))
CARD_SECURITY, DIRECTORY = b"\x30\x03sec", b"\x61\x03dir"
FILES = {
    "EF.CardAccess": CARD_ACCESS,
    "EF.CardSecurity": CARD_SECURITY,
    "EF.DIR": DIRECTORY,
    "EF.COM": b"\x60\x03com",
    "EF.SOD": b"\x77\x03sod",
    "DG1": b"\x61\x03one",
    "DG3": b"\x63\x03fin",
}
MASTER_FILE = CommandApdu(ins=0xA4, p1=0, p2=0x0C, data=b"\x3f\x00")
OK, NOT_FOUND, FORBIDDEN, CONDITIONS = 0x9000, 0x6A82, 0x6982, 0x6985


class Terminal:
    """Sends commands to a chip, protected once there is a session."""

    def __init__(self, chip: VirtualPassport) -> None:
        self.chip, self.session = chip, None

    def send(self, command: CommandApdu) -> ResponseApdu:
        if self.session is None:
            return self.plain(command)
        return self.session.unprotect(self.plain(self.session.protect(command)))

    def plain(self, command: CommandApdu) -> ResponseApdu:
        return ResponseApdu.decode(self.chip.transceive(command.encode()))

    def read(self, sfi: int, ne: int = 256) -> tuple[bytes, int]:
        response = self.send(CommandApdu(ins=0xB0, p1=0x80 | sfi, ne=ne))
        return response.data, response.sw

    def bac(self) -> SecureMessaging:
        assert self.send(select_application()).sw == OK
        cipher = AccessKey(MRZ).bac_cipher()
        run = BacExchange(rnd_ic=self.send(CommandApdu(ins=0x84, ne=8)).data, rnd_ifd=bytes(8), k_ifd=bytes(16))
        answer = self.send(CommandApdu(ins=0x82, data=run.request(cipher), ne=40))
        self.session = run.session(cipher, answer.data)
        return self.session

    def pace(self, key: AccessKey) -> None:
        offer = pace.choose(CARD_ACCESS)
        assert offer is not None
        self.session = pace.establish(self.send, offer, key).session


def terminal(files: dict[str, bytes] = FILES, **changes: object) -> Terminal:
    return Terminal(VirtualPassport(files, MRZ, **changes))  # type: ignore[arg-type]  # a test's own keywords


# --- the file system ---


def test_what_is_free_is_read_in_the_clear_and_nothing_else() -> None:
    line = terminal()
    assert line.read(0x1C, len(CARD_ACCESS)) == (CARD_ACCESS, OK)
    assert line.read(0x1E, 5) == (DIRECTORY, OK)
    assert line.read(0x01, 11) == (bytes.fromhex("7F6608") + bytes.fromhex("02028000") * 2, OK)
    assert line.read(0x1D)[1] == FORBIDDEN
    assert line.plain(select_application()).sw == OK
    assert [line.read(sfi)[1] for sfi in (0x01, 0x02, 0x03, 0x1D, 0x1E)] == [FORBIDDEN] * 5


def test_a_short_identifier_means_one_file_in_the_master_file_and_another_in_the_application() -> None:
    line = terminal()
    line.pace(AccessKey(MRZ))
    assert (line.read(0x1D, 5), line.read(0x1E, 5)) == ((CARD_SECURITY, OK), (DIRECTORY, OK))
    assert line.send(select_application()).sw == OK
    assert (line.read(0x1D, 5), line.read(0x1E, 5)) == ((FILES["EF.SOD"], OK), (FILES["EF.COM"], OK))
    assert line.read(0x1C)[1] == NOT_FOUND
    assert line.send(MASTER_FILE).sw == OK
    assert line.read(0x1D, 5) == (CARD_SECURITY, OK)


def test_files_are_selected_by_identifier_too() -> None:
    line = terminal()
    assert line.plain(select_file(0x011C)).sw == OK
    assert line.plain(CommandApdu(ins=0xB0, ne=len(CARD_ACCESS))).data == CARD_ACCESS
    assert line.plain(select_file(0x0101)).sw == FORBIDDEN
    line.bac()
    assert line.send(select_file(0x0101)).sw == OK
    assert line.send(CommandApdu(ins=0xB0, p2=2, ne=3)).data == b"one"
    assert line.send(select_file(0x0102)).sw == NOT_FOUND
    assert line.send(CommandApdu(ins=0xB0, ne=3)).sw == CONDITIONS


def test_ef_card_security_wants_pace() -> None:
    line = terminal()
    line.bac()
    assert line.send(MASTER_FILE).sw == OK
    assert line.read(0x1D)[1] == FORBIDDEN


@pytest.mark.parametrize("enter", [Terminal.bac, lambda line: line.pace(AccessKey(MRZ))], ids=["bac", "pace"])
def test_fingerprints_are_there_and_never_given(enter: Callable[[Terminal], object]) -> None:
    line = terminal()
    enter(line)
    line.send(select_application())
    assert line.read(0x03)[1] == FORBIDDEN
    assert line.read(0x04)[1] == NOT_FOUND


# --- access ---


@pytest.mark.parametrize("key", [AccessKey(MRZ), AccessKey.from_can(CAN)], ids=["MRZ", "CAN"])
def test_pace_takes_either_password(key: AccessKey) -> None:
    line = terminal(can=CAN)
    line.pace(key)
    assert line.send(select_application()).sw == OK
    assert line.read(0x01, 5) == (FILES["DG1"], OK)


@pytest.mark.parametrize(
    ("can", "password", "code"),
    [("", CAN, "PACE_REFUSED"), (CAN, "123457", "PACE_DENIED")],
    ids=["a chip without a CAN", "the wrong CAN"],
)
def test_pace_takes_no_other_password(can: str, password: str, code: str) -> None:
    with pytest.raises(AccessError) as caught:
        terminal(can=can).pace(AccessKey.from_can(password))
    assert caught.value.code == code


def test_a_chip_with_pace_alone_is_entered_by_nothing_else() -> None:
    line = terminal(bac=False)
    assert line.send(select_application()).sw == FORBIDDEN
    assert line.send(CommandApdu(ins=0x84, ne=8)).sw == CONDITIONS
    line.pace(AccessKey(MRZ))
    assert line.send(select_application()).sw == OK
    assert line.read(0x01, 5) == (FILES["DG1"], OK)


def test_a_chip_without_ef_card_access_has_no_pace() -> None:
    with pytest.raises(AccessError, match="PACE_REFUSED"):
        terminal({}).pace(AccessKey(MRZ))


@pytest.mark.parametrize("command", [CommandApdu(ins=0xB0, p1=0x9E, ne=4), select_application()])
def test_a_command_in_the_clear_ends_the_session(command: CommandApdu) -> None:
    line = terminal()
    session = line.bac()
    line.plain(command)
    assert line.plain(session.protect(CommandApdu(ins=0xB0, p1=0x81, ne=4))) == ResponseApdu(sw=0x6987)


def test_a_message_that_is_not_authentic_ends_the_session() -> None:
    line = terminal()
    session = line.bac()
    session.protect(CommandApdu(ins=0xB0, p1=0x81, ne=4))  # on its way it got lost
    assert line.plain(session.protect(CommandApdu(ins=0xB0, p1=0x81, ne=4))) == ResponseApdu(sw=0x6988)
    assert line.plain(session.protect(CommandApdu(ins=0xB0, p1=0x81, ne=4))) == ResponseApdu(sw=0x6987)


@pytest.mark.parametrize(("cla", "ins", "status"), [(0x80, 0xB0, 0x6E00), (0x00, 0xCA, 0x6D00)], ids=["class", "instruction"])
def test_what_no_chip_knows_is_refused_by_name(cla: int, ins: int, status: int) -> None:
    assert terminal().plain(CommandApdu(cla=cla, ins=ins, ne=256)) == ResponseApdu(sw=status)


@pytest.mark.parametrize("steps", [[b""], [b"\x81\x01\x00"], [b"", b""], [b"", b"\x85\x08" + bytes(8)]], ids=range(4))
def test_steps_of_pace_out_of_order_end_it(steps: list[bytes]) -> None:
    line = terminal()
    if len(steps) > 1:
        oid = encode_oid(f"{ID_PACE}2.2")
        assert line.plain(CommandApdu(ins=0x22, p1=0xC1, p2=0xA4, data=tlv.encode(0x80, oid) + b"\x83\x01\x01")).sw == OK
    for step in steps:
        response = line.plain(CommandApdu(cla=0x10, ins=0x86, data=tlv.encode(0x7C, step), ne=256))
    assert response == ResponseApdu(sw=CONDITIONS)


# --- the field ---


def lose(line: Terminal) -> None:
    with pytest.raises(TagLost):
        line.read(0x1C)


def test_a_chip_that_was_lost_is_gone_for_good_unless_it_returns() -> None:
    line = terminal()
    line.chip.lost_after = 10
    lose(line)
    lose(line)
    assert not line.chip.reconnect(1.0)
    line.chip.returns = True
    assert line.chip.reconnect(1.0)
    assert line.read(0x1C, len(CARD_ACCESS)) == (CARD_ACCESS, OK)


def test_a_chip_that_returned_knows_neither_session_nor_selection() -> None:
    line = terminal()
    session = line.bac()
    line.chip.lost_at_command, line.chip.returns = 5, True
    assert line.read(0x01, 5)[1] == OK
    lose(line)
    assert line.chip.reconnect(1.0)
    assert line.plain(session.protect(CommandApdu(ins=0xB0, p1=0x81, ne=4))) == ResponseApdu(sw=0x6987)
    line.session = None
    assert line.read(0x1E, 5) == (DIRECTORY, OK)
    assert line.plain(CommandApdu(ins=0x84, ne=8)).sw == CONDITIONS


def test_a_loss_at_a_command_leaves_the_loss_after_bytes_to_come() -> None:
    line = terminal()
    line.chip.lost_after, line.chip.lost_at_command, line.chip.returns = 2 * len(CARD_ACCESS), 1, True
    lose(line)
    assert line.chip.reconnect(1.0)
    lose(line)


def test_a_reset_ends_what_protocol_was_under_way() -> None:
    line = terminal()
    set_pace = CommandApdu(ins=0x22, p1=0xC1, p2=0xA4, data=tlv.encode(0x80, encode_oid(f"{ID_PACE}2.2")) + b"\x83\x01\x01")
    first_step = CommandApdu(cla=0x10, ins=0x86, data=b"\x7c\x00", ne=256)
    assert (line.plain(set_pace).sw, line.plain(first_step).sw) == (OK, OK)
    assert line.plain(set_pace).sw == OK
    line.chip.reconnect(0.0)
    assert line.plain(first_step).sw == CONDITIONS


def test_a_chip_is_lost_again_after_as_many_bytes_as_it_should() -> None:
    line = terminal()
    chip, size = line.chip, len(CARD_ACCESS)
    chip.lost_after, chip.lost_after_each, chip.returns = size, 2 * size, True
    for reads in (0, 1, 1):
        assert [line.read(0x1C)[0] for _ in range(reads)] == [CARD_ACCESS] * reads
        lose(line)
        assert chip.reconnect(1.0)


def test_another_chip_answers_in_the_place_of_the_one_that_was_lost() -> None:
    line = terminal()
    line.chip.lost_at_command = 1
    line.chip.replaced_by = VirtualPassport({"EF.DIR": b"\x61\x05other"}, MRZ)
    lose(line)
    assert line.chip.reconnect(1.0)
    assert line.read(0x1E, 7) == (b"\x61\x05other", OK)
    assert line.read(0x1C)[1] == NOT_FOUND


def test_an_instruction_that_is_never_answered_does_not_take_the_chip_away() -> None:
    line = terminal()
    line.chip.mute = 0xB0
    lose(line)
    assert line.chip.reconnect(1.0)
    assert line.send(select_application()).sw == OK


def test_a_slow_chip_takes_its_time_on_top_of_the_links() -> None:
    slept: list[float] = []
    link = LinkModel(kbit_s=424, computing_s={0xB0: 0.25})
    line = terminal(link=link, sleep=slept.append, timer=lambda: 0.0)
    line.chip.slow_s = 2.0
    line.read(0x1E, 5)
    assert slept == [pytest.approx(2.25 + link.seconds(5, 7))]


@pytest.mark.parametrize("odd", [False, True])
def test_no_response_is_longer_than_an_apdu_can_be(odd: bool) -> None:
    line = terminal()
    line.chip.endless = True
    line.bac()
    assert line.read(0x1E, 65_000)[1] == OK
    command = CommandApdu(ins=0xB1, data=b"\x54\x01\x00", ne=65_536) if odd else CommandApdu(ins=0xB0, ne=65_536)
    assert line.send(command) == ResponseApdu(sw=0x6700)


# --- attacks ---


def test_an_attack_has_a_name_or_is_none() -> None:
    chip = terminal().chip
    chip.attack = "sm_replayed"
    with pytest.raises(ValueError, match="no such attack"):
        chip.attack = "sm_relpayed"
    assert chip.attack == "sm_replayed"
    chip.attack = ""
    assert not chip.attack


def test_all_that_spoils_a_chip_is_an_attribute_that_starts_out_harmless() -> None:
    chip = terminal(can=CAN).chip
    assert {name for name in SPOILABLE if getattr(chip, name)} == {"extended_length", "bac"}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_an_attacker_answers_any_command(attack: str) -> None:
    for raw in (b"", b"\x00", b"\x00\xb0\x9c\x00\x00", b"\x10\x86\x00\x00\x02\x7c\x00\x00", b"\x0c\xb0\x81\x00\x00"):
        chip = terminal().chip
        chip.attack = attack
        assert all(isinstance(chip.transceive(raw), bytes) for _ in range(3))
