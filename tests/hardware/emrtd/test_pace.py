"""PACE between our terminal and our chip: every variant, wrong passwords, and a line on which anything may be changed."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.elliptic_curve import Curve, EcKey
from hardware.emrtd.errors import AccessError, ChipError
from hardware.emrtd.pace import PaceOffer, PaceSession, cam_public_key, establish
from hardware.emrtd.pace_offers import PROTOCOLS, usable
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import (
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
    encode_oid,
)
from hardware.sim.chip_pace import STATUSES, PaceChip

MRZ = AccessKey("L898902C3674081221204159")
CAN = AccessKey.from_can("500540")
PASSWORDS = {1: MRZ.pace_secret(), 2: CAN.pace_secret()}
GM, IM, CAM = "0.4.0.127.0.7.2.2.4.2.2", "0.4.0.127.0.7.2.2.4.4.2", "0.4.0.127.0.7.2.2.4.6.2"
DH_GM = "0.4.0.127.0.7.2.2.4.1.2"
P256 = STANDARDIZED[12]
CAM_KEY = EcKey.generate(P256)  # type: ignore[arg-type]  # a curve

Change = Callable[[int, ResponseApdu], ResponseApdu]


class Line:
    """A chip with PACE behind an exchange that may ``change`` each numbered response."""

    def __init__(
        self, *infos: tuple[str, int], cam_key: EcKey | None = None, change: Change = lambda _, response: response
    ) -> None:
        made = [PaceInfo(oid=oid, version=2, parameter_id=number) for oid, number in infos]
        self.chip = PaceChip(made, PASSWORDS, cam_key)
        self.change, self.count = change, 0
        self.commands: list[CommandApdu] = []
        self.session: SecureMessaging | None = None

    def exchange(self, command: CommandApdu) -> ResponseApdu:
        self.commands.append(CommandApdu.decode(command.encode()))
        try:
            response = self._answer(command)
        except ChipError as error:
            response = ResponseApdu(sw=STATUSES.get(error.code, 0x6A80))
        self.count += 1
        return self.change(self.count, response)

    def _answer(self, command: CommandApdu) -> ResponseApdu:
        if command.ins == 0x22:
            self.chip.set_authentication(command.data)
            return ResponseApdu()
        data, self.session = self.chip.general_authenticate(command.data, last=not command.cla & 0x10)
        return ResponseApdu(data=data)

    def run(self, offer: PaceOffer, key: AccessKey = MRZ) -> PaceSession:
        return establish(self.exchange, offer, key)


def same_keys(one: SecureMessaging, other: SecureMessaging) -> bool:
    command = CommandApdu(ins=0xB0, ne=4)
    return other.open_command(one.protect(command)) == command


def possible(number: int, oid: str) -> bool:
    info = PaceInfo(oid=oid, version=2, parameter_id=number)
    empty = SecurityInfos(
        pace=(info,), pace_parameters=(), chip_authentication=(), public_keys=(), active_authentication=None, unknown=0
    )
    return bool(usable(empty))


VARIANTS = [(oid, number) for number in STANDARDIZED for oid in PROTOCOLS if possible(number, oid)]


def test_every_variant_of_tables_2_3_and_12_is_possible_but_integrated_mapping_to_p224() -> None:
    assert len(VARIANTS) == 3 * 8 + 11 * 11 - 4


@pytest.mark.parametrize(("oid", "number"), VARIANTS, ids=lambda value: str(value).removeprefix("0.4.0.127.0.7.2.2.4."))
def test_terminal_and_chip_agree_in_every_variant(oid: str, number: int) -> None:
    group = STANDARDIZED[number]
    cam_key = EcKey.generate(group) if isinstance(group, Curve) and PROTOCOLS[oid].mapping == "CAM" else None
    line = Line((oid, number), cam_key=cam_key)
    session = line.run(PaceOffer(oid=oid, parameter_id=number))
    assert line.session is not None
    assert same_keys(session.session, line.session)
    assert bool(session.chip_authentication_data) == (PROTOCOLS[oid].mapping == "CAM")
    assert bool(session.mapping_key) == (PROTOCOLS[oid].mapping != "IM")


def test_the_commands_are_those_of_the_standard() -> None:
    line = Line((GM, 12))
    line.run(PaceOffer(oid=GM, parameter_id=12))
    assert [(c.cla, c.ins, c.p1, c.p2) for c in line.commands] == [(0, 0x22, 0xC1, 0xA4)] + [(0x10, 0x86, 0, 0)] * 3 + [
        (0, 0x86, 0, 0)
    ]
    assert line.commands[0].data == tlv.encode(0x80, encode_oid(GM)) + b"\x83\x01\x01"
    assert line.commands[1].data == b"\x7c\x00"


def test_the_can_opens_what_the_mrz_opens() -> None:
    line = Line((GM, 12))
    line.run(PaceOffer(oid=GM, parameter_id=12), CAN)
    assert line.commands[0].data.endswith(b"\x83\x01\x02")


def test_among_several_domain_parameters_the_right_ones_are_used() -> None:
    line = Line((GM, 12), (GM, 13))
    session = line.run(PaceOffer(oid=GM, parameter_id=13, ambiguous=True))
    assert line.commands[0].data.endswith(b"\x84\x01\x0d")
    assert STANDARDIZED[13].check(session.mapping_key)
    with pytest.raises(AccessError, match="PACE_REFUSED"):
        Line((GM, 12), (GM, 13)).run(PaceOffer(oid=GM, parameter_id=13))


def test_a_large_group_speaks_extended_length() -> None:
    line = Line((DH_GM, 2))
    line.run(PaceOffer(oid=DH_GM, parameter_id=2))
    assert [command.extended for command in line.commands] == [False, False, True, True, False]
    assert [command.ne for command in line.commands] == [None, 256, 65536, 65536, 256]


@pytest.mark.parametrize("oid", [GM, IM, CAM])
@pytest.mark.parametrize("wrong", [AccessKey("L898902C3674081221204158"), AccessKey.from_can("500541")], ids=["mrz", "can"])
def test_a_wrong_password_is_denied_in_the_last_step(oid: str, wrong: AccessKey) -> None:
    line = Line((oid, 12), cam_key=CAM_KEY)
    with pytest.raises(AccessError) as caught:
        line.run(PaceOffer(oid=oid, parameter_id=12), wrong)
    assert (caught.value.code, line.count, line.session) == ("PACE_DENIED", 5, None)


def test_a_wiped_password_opens_nothing() -> None:
    key = AccessKey("L898902C3674081221204159")
    key.wipe()
    with pytest.raises(ValueError, match="wiped"):
        Line((GM, 12)).run(PaceOffer(oid=GM, parameter_id=12), key)


@pytest.mark.parametrize("can", ["", "12345", "1234567", "12345a", "１２３４５６", "123456\n"])
def test_a_can_has_six_digits(can: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        AccessKey.from_can(can)


def test_passwords_stay_out_of_logs_and_the_can_out_of_basic_access_control() -> None:
    assert "500540" not in repr(CAN)
    assert (MRZ.kind, CAN.kind) == ("mrz", "can")
    with pytest.raises(ValueError, match="card access number"):
        CAN.bac_cipher()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("sw", [0x6A80, 0x6A88, 0x6982, 0x6985, 0x6300, 0x63C1, 0x6700, 0x6282])
def test_a_refusal_says_whether_the_password_counted(step: int, sw: int) -> None:
    line = Line((GM, 12), change=lambda count, response: ResponseApdu(sw=sw) if count == step else response)
    with pytest.raises(AccessError) as caught:
        line.run(PaceOffer(oid=GM, parameter_id=12))
    assert caught.value.code == ("PACE_DENIED" if step > 2 or sw >> 8 == 0x63 else "PACE_REFUSED")
    assert line.count == step


def replaced(step: int, data: bytes) -> Change:
    return lambda count, response: ResponseApdu(data=data) if count == step else response


def dynamic(tag: int, value: bytes) -> bytes:
    return tlv.encode(0x7C, tlv.encode(tag, value))


OFF_CURVE = b"\x04" + bytes(63) + b"\x01"


@pytest.mark.parametrize(
    ("step", "data"),
    [
        (2, b""),
        (2, b"\x7c\x00"),
        (2, dynamic(0x80, b"")),
        (2, dynamic(0x80, bytes(15))),
        (2, dynamic(0x80, bytes(48))),
        (2, dynamic(0x81, bytes(16))),
        (2, dynamic(0x80, bytes(16)) + b"\0"),
        (2, tlv.encode(0x7C, tlv.encode(0x80, bytes(16)) * 2)),
        (2, tlv.encode(0x7C, tlv.encode(0x80, bytes(16)) + tlv.encode(0x8A, bytes(16)))),
        (2, dynamic(0x80, bytes(60_000))),
        (2, tlv.encode(0x7C, b"\x80\x00" * 30_000)),
        (3, dynamic(0x82, b"")),
        (3, dynamic(0x82, b"\0")),
        (3, dynamic(0x82, bytes(65))),
        (3, dynamic(0x82, OFF_CURVE)),
        (3, dynamic(0x82, P256.key(5).public[:-1])),
        (3, dynamic(0x82, b"\x02" + P256.key(5).public[1:33])),
        (3, dynamic(0x82, STANDARDIZED[13].key(5).public)),
        (4, dynamic(0x84, OFF_CURVE)),
        (4, dynamic(0x84, b"\x04" + bytes(64))),
        (4, dynamic(0x82, P256.key(5).public)),
        (5, b"\x7c\x00"),
        (5, dynamic(0x86, b"")),
        (5, dynamic(0x86, bytes(8))),
        (5, dynamic(0x86, bytes(7))),
        (5, dynamic(0x8A, bytes(48))),
    ],
    ids=range(26),
)
def test_a_hostile_answer_is_refused_where_it_stands(step: int, data: bytes) -> None:
    line = Line((GM, 12), change=replaced(step, data))
    with pytest.raises(AccessError) as caught:
        line.run(PaceOffer(oid=GM, parameter_id=12))
    assert (caught.value.code, line.count) == ("PACE_REPLY_WRONG", step)


@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_an_answer_beyond_all_measure_is_not_even_taken_apart(step: int) -> None:
    line = Line((GM, 12), change=replaced(step, tlv.encode(0x7C, b"\x80\x00" * 30_000)))
    with pytest.raises(AccessError, match="an answer of 60004 bytes"):
        line.run(PaceOffer(oid=GM, parameter_id=12))


@pytest.mark.parametrize(("oid", "number"), [(GM, 12), (GM, 9), (DH_GM, 0), (CAM, 12)])
@pytest.mark.parametrize("step", [3, 4])
@pytest.mark.conforms("Doc 9303-11 §4.4", "negative")
def test_a_mirror_is_no_chip(oid: str, number: int, step: int) -> None:
    def mirror(count: int, response: ResponseApdu) -> ResponseApdu:
        sent = tlv.read_tlv(tlv.only(line.commands[-1].data, 0x7C)) if count == step else None
        return ResponseApdu(data=dynamic(2 * step - 4 + 0x80, sent.value)) if sent else response

    line = Line((oid, number), cam_key=CAM_KEY, change=mirror)
    with pytest.raises(AccessError, match="our own public key"):
        line.run(PaceOffer(oid=oid, parameter_id=number))


@pytest.mark.conforms("Doc 9303-11 §4.4", "negative")
def test_a_chip_that_knows_no_password_cannot_fake_the_token() -> None:
    """A man in the middle with a key pair of his own, on the right generator of no nonce."""
    line = Line((GM, 12), change=replaced(4, dynamic(0x84, P256.key(7).public)))
    with pytest.raises(AccessError, match="PACE_DENIED"):
        line.run(PaceOffer(oid=GM, parameter_id=12))


@pytest.mark.parametrize("value", [1, -1])
@pytest.mark.parametrize("step", [3, 4])
def test_elements_of_small_order_are_refused(step: int, value: int) -> None:
    group = STANDARDIZED[0]
    octets = (value % group.p).to_bytes(128 if value < 0 else 1)
    line = Line((DH_GM, 0), change=replaced(step, dynamic(0x82 if step == 3 else 0x84, octets)))
    with pytest.raises(AccessError, match="PACE_REPLY_WRONG"):
        line.run(PaceOffer(oid=DH_GM, parameter_id=0))


def test_a_generator_at_infinity_is_refused() -> None:
    """The chip picks its mapping key after ours so that s·G + H vanishes; only one who knows our secret could."""
    ours = P256.key(1)
    nonce = bytes(15) + b"\x02"
    line = Line((GM, 12), change=replaced(3, dynamic(0x82, P256.key(P256.order - 2).public)))
    line.chip._random = lambda count: nonce if count == 16 else secrets.token_bytes(count)
    with pytest.raises(AccessError, match="PACE_REPLY_WRONG"):
        establish(line.exchange, PaceOffer(oid=GM, parameter_id=12), MRZ, random=ours.scalar.to_bytes)
    assert line.count == 3


@pytest.mark.parametrize("oid", [GM, IM])
def test_a_nonce_of_zeros_does_no_harm(oid: str) -> None:
    line = Line((oid, 12))
    line.chip._random = lambda count: bytes(count) if count == 16 else secrets.token_bytes(count)
    line.run(PaceOffer(oid=oid, parameter_id=12))
    assert line.session is not None


def test_integrated_mapping_takes_no_mapping_data() -> None:
    for data, fits in ((b"\x7c\x00", True), (dynamic(0x82, b""), True), (dynamic(0x82, b"\0"), False), (b"", False)):
        line = Line((IM, 12), change=replaced(3, data))
        if fits:
            line.run(PaceOffer(oid=IM, parameter_id=12))
        else:
            with pytest.raises(AccessError, match="PACE_REPLY_WRONG"):
                line.run(PaceOffer(oid=IM, parameter_id=12))


def test_references_of_certification_authorities_are_let_pass() -> None:
    def added(count: int, response: ResponseApdu) -> ResponseApdu:
        if count < 5:
            return response
        objects = tlv.only(response.data, 0x7C) + tlv.encode(0x87, b"UTCVCA00001") + tlv.encode(0x88, b"UTCVCA00000")
        return ResponseApdu(data=tlv.encode(0x7C, objects))

    assert Line((GM, 12), change=added).run(PaceOffer(oid=GM, parameter_id=12)).chip_authentication_data == b""


# --- chip authentication mapping ---


def spki(key: EcKey) -> bytes:
    algorithm = tlv.encode(0x30, tlv.encode(0x06, bytes.fromhex("2A8648CE3D0201")) + tlv.encode(0x06, key.curve.oid))
    return tlv.encode(0x30, algorithm + tlv.encode(0x03, b"\0" + key.public))


def card_security(*keys: tuple[EcKey, int | None]) -> SecurityInfos:
    infos = [
        ChipAuthenticationPublicKeyInfo(oid="0.4.0.127.0.7.2.2.1.2", public_key=spki(key), key_id=key_id) for key, key_id in keys
    ]
    return SecurityInfos(
        pace=(),
        pace_parameters=(),
        chip_authentication=(),
        public_keys=tuple(infos),
        active_authentication=None,
        unknown=0,
    )


CAM_OFFER = PaceOffer(oid=CAM, parameter_id=12)


def test_the_chips_key_is_found_in_card_security_by_its_id() -> None:
    session = Line((CAM, 12), cam_key=CAM_KEY).run(CAM_OFFER)
    other = EcKey.generate(CAM_KEY.curve)
    assert cam_public_key(session, card_security((other, 13), (other, 12), (CAM_KEY, 12)), CAM_OFFER) == spki(CAM_KEY)
    assert cam_public_key(session, card_security((CAM_KEY, None)), CAM_OFFER) == spki(CAM_KEY)


def test_a_key_that_names_its_domain_parameters_by_number_is_found_as_well() -> None:
    """German passports write standardizedDomainParameters in EF.CardSecurity (§9.5.1)."""
    session = Line((CAM, 12), cam_key=CAM_KEY).run(CAM_OFFER)
    algorithm = tlv.encode(0x30, tlv.encode(0x06, bytes.fromhex("04007F00070102")) + tlv.encode(0x02, b"\x0c"))
    numbered = tlv.encode(0x30, algorithm + tlv.encode(0x03, b"\0" + CAM_KEY.public))
    key = ChipAuthenticationPublicKeyInfo(oid="0.4.0.127.0.7.2.2.1.2", public_key=numbered, key_id=12)
    infos = SecurityInfos(**{**fields(card_security()), "public_keys": (key,)})
    assert cam_public_key(session, infos, CAM_OFFER) == numbered


@pytest.mark.conforms("Doc 9303-11 §4.4.3.3", "negative")
def test_a_clone_without_the_key_fits_no_public_key() -> None:
    session = Line((CAM, 12)).run(CAM_OFFER)
    assert cam_public_key(session, card_security((CAM_KEY, 12)), CAM_OFFER) is None


def test_keys_of_another_id_or_group_or_none_at_all_do_not_count() -> None:
    session = Line((CAM, 12), cam_key=CAM_KEY).run(CAM_OFFER)
    elsewhere = EcKey(curve=STANDARDIZED[13], scalar=CAM_KEY.scalar % STANDARDIZED[13].order)  # type: ignore[arg-type]  # a curve
    for infos in (card_security(), card_security((CAM_KEY, 13)), card_security((elsewhere, 12))):
        assert cam_public_key(session, infos, CAM_OFFER) is None
    broken = ChipAuthenticationPublicKeyInfo(oid="0.4.0.127.0.7.2.2.1.2", public_key=b"\x30\x00", key_id=12)
    assert cam_public_key(session, SecurityInfos(**{**fields(card_security()), "public_keys": (broken,)}), CAM_OFFER) is None


def fields(infos: SecurityInfos) -> dict:
    return {name: getattr(infos, name) for name in infos.__slots__}


@pytest.mark.parametrize("session", ["GM", "zero", "order"])
def test_no_chip_authentication_data_proves_nothing(session: str) -> None:
    ran = Line((CAM, 12), cam_key=CAM_KEY).run(CAM_OFFER)
    data = {"GM": b"", "zero": bytes(32), "order": P256.order.to_bytes(32)}[session]
    empty = PaceSession(session=ran.session, mapping_key=ran.mapping_key, chip_authentication_data=data)
    assert cam_public_key(empty, card_security((CAM_KEY, 12)), CAM_OFFER) is None


@pytest.mark.parametrize("length", [0, 16, 32, 47, 48, 64, 96])
def test_chip_authentication_data_of_a_wrong_make_is_refused(length: int) -> None:
    def spoiled(count: int, response: ResponseApdu) -> ResponseApdu:
        if count < 5:
            return response
        token = tlv.read_tlv(tlv.only(response.data, 0x7C)).value
        return ResponseApdu(data=tlv.encode(0x7C, tlv.encode(0x86, token) + tlv.encode(0x8A, bytes(length))))

    with pytest.raises(AccessError, match="PACE_REPLY_WRONG"):
        Line((CAM, 12), cam_key=CAM_KEY, change=spoiled).run(CAM_OFFER)


def test_chip_authentication_data_is_due_with_its_mapping_and_only_then() -> None:
    def dropped(count: int, response: ResponseApdu) -> ResponseApdu:
        token = tlv.read_tlv(tlv.only(response.data, 0x7C)).value if count == 5 else b""
        return ResponseApdu(data=dynamic(0x86, token)) if token else response

    def added(count: int, response: ResponseApdu) -> ResponseApdu:
        objects = tlv.only(response.data, 0x7C) + tlv.encode(0x8A, bytes(48)) if count == 5 else b""
        return ResponseApdu(data=tlv.encode(0x7C, objects)) if objects else response

    with pytest.raises(AccessError, match="missing, or where none belongs"):
        Line((CAM, 12), cam_key=CAM_KEY, change=dropped).run(CAM_OFFER)
    with pytest.raises(AccessError, match="missing, or where none belongs"):
        Line((GM, 12), change=added).run(PaceOffer(oid=GM, parameter_id=12))


# --- any change ---


def outcome(line: Line, oid: str) -> tuple[str, PaceSession | None]:
    """The code of the AccessError, or the session."""
    try:
        return "", line.run(PaceOffer(oid=oid, parameter_id=12))
    except AccessError as error:
        return error.code, None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_anywhere_ends_in_an_access_error(data: st.DataObject) -> None:
    oid = data.draw(st.sampled_from([GM, IM, CAM]))
    step = data.draw(st.integers(2, 5))

    def changed(count: int, response: ResponseApdu) -> ResponseApdu:
        if count != step or not response.data:
            return response
        octets = bytearray(response.data)
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
        return ResponseApdu(data=bytes(octets))

    code, session = outcome(Line((oid, 12), cam_key=CAM_KEY, change=changed), oid)
    assert code in {"", "PACE_REPLY_WRONG", "PACE_DENIED"}
    if session:  # the one change that leaves all as it was but the proof: in A_IC
        assert (oid, step) == (CAM, 5)
        assert cam_public_key(session, card_security((CAM_KEY, 12)), CAM_OFFER) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.binary(max_size=80), st.sampled_from([GM, IM, CAM]))
@example(3, b"", IM)
@example(3, b"\x82\x00", IM)
@example(3, b"\x00", IM)
def test_any_answer_ends_in_an_access_error(step: int, octets: bytes, oid: str) -> None:
    for data in (octets, tlv.encode(0x7C, octets), dynamic(2 * step + 0x7C, octets)):
        code, _ = outcome(Line((oid, 12), cam_key=CAM_KEY, change=replaced(step, data)), oid)
        harmless = (oid, step) == (IM, 3) and data in {b"\x7c\x00", dynamic(0x82, b"")}  # there is nothing to say
        assert code in ({""} if harmless else {"PACE_REPLY_WRONG", "PACE_DENIED"})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=6))
def test_any_commands_end_in_an_answer_or_a_chip_error(commands: list[tuple[bool, bytes]]) -> None:
    chip = PaceChip([PaceInfo(oid=GM, version=2, parameter_id=12)], PASSWORDS)
    chip.set_authentication(tlv.encode(0x80, encode_oid(GM)) + b"\x83\x01\x01")
    for managing, octets in commands:
        try:
            if managing:
                chip.set_authentication(octets)
            else:
                chip.general_authenticate(tlv.encode(0x7C, octets), last=len(octets) % 2 == 0)
        except ChipError:
            pass


@pytest.mark.parametrize("skipped", [1, 2, 3])
def test_the_chip_takes_no_step_out_of_order(skipped: int) -> None:
    line = Line((GM, 12))
    steps = [b"", tlv.encode(0x81, P256.key(2).public), tlv.encode(0x83, P256.key(3).public), tlv.encode(0x85, bytes(8))]
    line.chip.set_authentication(tlv.encode(0x80, encode_oid(GM)) + b"\x83\x01\x01")
    for step in steps[: skipped - 1]:
        line.chip.general_authenticate(tlv.encode(0x7C, step), last=False)
    with pytest.raises(ChipError, match="PACE_ORDER"):
        line.chip.general_authenticate(tlv.encode(0x7C, steps[skipped]), last=skipped == 3)
    with pytest.raises(ChipError, match="PACE_ORDER"):
        line.chip.general_authenticate(tlv.encode(0x7C, steps[skipped - 1]), last=False)
