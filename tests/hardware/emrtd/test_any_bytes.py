"""Any bytes in: a value or the room's own error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.card_security import security_infos_of
from hardware.emrtd.chip_authentication import choose
from hardware.emrtd.domain_parameters import read_key
from hardware.emrtd.errors import ApduError, ChipError, LdsError, SecureMessagingError, TlvError
from hardware.emrtd.lds import build_dg2, dg1_mrz, dg2_image, parse_com
from hardware.emrtd.secure_messaging import SecureMessaging, session
from hardware.emrtd.security_infos import encode_oid
from hardware.ports import TagLost
from hardware.sim.chip import VirtualPassport

BYTES = st.binary(max_size=300)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=100, deadline=None)  # `make soak` has the long counts


@MANY
@given(BYTES)
def test_tlv(data: bytes) -> None:
    try:
        items = list(tlv.children(data))
    except TlvError as error:
        place = error.offset
    else:
        place = sum(item.end - item.start for item in items)
        assert place == len(data)
    assert place is not None
    assert 0 <= place <= len(data)


@MANY
@given(st.sampled_from([0x30, 0x5F1F, 0x7F61, 0x8E]), st.binary(max_size=70_000))
def test_tlv_round_trip(tag: int, value: bytes) -> None:
    assert tlv.only(tlv.encode(tag, value), tag) == value


@MANY
@given(BYTES)
def test_command_apdu(raw: bytes) -> None:
    try:
        command = CommandApdu.decode(raw)
    except ApduError:
        return
    assert CommandApdu.decode(command.encode()) == command


@MANY
@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=70_00), st.one_of(st.none(), st.integers(1, 65_536)))
def test_command_apdu_round_trip(ins: int, p1: int, data: bytes, ne: int | None) -> None:
    command = CommandApdu(ins=ins, p1=p1, data=data, ne=ne)
    assert CommandApdu.decode(command.encode()) == command


@MANY
@given(
    st.sampled_from([("3DES", 16), ("AES", 16), ("AES", 24), ("AES", 32)]),
    st.integers(0, 255),
    st.binary(max_size=400),
    st.data(),
)
def test_secure_messaging_round_trip(kind: tuple[str, int], ins: int, payload: bytes, data: st.DataObject) -> None:
    terminal, chip = (session(b"secret", cipher=kind[0], key_length=kind[1]) for _ in range(2))
    for _ in range(2):
        command = CommandApdu(ins=ins, data=payload, ne=data.draw(st.integers(1, 65_536)))
        opened = chip.open_command(CommandApdu.decode(terminal.protect(command).encode()))
        assert opened == command
        response = ResponseApdu(data=payload, sw=data.draw(st.sampled_from([0x9000, 0x6282, 0x6A82])))
        sealed = chip.seal_response(response, odd=bool(ins & 1))
        assert terminal.unprotect(ResponseApdu.decode(sealed.encode())) == response


@MANY
@given(BYTES)
def test_secure_messaging_of_foreign_bytes(data: bytes) -> None:
    both: SecureMessaging = session(b"secret", cipher="AES", key_length=16)
    with pytest.raises(SecureMessagingError):
        both.unprotect(ResponseApdu(data=data))
    with pytest.raises(SecureMessagingError):
        both.open_command(CommandApdu(cla=0x0C, ins=0xB0, data=data))


@MANY
@given(BYTES)
def test_files_of_the_lds(data: bytes) -> None:
    for parse, error in (
        (parse_com, LdsError),
        (dg1_mrz, LdsError),
        (dg2_image, LdsError),
        (choose, ChipError),
        (read_key, ChipError),
    ):
        with suppress(error):
            parse(data)


@MANY
@given(BYTES)
def test_card_security(data: bytes) -> None:
    with suppress(ChipError):
        assert security_infos_of(data) in data


@MANY
@given(st.data())
def test_a_spoiled_portrait(data: st.DataObject) -> None:
    dg2 = bytearray(build_dg2(b"\xff\xd8\xff" + bytes(20), "jpeg"))
    for _ in range(data.draw(st.integers(1, 3))):
        dg2[data.draw(st.integers(0, len(dg2) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert dg2_image(bytes(dg2)).image in bytes(dg2)
    except LdsError:
        return


@MANY
@given(st.data())
def test_a_spoiled_key_file(kit, data: st.DataObject) -> None:
    dg14 = bytearray(kit.files(10)["DG14"])
    for _ in range(data.draw(st.integers(1, 3))):
        dg14[data.draw(st.integers(0, len(dg14) - 1))] = data.draw(st.integers(0, 255))
    try:
        choose(bytes(dg14))
    except ChipError:
        return


PACE_GM_P256 = tlv.encode(0x31, tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.4.2.2")) + b"\2\1\2\2\1\x0c"))


@pytest.mark.parametrize("card_access", [{}, {"EF.CardAccess": PACE_GM_P256}], ids=["bac", "pace"])
@FEW
@given(st.data())
def test_the_reader_survives_any_response(kit, card_access: dict[str, bytes], data: st.DataObject) -> None:
    """Raw responses: random bytes, or the true chip's with some changed; and a tag that is lost now and then."""
    chip = kit.passport(files=kit.files() | card_access)

    class Noise:
        def transceive(self, command: bytes) -> bytes:
            response = chip.transceive(command)
            match data.draw(st.integers(0, 15)):
                case 0:
                    return data.draw(st.binary(max_size=300))
                case 2 | 3:
                    raise TagLost("test", "cut")
                case 1:
                    at = data.draw(st.integers(0, len(response) - 1))
                    return response[:at] + data.draw(st.binary(max_size=3)) + response[at + 1 :]
                case _:
                    return response

        def reconnect(self, timeout: float) -> bool:
            return chip.reconnect(timeout)

    survives(kit, Noise())


