"""Rules of a session that only an insider can break: authentic messages of a wrong make, sessions that are over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.channel import Channel
from hardware.emrtd.chip_authentication import choose, encode_oid
from hardware.emrtd.errors import ChipError, SecureMessagingError
from hardware.emrtd.secure_messaging import DO_LE, DO_MAC, SM_CLASS, SecureMessaging, pad, session
from hardware.sim.chip import VirtualPassport

STATUS = tlv.encode(0x99, b"\x90\x00")


def fresh(cipher: str = "AES") -> SecureMessaging:
    return session(b"secret", cipher=cipher, key_length=16)


def authentic(body: bytes, cipher: str = "AES") -> ResponseApdu:
    """A response with this body and a right MAC, the first of the session."""
    chip = fresh(cipher)
    mac = chip._mac(chip._advance(), body)
    return ResponseApdu(data=body + tlv.encode(0x8E, mac))


def cryptogram(plain: bytes, indicator: bytes = b"\x01", cipher: str = "AES") -> bytes:
    chip = fresh(cipher)
    return tlv.encode(0x87, indicator + chip._cipher.encrypt(chip._advance(), plain))


def test_the_makings_of_these_messages_are_right() -> None:
    body = cryptogram(pad(b"hello", 16)) + STATUS
    assert fresh().unprotect(authentic(body)) == ResponseApdu(data=b"hello")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (STATUS + cryptogram(pad(b"hello", 16)), "SM_MALFORMED"),
        (STATUS + STATUS, "SM_MALFORMED"),
        (tlv.encode(0x80, b"hello") + STATUS, "SM_MALFORMED"),
        (cryptogram(pad(b"hello", 16), b"\x02") + STATUS, "SM_MALFORMED"),
        (cryptogram(bytes(16)) + STATUS, "SM_PADDING"),
        (cryptogram(b"0123456789abcdef") + STATUS, "SM_PADDING"),
        (tlv.encode(0x87, b"\x01" + bytes(15)) + STATUS, "SM_MALFORMED"),
        (tlv.encode(0x87, b"\x01") + STATUS, "SM_MALFORMED"),
        (tlv.encode(0x97, b"\x00") + STATUS, "SM_MALFORMED"),
        (tlv.encode(0x85, bytes(16)) + cryptogram(pad(b"", 16)) + STATUS, "SM_MALFORMED"),
        (cryptogram(pad(b"hello", 16)), "SM_STATUS_MISSING"),
        (tlv.encode(0x99, b"\x90"), "SM_STATUS_MISSING"),
    ],
    ids=range(12),
)
def test_an_authentic_message_of_a_wrong_make_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(SecureMessagingError) as caught:
        fresh().unprotect(authentic(body))
    assert caught.value.code == code


@pytest.mark.parametrize("body", [b"\x87\x00" * 32_000, b"\x99\x02\x90\x00" * 16_000], ids=["empty", "statuses"])
def test_a_response_of_countless_objects_is_not_taken_apart(body: bytes) -> None:
    with pytest.raises(SecureMessagingError, match="more than 4 data objects"):
        fresh().unprotect(ResponseApdu(data=body))


def test_a_dropped_message_is_noticed() -> None:
    terminal, chip = fresh(), fresh()
    command = CommandApdu(ins=0xB0, ne=4)
    terminal.protect(command)
    with pytest.raises(SecureMessagingError):
        chip.open_command(terminal.protect(command))


@pytest.mark.parametrize(("le", "ne"), [(b"\x00", 256), (b"\x05", 5), (b"\x00\x00", 65_536), (b"\x01\x00", 256)])
def test_le_is_of_one_octet_or_two(le: bytes, ne: int) -> None:
    assert fresh().open_command(asking(le)).ne == ne


@pytest.mark.parametrize("le", [b"", bytes(3), b"\x7f" * 8], ids=len)
def test_le_of_another_length_is_refused_even_behind_a_right_mac(le: bytes) -> None:
    with pytest.raises(SecureMessagingError, match="SM_MALFORMED"):
        fresh().open_command(asking(le))


def asking(le: bytes) -> CommandApdu:
    """READ BINARY with this DO'97', as the first command of a fresh session."""
    session = fresh()
    command = CommandApdu(cla=SM_CLASS, ins=0xB0, data=tlv.encode(DO_LE, le))
    mac = session._mac(session._advance(), pad(b"\x0c\xb0\0\0", session._cipher.block) + command.data)
    return replace(command, data=command.data + tlv.encode(DO_MAC, mac))


def test_a_session_that_broke_sends_nothing_until_restarted(kit) -> None:
    sent: list[bytes] = []

    class Silent:
        def transceive(self, command: bytes) -> bytes:
            sent.append(command)
            return b"\x69\x88"

    channel = Channel(Silent())
    channel.secure(fresh())
    for code in ("SM_STATUS_UNPROTECTED", "SM_SESSION_OVER", "SM_SESSION_OVER"):
        with pytest.raises(SecureMessagingError) as caught:
            channel.exchange(CommandApdu(ins=0xB0, ne=4))
        assert caught.value.code == code
    assert len(sent) == 1
    channel.restart()
    assert channel.exchange(CommandApdu(ins=0xB0, ne=4)).sw == 0x6988


def test_a_refused_chip_authentication_keeps_the_session(kit) -> None:
    """Doc 9303-11 §6.2.2: secure messaging goes on under the old keys."""
    data = kit.read(kit.passport(chip_key=None))
    assert not data.chip_authentication.succeeded
    assert [step.name for step in data.steps].count("bac") == 1


@pytest.mark.parametrize("length", [0, 4, 7, 9])
def test_a_challenge_of_a_wrong_length_is_refused(kit, length: int) -> None:
    class ShortChallenge(VirtualPassport):
        def _get_challenge(self, command: CommandApdu) -> ResponseApdu:
            return ResponseApdu(data=bytes(length))

    with pytest.raises(ChipError, match="a challenge of"):
        kit.read(kit.passport(ShortChallenge))


@pytest.mark.parametrize("position", [0, 31, 32, 39])
def test_any_change_of_the_chips_cryptogram_is_refused(kit, position: int) -> None:
    class Spoiled(VirtualPassport):
        def _external_authenticate(self, command: CommandApdu) -> ResponseApdu:
            data = bytearray(super()._external_authenticate(command).data)
            data[position] ^= 1
            return ResponseApdu(data=bytes(data))

    with pytest.raises(ChipError, match="ACCESS_REPLY_WRONG"):
        kit.read(kit.passport(Spoiled))


class CountsDown(VirtualPassport):
    """Wants one byte less each time, but for the first part of a file."""

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        return super()._part(file, offset, command) if offset == 0 else ResponseApdu(sw=0x6C00 | (command.ne or 0) - 1)


class GivesThreeBytes(VirtualPassport):
    """Sends three bytes at a time, but for the first part of a file."""

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        return super()._part(file, offset, command) if offset == 0 or command.ne == 3 else ResponseApdu(sw=0x6C03)


@pytest.mark.parametrize(("chip", "code"), [(CountsDown, "LENGTH_REFUSED"), (GivesThreeBytes, "LENGTH_LOOP")])
def test_a_chip_that_haggles_about_the_length_is_left(kit, chip: type[VirtualPassport], code: str) -> None:
    with pytest.raises(ChipError) as caught:
        kit.read(kit.passport(chip, extended_length=False))
    assert (caught.value.code, caught.value.file) == (code, "EF.SOD")


def test_a_key_file_with_endless_entries_is_refused(kit) -> None:
    entry = tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.2")) + b"\x02\x01\x01")
    with pytest.raises(ChipError, match="DG14_MALFORMED"):
        choose(tlv.encode(0x6E, tlv.encode(0x31, entry * 33)))
