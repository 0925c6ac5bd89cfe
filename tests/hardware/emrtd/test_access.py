"""How a chip is entered: PACE wherever it is offered, nothing weaker unless that is tolerated by name."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardware.emrtd import tlv
from hardware.emrtd.card_security import security_infos_of
from hardware.emrtd.chip_authentication import choose
from hardware.emrtd.curves import CURVES, EcKey
from hardware.emrtd.errors import ChipChangedError, ChipError
from hardware.emrtd.reader import BAC_WHERE_PACE_FAILED, AccessKey, PaceCamEvidence, read_chip
from hardware.emrtd.security_infos import encode_oid
from hardware.emrtd.transcript import Transcript
from hardware.ports import TagLost
from hardware.sim.chip import VirtualPassport

PACE = "0.4.0.127.0.7.2.2.4."
GM_AES_128, GM_AES_256, CAM_AES_128, DH_GM_3DES = f"{PACE}2.2", f"{PACE}2.4", f"{PACE}6.2", f"{PACE}1.1"
BRAINPOOL_256, P_256 = 13, 12
CAN = "500540"
TOLERANT = frozenset({BAC_WHERE_PACE_FAILED})


def info(oid: str, parameter_id: int, version: int = 2) -> bytes:
    return tlv.encode(0x30, tlv.encode(0x06, encode_oid(oid)) + bytes([2, 1, version, 2, 1, parameter_id]))


def card_access(*infos: bytes) -> bytes:
    return tlv.encode(0x31, b"".join(infos))


def card_security(public_key: bytes, key_id: int = BRAINPOOL_256) -> bytes:
    """SignedData around one ChipAuthenticationPublicKeyInfo; nothing of it is signed here."""
    key = tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.1.2")) + public_key + bytes([2, 1, key_id]))
    content = tlv.encode(0x06, encode_oid("0.4.0.127.0.7.3.2.1")) + tlv.encode(0xA0, tlv.encode(0x04, tlv.encode(0x31, key)))
    signed = tlv.encode(0x30, b"\2\1\3" + tlv.encode(0x31, b"") + tlv.encode(0x30, content) + tlv.encode(0x31, b""))
    return tlv.encode(0x30, tlv.encode(0x06, encode_oid("1.2.840.113549.1.7.2")) + tlv.encode(0xA0, signed))


def offering(kit, *infos: bytes, kind: type[VirtualPassport] = VirtualPassport, **changes: object) -> VirtualPassport:
    files = kit.files() | {"EF.CardAccess": card_access(*(infos or (info(GM_AES_128, BRAINPOOL_256),)))}
    return kit.passport(kind, files=files | changes.pop("files", {}), **changes)


def read(kit, chip: object, key: AccessKey | None = None, **options: object):
    return read_chip(chip, key or AccessKey(kit.mrz_information), clock=kit.clock(), **options)


def refused(kit, chip: object, key: AccessKey | None = None, **options: object) -> str:
    with pytest.raises(ChipError) as caught:
        read(kit, chip, key, **options)
    return caught.value.code


class Spy:
    """Notes what is sent to ``chip``; may change an answer or lose the tag."""

    def __init__(self, chip, spoil=lambda command, response: response, cuts=()) -> None:
        self.chip, self.spoil, self.cuts, self.sent = chip, spoil, cuts, []

    def transceive(self, command: bytes) -> bytes:
        self.sent.append(command)
        response = self.spoil(command, self.chip.transceive(command))
        if len(self.sent) in self.cuts:
            raise TagLost("test", "cut")
        return response

    def reconnect(self, timeout: float) -> bool:
        return self.chip.reconnect(timeout)

    def count(self, ins: int) -> int:
        """Plain commands with this instruction."""
        return sum(command[1] == ins and command[0] & 0x0C == 0 for command in self.sent)


# --- what is offered is run ---


@pytest.mark.parametrize("password", ["mrz", "can"])
@pytest.mark.conforms("Doc 9303-11 §4.2", "positive")
def test_pace_is_run_where_it_is_offered(kit, password: str) -> None:
    chip = offering(kit, can=CAN)
    key = AccessKey.from_can(CAN) if password == "can" else None
    spy = Spy(chip)
    data = read(kit, spy, key)
    assert (data.access.protocol, data.access.oid, data.access.parameter_id) == ("pace", GM_AES_128, BRAINPOOL_256)
    assert (data.access.password, data.access.tolerance, data.access.sessions) == (password, "", 1)
    assert dict(data.files) == chip.files
    assert data.chip_authentication.succeeded
    assert data.active_authentication.response
    assert data.pace_cam is None
    assert [step.name for step in data.steps[:3]] == ["capabilities", "card_access", "pace"]
    assert spy.count(0x84) == 0


def test_a_chip_that_knows_pace_alone_is_read(kit) -> None:
    assert read(kit, offering(kit, bac=False)).access.protocol == "pace"


def test_the_application_is_selected_under_secure_messaging(kit) -> None:
    spy = Spy(offering(kit))
    read(kit, spy)
    assert spy.count(0xA4) == 0


def test_the_strongest_offer_is_taken(kit) -> None:
    offers = (info(DH_GM_3DES, 0), info(GM_AES_128, BRAINPOOL_256), info(GM_AES_256, BRAINPOOL_256))
    data = read(kit, offering(kit, *offers))
    assert data.access.oid == GM_AES_256


def test_an_offer_that_the_chip_turns_down_gives_way_to_the_next(kit) -> None:
    def turn_down(command: bytes, response: bytes) -> bytes:
        return b"\x6a\x80" if command[1] == 0x22 and encode_oid(GM_AES_256) in command else response

    spy = Spy(offering(kit, info(GM_AES_128, P_256), info(GM_AES_256, P_256)), turn_down)
    assert read(kit, spy).access.oid == GM_AES_128


def test_a_card_access_that_offers_no_pace_is_none(kit) -> None:
    other = tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.2")) + b"\2\1\1")
    data = read(kit, offering(kit, other))
    assert data.access.protocol == "bac"
    assert data.files["EF.CardAccess"] == card_access(other)


class NoShortIdentifiers(VirtualPassport):
    """Takes no short identifiers in the master file."""

    def transceive(self, command: bytes) -> bytes:
        return b"\x6a\x86" if command[0] == 0 and command[1] == 0xB0 and command[2] & 0x80 else super().transceive(command)


def test_card_access_is_found_where_the_master_file_takes_no_short_identifiers(kit) -> None:
    assert read(kit, offering(kit, kind=NoShortIdentifiers)).access.protocol == "pace"


@pytest.mark.parametrize("status", [0x6700, 0x6C00])
def test_a_chip_that_wants_another_le_for_basic_access_control_is_opened(kit, status: int) -> None:
    def particular(command: bytes, response: bytes) -> bytes:
        return status.to_bytes(2) if command[1] == 0x82 and command[-1] == 40 else response

    assert read(kit, Spy(kit.passport(), particular)).access.protocol == "bac"
    never = Spy(kit.passport(), spoiling(status, 0x82))
    assert refused(kit, never) == "ACCESS_DENIED"
    assert never.count(0x82) == 2


# --- fail closed ---


def spoiling(status: int, ins: int):
    return lambda command, response: status.to_bytes(2) if command[1] == ins and not command[0] & 0x0C else response


@pytest.mark.parametrize(("status", "ins"), [(0x6A88, 0x22), (0x6985, 0x22), (0x6300, 0x86), (0x6982, 0x86), (0x6F00, 0x86)])
@pytest.mark.conforms("Doc 9303-11 §4.2", "negative")
def test_a_refused_pace_is_no_way_to_bac(kit, status: int, ins: int) -> None:
    spy = Spy(offering(kit), spoiling(status, ins))
    assert refused(kit, spy) in {"PACE_REFUSED", "PACE_DENIED"}
    assert spy.count(0x84) == 0


def test_a_wrong_password_is_tried_once(kit) -> None:
    spy = Spy(offering(kit, info(GM_AES_128, BRAINPOOL_256), info(GM_AES_256, BRAINPOOL_256)))
    assert refused(kit, spy, AccessKey("L898902C3674081221204158")) == "PACE_DENIED"
    assert (spy.count(0x22), spy.count(0x84)) == (1, 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x30\x03\x02\x01\x02", "CARD_ACCESS_MALFORMED"),
        (b"\x31\x82\xff\xff" + bytes(40), "CARD_ACCESS_MALFORMED"),
        (b"\x31\x80" + bytes(40), "CARD_ACCESS_MALFORMED"),
        (b"\x31", "CARD_ACCESS_MALFORMED"),
        (b"\x31\x40" + bytes(10), "CARD_ACCESS_MALFORMED"),
        (b"\x31\x04\x30\x02\x05\x00", "CARD_ACCESS_MALFORMED"),
        (card_access(info(GM_AES_128, 33)), "PACE_UNSUPPORTED"),
        (card_access(info(f"{PACE}9.9", BRAINPOOL_256)), "PACE_UNSUPPORTED"),
    ],
    ids=range(8),
)
def test_an_offer_that_cannot_be_read_or_run_is_no_way_to_bac(kit, content: bytes, code: str) -> None:
    files = {"EF.CardAccess": content}
    spy = Spy(offering(kit, files=files))
    assert refused(kit, spy) == code
    assert spy.count(0x84) == 0
    data = read(kit, offering(kit, files=files), tolerances=TOLERANT)
    assert (data.access.protocol, data.access.tolerance) == ("bac", BAC_WHERE_PACE_FAILED)
    assert {name: data.files[name] for name in kit.files()} == kit.files()


@pytest.mark.parametrize("status", [0x6F00, 0x6700, 0x6A82, 0x6982, 0x6985, 0x6B00, 0x6C08])
def test_a_card_access_that_is_refused_after_its_first_part_is_no_way_to_bac(kit, status: int) -> None:
    def break_off(command: bytes, response: bytes) -> bytes:
        return status.to_bytes(2) if command[:3] == b"\x00\xb0\x00" and command[3] else response

    chip = offering(kit)
    chip.stingy = 16
    spy = Spy(chip, break_off)
    assert refused(kit, spy) == "CARD_ACCESS_MALFORMED"
    assert spy.count(0x84) == 0


@pytest.mark.parametrize("tolerances", [frozenset(), TOLERANT])
def test_the_can_opens_nothing_but_pace(kit, tolerances: frozenset[str]) -> None:
    assert refused(kit, kit.passport(), AccessKey.from_can(CAN), tolerances=tolerances) == "CAN_NEEDS_PACE"
    assert refused(kit, offering(kit, can="123456"), AccessKey.from_can(CAN), tolerances=tolerances) == "PACE_DENIED"


def test_the_tolerance_lets_a_refused_pace_pass_and_says_so(kit) -> None:
    spy = Spy(offering(kit), spoiling(0x6A88, 0x22))
    data = read(kit, spy, tolerances=TOLERANT)
    assert (data.access.protocol, data.access.oid, data.access.parameter_id) == ("bac", "", None)
    assert data.access.tolerance == BAC_WHERE_PACE_FAILED
    assert {step.name: step.result for step in data.steps}["pace"] == "PACE_REFUSED"


def test_a_wrong_password_is_tried_once_whatever_is_tolerated(kit) -> None:
    spy = Spy(offering(kit))
    assert refused(kit, spy, AccessKey("L898902C3674081221204158"), tolerances=TOLERANT) == "PACE_DENIED"
    assert (spy.count(0x22), spy.count(0x84)) == (1, 0)


@pytest.mark.parametrize(
    ("status", "ins", "code"), [(0x63C2, 0x22, "PACE_DENIED"), (0x6300, 0x86, "PACE_DENIED"), (0x9000, 0x86, "PACE_REPLY_WRONG")]
)
def test_the_tolerance_is_for_a_chip_that_turns_pace_down_not_for_one_that_fails_in_it(kit, status, ins, code) -> None:
    spy = Spy(offering(kit), spoiling(status, ins))
    assert refused(kit, spy, tolerances=TOLERANT) == code
    assert spy.count(0x84) == 0


@pytest.mark.parametrize("tolerances", [{"pace_where_bac_failed"}, {"BAC_WHERE_PACE_FAILED"}])
def test_no_other_tolerance_counts(kit, tolerances: set[str]) -> None:
    assert refused(kit, Spy(offering(kit), spoiling(0x6A88, 0x22)), tolerances=frozenset(tolerances)) == "PACE_REFUSED"


def test_the_tolerance_changes_nothing_where_pace_succeeds_or_is_not_offered(kit) -> None:
    assert read(kit, offering(kit), tolerances=TOLERANT).access.tolerance == ""
    assert read(kit, kit.passport(), tolerances=TOLERANT).access.tolerance == ""


# --- after a lost tag ---


def commands_of(kit, chip: VirtualPassport) -> list[bytes]:
    spy = Spy(chip)
    read(kit, spy)
    return spy.sent


def test_pace_is_resumed_at_any_place(kit) -> None:
    whole = commands_of(kit, offering(kit))
    for cut in range(1, len(whole) + 1, 3):
        spy = Spy(offering(kit), cuts=[cut])
        data = read(kit, spy)
        assert {name: data.files[name] for name in kit.files()} == kit.files()
        assert data.access.sessions <= 2
        assert (data.access.protocol, data.access.oid) == ("pace", GM_AES_128)
        assert data.chip_authentication.succeeded
        assert data.active_authentication.response


@pytest.mark.parametrize("infos", [(), (info(GM_AES_256, BRAINPOOL_256),)], ids=["no offer any more", "another offer"])
def test_a_chip_that_offers_something_else_after_the_loss_is_another_chip(kit, infos: tuple[bytes, ...]) -> None:
    whole = commands_of(kit, offering(kit))
    other = offering(kit, *infos) if infos else kit.passport()
    spy = Spy(offering(kit), cuts=[len(whole) - 5])
    spy.reconnect = lambda timeout: setattr(spy, "chip", other) is None
    with pytest.raises(ChipChangedError):
        read(kit, spy)


@pytest.mark.parametrize("password", ["mrz", "can"])
def test_an_offer_that_is_gone_after_a_loss_within_pace_is_no_way_to_bac(kit, password: str) -> None:
    key = AccessKey.from_can(CAN) if password == "can" else None
    spy = Spy(offering(kit, can=CAN), cuts=[5])
    spy.reconnect = lambda timeout: setattr(spy, "chip", kit.passport()) is None
    with pytest.raises(ChipChangedError):
        read(kit, spy, key, tolerances=TOLERANT)
    assert spy.sent[4][1] == 0x86
    assert spy.count(0x84) == 0


def test_the_tolerated_way_is_the_one_that_is_resumed(kit) -> None:
    whole = Spy(offering(kit), spoiling(0x6A88, 0x22))
    read(kit, whole, tolerances=TOLERANT)
    at = next(number for number, command in enumerate(whole.sent) if command[0] & 0x0C) + 3
    spy = Spy(offering(kit), spoiling(0x6A88, 0x22), cuts=[at])
    data = read(kit, spy, tolerances=TOLERANT)
    assert (data.access.protocol, data.access.sessions) == ("bac", 2)
    assert spy.count(0x22) == 1


# --- chip authentication mapping ---

MAPPING_KEY = EcKey.generate(next(curve for curve in CURVES if curve.name == "brainpoolP256r1"))


def mapped(kit, public: bytes | None = None, **changes: object) -> VirtualPassport:
    native = ec.derive_private_key(MAPPING_KEY.scalar, ec.BrainpoolP256R1())
    files = {"EF.CardSecurity": card_security(public or kit.spki(native))}
    return offering(kit, info(CAM_AES_128, BRAINPOOL_256), cam_key=MAPPING_KEY, files=files, **changes)


def test_the_mapping_key_is_found_in_card_security(kit) -> None:
    chip = mapped(kit)
    data = read(kit, chip)
    native = ec.derive_private_key(MAPPING_KEY.scalar, ec.BrainpoolP256R1())
    assert data.pace_cam == PaceCamEvidence(public_key=kit.spki(native), oid=CAM_AES_128, succeeded=True)
    assert dict(data.files) == chip.files
    assert [step.name for step in data.steps[:4]] == ["capabilities", "card_access", "pace", "card_security"]


def test_no_key_of_the_chip_shows_in_repr(kit) -> None:
    """It names one chip for life, wherever it is met."""
    data = read(kit, mapped(kit))
    choice = choose(bytes(data.files["DG14"]))
    for public in (data.chip_authentication.public_key, data.pace_cam.public_key, choice.element):
        inner = repr(public)[10:-10]
        assert inner in repr(public)
        assert inner not in f"{data!r} {choice!r}"


def test_a_card_security_with_another_key_proves_nothing(kit) -> None:
    other = ec.generate_private_key(ec.BrainpoolP256R1())
    assert read(kit, mapped(kit, kit.spki(other))).pace_cam == PaceCamEvidence(public_key=b"", oid=CAM_AES_128, succeeded=False)


@pytest.mark.parametrize(
    "content", [None, b"\x30\x03\x02\x01\x01", b"\x30\x82\xff\xff"], ids=["absent", "no message", "too long"]
)
def test_a_missing_or_broken_card_security_proves_nothing_and_the_rest_is_read(kit, content: bytes | None) -> None:
    chip = mapped(kit)
    del chip.files["EF.CardSecurity"]
    if content is not None:
        chip.files["EF.CardSecurity"] = content
    data = read(kit, chip)
    assert data.pace_cam == PaceCamEvidence(public_key=b"", oid=CAM_AES_128, succeeded=False)
    assert {name: data.files[name] for name in kit.files()} == kit.files()


def test_the_mapping_key_must_be_shown_again_after_a_loss(kit) -> None:
    """The chip that answers last has the same files and passwords, but another mapping key."""
    whole = commands_of(kit, mapped(kit))
    impostor = mapped(kit)
    impostor = kit.passport(files=impostor.files, cam_key=EcKey.generate(MAPPING_KEY.curve))
    assert read(kit, Spy(mapped(kit), cuts=[len(whole) - 8])).pace_cam.succeeded
    spy = Spy(mapped(kit), cuts=[len(whole) - 8])
    spy.reconnect = lambda timeout: setattr(spy, "chip", impostor) is None
    assert not read(kit, spy).pace_cam.succeeded


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"\x30\x02\x05\x00", b"\x31\x00", b"\x30\x05\x06\x01\x2a\xa0\x00"])
def test_what_is_no_signed_message_is_named(content: bytes) -> None:
    with pytest.raises(ChipError) as caught:
        security_infos_of(content)
    assert (caught.value.code, caught.value.file) == ("CARD_SECURITY_MALFORMED", "EF.CardSecurity")


# --- files on request ---


@pytest.mark.parametrize("pace", [True, False], ids=["pace", "bac"])
def test_files_on_request_come_after_the_others(kit, pace: bool) -> None:
    more = {"EF.DIR": tlv.encode(0x61, b"\x4f\x07\xa0\0\0\2\x47\x10\1"), "DG11": tlv.encode(0x6B, b"\x5c\0"), "DG13": b"\x6d\1\7"}
    chip = offering(kit, files=more) if pace else kit.passport(files=kit.files() | more)
    data = read(kit, chip, extra=("DG11", "DG13", "EF.DIR", "DG16"))
    assert dict(data.files) == chip.files
    assert dict(data.missing) == {"DG16": "FILE_NOT_FOUND"}
    assert [name for name in data.files if name in more] == ["EF.DIR", "DG11", "DG13"]
    assert list(data.files)[-3:] == ["EF.COM", "DG11", "DG13"]


@pytest.mark.parametrize("name", ["DG3", "DG4", "DG2", "DG99", "EF.CardSecurity"])
def test_nothing_else_can_be_asked_for(kit, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        read(kit, kit.passport(), extra=(name,))


def test_a_device_that_carries_short_responses_alone_is_asked_for_no_more(kit) -> None:
    class Short(Spy):
        longest_response = 256

    spy = Short(kit.passport())
    assert dict(read(kit, Transcript(spy, kit.clock())).files) == kit.files()
    assert max(len(command) for command in spy.sent if command[1] == 0xB0) < 25
    assert all(command[4] for command in spy.sent if command[1] == 0xB0 and len(command) > 5)


def test_a_signature_too_wide_for_the_device_is_refused_and_the_rest_is_there(kit) -> None:
    class Narrow(Spy):
        longest_response = 256

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    files = kit.files() | {"DG15": tlv.encode(0x6F, kit.spki(key))}
    data = read(kit, Narrow(kit.passport(files=files, active_key=key)))
    assert dict(data.files) == files
    assert data.active_authentication.response == b""
    assert {step.name: step.result for step in data.steps}["active_authentication"] == "refused"


def test_a_chip_that_was_not_reset_since_it_was_read_is_opened_by_pace_again(kit) -> None:
    """Its application is still the current one, and knows no EF.CardAccess."""
    chip = offering(kit)
    for _ in range(2):
        data = read(kit, chip)
        assert data.access.protocol == "pace"
        assert dict(data.files) == chip.files