@FEW
@given(st.data())
def test_the_reader_survives_any_authentic_answer(kit, data: st.DataObject) -> None:
    """What a hostile chip that passed access control may say, properly protected."""

    class Hostile(VirtualPassport):
        def _read_binary(self, command: CommandApdu) -> ResponseApdu:
            true = super()._read_binary(command)
            match data.draw(st.integers(0, 7)):
                case 0:
                    return ResponseApdu(data=data.draw(st.binary(max_size=250)), sw=0x9000)
                case 1:
                    return ResponseApdu(sw=data.draw(st.sampled_from([0x6700, 0x6B00, 0x6A82, 0x6C00, 0x6C11, 0x6282, 0x6F00])))
                case 2:
                    return ResponseApdu(data=true.data[: data.draw(st.integers(0, 250))], sw=0x6282)
                case _:
                    return true

    survives(kit, kit.passport(Hostile))


def survives(kit, chip: object) -> None:
    try:
        data = kit.read(chip)
    except (ChipError, TagLost):
        return
    assert not data.files.keys() & data.missing.keys()


@FEW
@given(st.lists(BYTES, min_size=1, max_size=6))
def test_the_virtual_chip_answers_any_command(kit, commands: list[bytes]) -> None:
    chip = kit.passport()
    for command in commands:
        assert len(chip.transceive(command)) >= 2
    kit.read(chip)


@FEW
@given(st.sampled_from([0xA4, 0xB0, 0xB1, 0x84, 0x82, 0x22, 0x86, 0x88]), st.binary(min_size=2, max_size=2), BYTES)
def test_the_virtual_chip_answers_any_command_within_its_repertoire(kit, ins: int, parameters: bytes, data: bytes) -> None:
    chip = kit.passport()
    chip._protected = True
    command = CommandApdu(ins=ins, p1=parameters[0], p2=parameters[1], data=data, ne=256)
    assert len(chip._execute(command).encode()) >= 2
    assert len(chip.transceive(command.encode())) >= 2
