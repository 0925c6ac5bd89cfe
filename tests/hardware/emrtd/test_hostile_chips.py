"""Chips of an attacker, broken chips, lifted passports: each ends in its own named way, and soon."""

from __future__ import annotations

import pytest

from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.errors import AccessError, ChipError, SecureMessagingError
from hardware.emrtd.lds import FILES
from hardware.emrtd.reader import ESSENTIAL, SMALL_FILES
from hardware.emrtd.transcript import Transcript
from hardware.ports import DeviceError, TagLost
from hardware.sim.chip import VirtualPassport

MOST_COMMANDS = 20_000


def failure(kit, chip) -> ChipError:
    """The error that reading ``chip`` ends with, within a bounded number of commands."""
    transcript = Transcript(chip, kit.clock())
    with pytest.raises(ChipError) as caught:
        kit.read(transcript)
    assert len(transcript.exchanges) < MOST_COMMANDS
    return caught.value


class Hooked(VirtualPassport):
    """Spoils the answer to the command that ``hits`` chooses by its number, after the true chip answered."""

    def __init__(self, *args, hits=lambda number, command: False, spoil=lambda response: response, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.hits, self.spoil, self.number = hits, spoil, 0

    def transceive(self, command: bytes) -> bytes:
        self.number += 1
        response = super().transceive(command)
        return self.spoil(response) if self.hits(self.number, command) else response


def is_protected(_: int, command: bytes) -> bool:
    return command[0] & 0x0C == 0x0C


# --- access ---


def test_the_wrong_mrz_is_access_denied(kit) -> None:
    with pytest.raises(AccessError) as caught:
        kit.read(kit.passport(), mrz_information="L898902C3674081221204158")
    assert caught.value.code == "ACCESS_DENIED"


def test_a_chip_that_does_not_know_the_mrz_cannot_pretend(kit) -> None:
    chip = kit.passport(Hooked, hits=lambda _, command: command[1] == 0x82, spoil=lambda response: bytes(40) + b"\x90\x00")
    assert failure(kit, chip).code == "ACCESS_REPLY_WRONG"


def test_an_answer_recorded_from_another_run_is_refused(kit) -> None:
    recorded: list[bytes] = []

    def replay(response: bytes) -> bytes:
        recorded.append(response)
        return recorded[0]

    chip = kit.passport(Hooked, hits=lambda _, command: command[1] == 0x82, spoil=replay)
    kit.read(chip)
    assert failure(kit, chip).code == "ACCESS_REPLY_WRONG"


def test_our_own_cryptogram_sent_back_is_refused(kit) -> None:
    sent: list[bytes] = []

    class Mirror(VirtualPassport):
        def transceive(self, command: bytes) -> bytes:
            return command[5:45] + b"\x90\x00" if command[1] == 0x82 else super().transceive(command)

    error = failure(kit, kit.passport(Mirror))
    assert (error.code, sent) == ("ACCESS_REPLY_WRONG", [])


def test_a_card_without_the_application_is_no_passport(kit) -> None:
    chip = kit.passport()
    chip.statuses[0xA4] = 0x6A82
    assert failure(kit, chip).code == "NO_APPLICATION"


@pytest.mark.parametrize("raw", [b"", b"\x90", bytes(70_000)], ids=["empty", "one byte", "too long"])
def test_a_response_that_is_none_is_named(kit, raw: bytes) -> None:
    assert failure(kit, kit.passport(Hooked, hits=lambda *_: True, spoil=lambda _: raw)).code == "RESPONSE_LENGTH"


# --- the link ---


@pytest.mark.parametrize("place", [0, 1, 200, 2_000, 3_000, 4_500])
def test_a_lifted_passport_is_tag_lost_wherever_it_happens(kit, place: int) -> None:
    chip = kit.passport()
    chip.lost_after = place
    with pytest.raises(TagLost):
        kit.read(chip)


def test_a_broken_reader_is_a_device_error(kit) -> None:
    class Unplugged:
        def transceive(self, command: bytes) -> bytes:
            raise DeviceError("reader", "is gone")

    with pytest.raises(DeviceError):
        kit.read(Unplugged())


# --- secure messaging ---


def test_a_forged_mac_is_refused(kit) -> None:
    chip = kit.passport()
    chip.wrong_mac = True
    error = failure(kit, chip)
    assert isinstance(error, SecureMessagingError)
    assert (error.code, error.file) == ("SM_MAC_WRONG", "EF.SOD")


@pytest.mark.parametrize("status", [0x9000, 0x6282, 0x6A82, 0x6982])
def test_a_status_without_protection_is_never_believed(kit, status: int) -> None:
    chip = kit.passport(Hooked, hits=is_protected, spoil=lambda _: status.to_bytes(2))
    assert failure(kit, chip).code == "SM_STATUS_UNPROTECTED"


def test_a_plain_answer_with_data_is_never_believed(kit) -> None:
    chip = kit.passport(Hooked, hits=is_protected, spoil=lambda _: kit.files()["EF.COM"] + b"\x90\x00")
    assert failure(kit, chip).code in {"SM_MAC_MISSING", "SM_MALFORMED"}


def test_a_changed_plain_status_beside_the_protected_one_is_refused(kit) -> None:
    chip = kit.passport(Hooked, hits=is_protected, spoil=lambda response: response[:-2] + b"\x6a\x82")
    assert failure(kit, chip).code == "SM_STATUS_MISSING"


def test_a_replayed_response_is_refused(kit) -> None:
    seen: list[bytes] = []

    def replay(response: bytes) -> bytes:
        seen.append(response)
        return seen[0]

    assert failure(kit, kit.passport(Hooked, hits=is_protected, spoil=replay)).code == "SM_MAC_WRONG"


def test_any_flipped_bit_of_a_protected_response_is_refused(kit) -> None:
    for position in range(0, 60, 3):
        chip = kit.passport(
            Hooked,
            hits=lambda number, command: is_protected(number, command) and command[1] == 0xB0,
            spoil=lambda response, at=position: (
                response[:at] + bytes([response[at] ^ 4]) + response[at + 1 :] if at < len(response) else b""
            ),
        )
        assert failure(kit, chip).code.startswith(("SM_", "RESPONSE_"))


def test_no_command_ever_goes_out_plain_once_a_session_stood(kit) -> None:
    """A chip that drops the session is reset and gets a whole new access control, nothing less."""
    sent: list[bytes] = []

    class Spy(VirtualPassport):
        def transceive(self, command: bytes) -> bytes:
            sent.append(command)
            return super().transceive(command)

        def reconnect(self, timeout: float) -> bool:
            sent.append(b"")
            return super().reconnect(timeout)

    chip = kit.passport(Spy, chip_key=None)
    chip.plain_statuses[0x22] = 0x6988
    data = kit.read(chip)
    assert dict(data.files) == kit.files()
    assert data.access.sessions == 2
    assert sent.count(b"") == 1
    first, second = sent[: sent.index(b"")], sent[sent.index(b"") + 1 :]
    for session in (first, second):
        secured = [is_protected(0, command) for command in session]
        assert secured == sorted(secured)
    plain = {command[1] for command in second if not is_protected(0, command)}
    assert plain == {0xA4, 0xB0, 0x84, 0x82}


# --- clones ---


@pytest.mark.parametrize("key", ["none", "other"])
def test_a_clone_without_the_chip_key_fails_chip_authentication_and_is_read_all_the_same(kit, key: str) -> None:
    chip = kit.passport(chip_key=None if key == "none" else _other_key(kit))
    data = kit.read(chip)
    assert data.chip_authentication is not None
    assert not data.chip_authentication.succeeded
    assert dict(data.files) == kit.files()
    assert data.active_authentication is not None
    assert data.active_authentication.response


def _other_key(kit):
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(kit.chip_key.curve)


def test_a_clone_that_plays_on_under_the_old_keys_fails_chip_authentication(kit) -> None:
    class KeepsOldKeys(VirtualPassport):
        def _general_authenticate(self, command: CommandApdu) -> ResponseApdu:
            return ResponseApdu(data=b"\x7c\0")

    evidence = kit.read(kit.passport(KeepsOldKeys, chip_key=None))
    assert evidence.chip_authentication is not None
    assert not evidence.chip_authentication.succeeded
    said_yes = kit.passport(KeepsOldKeys)
    said_yes._manage_security_environment = lambda command: ResponseApdu()
    said_yes._handlers[0x22] = lambda command: ResponseApdu()
    assert not kit.read(said_yes).chip_authentication.succeeded


def test_a_clone_without_the_active_key_answers_nothing(kit) -> None:
    evidence = kit.read(kit.passport(active_key=None)).active_authentication
    assert evidence is not None
    assert evidence.response == b""


def test_a_clone_that_drops_the_session_at_active_authentication_is_read_on(kit) -> None:
    chip = kit.passport()
    chip.plain_statuses[0x88] = 0x6D00
    data = kit.read(chip)
    assert data.active_authentication.response == b""
    assert dict(data.files) == kit.files()


@pytest.mark.parametrize("name", ["DG14", "DG15"])
def test_a_chip_that_breaks_off_at_a_key_file_shows_as_missing_and_is_read_on(kit, name: str) -> None:
    class BreaksOff(VirtualPassport):
        def _open_file(self, wanted: str) -> ResponseApdu:
            response = super()._open_file(wanted)
            self.wrong_mac = wanted == name
            return response

    data = kit.read(kit.passport(BreaksOff))
    assert dict(data.missing) == {name: "SM_MAC_WRONG"}
    assert set(data.files) == {*SMALL_FILES, "DG2", "EF.COM"} - {name}


def test_a_key_on_an_unknown_curve_is_not_run_and_says_so(kit) -> None:
    forged = kit.spki(kit.chip_key).replace(bytes.fromhex("2B2403030208010107"), bytes.fromhex("2B2403030208010106"))
    data = kit.read(kit.passport(files=kit.files() | {"DG14": kit.build_dg14(forged)}))
    assert data.chip_authentication is None
    assert {step.name: step.result for step in data.steps}["chip_authentication"] == "CURVE_UNSUPPORTED"


# --- files ---


def lying(kit, name: str, length: int):
    """A passport whose file ``name`` claims ``length`` bytes after its header."""
    files = kit.files()
    header = FILES[name].tag.to_bytes(1) + b"\x83" + length.to_bytes(3)
    return kit.passport(files=files | {name: header + files[name]})


@pytest.mark.parametrize("name", [*SMALL_FILES, "DG2", "EF.COM"])
def test_a_file_that_claims_too_much_is_refused_before_it_is_read(kit, name: str) -> None:
    chip = lying(kit, name, FILES[name].cap)
    chip.endless = True
    if name not in ESSENTIAL:
        assert kit.read(chip).missing[name] == "FILE_TOO_LONG"
    else:
        error = failure(kit, chip)
        assert (error.code, error.file) == ("FILE_TOO_LONG", name)


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_an_endless_file_is_read_to_its_claim_and_no_further(kit, extended) -> None:
    chip = lying(kit, "DG2", 60_000)
    chip.endless, chip.extended_length = True, extended
    assert len(kit.read(chip).files["DG2"]) == 60_005


def test_a_file_shorter_than_it_claims_ends_early(kit) -> None:
    error = failure(kit, lying(kit, "DG2", 20_000))
    assert (error.code, error.file) == ("FILE_ENDS_EARLY", "DG2")


def test_a_file_under_another_tag_is_refused(kit) -> None:
    files = kit.files()
    error = failure(kit, kit.passport(files=files | {"DG2": files["DG1"]}))
    assert (error.code, error.file) == ("FILE_TAG", "DG2")


@pytest.mark.parametrize("content", [b"", b"\x61", b"\x61\x80" + bytes(20), b"\x61\x84\xff\xff\xff\xff" + bytes(20)])
def test_a_file_without_a_header_is_refused(kit, content: bytes) -> None:
    assert failure(kit, kit.passport(files=kit.files() | {"DG1": content})).file == "DG1"


@pytest.mark.parametrize("le", [0x00, 0x01, 0x10, 0xDE, 0xFF])
def test_a_chip_that_never_likes_the_length_ends_in_a_loop_error(kit, le: int) -> None:
    chip = kit.passport()
    chip.wrong_le = le
    assert failure(kit, chip).code == "LENGTH_LOOP"


@pytest.mark.parametrize("bytes_each", [1, 4, 15])
def test_a_chip_that_drips_is_not_waited_for(kit, bytes_each: int) -> None:
    chip = kit.passport()
    chip.stingy = bytes_each
    assert failure(kit, chip).code == "FILE_ENDS_EARLY"


def test_a_slow_chip_cannot_make_us_send_without_end(kit) -> None:
    chip = lying(kit, "DG2", 60_000)
    chip.endless, chip.stingy = True, 16
    transcript = Transcript(chip, kit.clock())
    kit.read(transcript)
    assert len(transcript.exchanges) < MOST_COMMANDS


@pytest.mark.parametrize("status", [0x6F00, 0x6D00, 0x6700, 0x6B00, 0x6A86])
def test_a_refused_read_is_named(kit, status: int) -> None:
    chip = kit.passport()
    chip.statuses[0xB0] = status
    assert failure(kit, chip).file == "EF.SOD"


def test_more_bytes_than_asked_for_are_refused(kit) -> None:
    class Generous(VirtualPassport):
        def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
            return ResponseApdu(data=bytes((command.ne or 0) + 1))

    assert failure(kit, kit.passport(Generous)).code == "RESPONSE_TOO_LONG"


def test_a_wrong_offset_object_of_the_odd_instruction_is_refused(kit) -> None:
    class NoDiscretionaryData(VirtualPassport):
        def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
            response = super()._part(file, offset, command)
            return ResponseApdu(data=tlv.encode(0x54, response.data)) if command.ins == 0xB1 else response

    error = failure(kit, kit.passport(NoDiscretionaryData, files=kit.files(40_000)))
    assert (error.code, error.file) == ("TLV_TAG", "DG2")
