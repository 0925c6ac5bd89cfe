"""Chip authentication between our terminal and our chip: both families, both versions, every cipher, keys by their id."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.chip_authentication import PROTOCOLS, Choice, choose, run
from hardware.emrtd.dh_groups import DH_GROUPS, LONG_ORDER, DhGroup
from hardware.emrtd.domain_parameters import (
    DH_KEY_AGREEMENT,
    DH_PUBLIC_NUMBER,
    STANDARDIZED,
    STANDARDIZED_PARAMETERS,
    read_key,
)
from hardware.emrtd.elliptic_curve import Curve
from hardware.emrtd.errors import ChipError, SecureMessagingError
from hardware.emrtd.groups import KeyAgreementGroup, PrivateKey
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import encode_oid
from hardware.sim.chip_protocols import ChipAuthentication

CA_DH, CA_ECDH = "0.4.0.127.0.7.2.2.3.1", "0.4.0.127.0.7.2.2.3.2"
PK_DH, PK_ECDH = "0.4.0.127.0.7.2.2.1.1", "0.4.0.127.0.7.2.2.1.2"
P256 = STANDARDIZED[12]
GROUPS = [STANDARDIZED[number] for number in (0, 2, 9, 12, 13)]


def integer(value: int) -> bytes:
    return tlv.encode(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def spki_of(algorithm: bytes, parameters: bytes, key: bytes) -> bytes:
    return tlv.encode(0x30, tlv.encode(0x30, tlv.encode(0x06, algorithm) + parameters) + tlv.encode(0x03, b"\0" + key))


def spki(key: PrivateKey) -> bytes:
    group = key.group
    if isinstance(group, Curve):
        return spki_of(bytes.fromhex("2A8648CE3D0201"), tlv.encode(0x06, group.oid), key.public)
    assert isinstance(group, DhGroup)
    return dh_spki(group.p, group.g, int.from_bytes(key.public), q=group.q)


def dh_spki(p: int, g: int, y: int, *, q: int | None = None) -> bytes:
    """X9.42 where ``q`` is given, else PKCS#3."""
    numbers = [p, g] if q is None else [p, g, q]
    algorithm = DH_KEY_AGREEMENT if q is None else DH_PUBLIC_NUMBER
    return spki_of(algorithm, tlv.encode(0x30, b"".join(map(integer, numbers))), integer(y))


def info(oid: str, *fields: int | bytes) -> bytes:
    encoded = (field if isinstance(field, bytes) else integer(field) for field in fields)
    return tlv.encode(0x30, tlv.encode(0x06, encode_oid(oid)) + b"".join(encoded))


def dg14(*infos: bytes) -> bytes:
    return tlv.encode(0x6E, tlv.encode(0x31, b"".join(infos)))


def fresh(group: KeyAgreementGroup) -> PrivateKey:
    return group.random_key(secrets.token_bytes)


def family(group: KeyAgreementGroup) -> tuple[str, str]:
    return (CA_ECDH, PK_ECDH) if isinstance(group, Curve) else (CA_DH, PK_DH)


class Line:
    """A chip that authenticates itself, behind an exchange that may ``change`` each response."""

    def __init__(
        self, chip: ChipAuthentication, change: Callable[[ResponseApdu], ResponseApdu] = lambda response: response
    ) -> None:
        self.chip, self.change = chip, change
        self.commands: list[CommandApdu] = []
        self.session: SecureMessaging | None = None

    def exchange(self, command: CommandApdu) -> ResponseApdu:
        self.commands.append(command)
        try:
            return self.change(self._answer(command))
        except ChipError as error:
            return ResponseApdu(sw=0x6A88 if error.code == "KEY_NOT_FOUND" else 0x6A80)

    def _answer(self, command: CommandApdu) -> ResponseApdu:
        if command.ins == 0x86:
            data, self.session = self.chip.authenticate(command.data)
            return ResponseApdu(data=data)
        if command.p2 == 0xA6:
            self.session = self.chip.set_key_agreement(command.data)
        else:
            self.chip.set_authentication(command.data)
        return ResponseApdu()


def proves(session: SecureMessaging, line: Line) -> bool:
    """The first good answer under the new keys."""
    assert line.session is not None
    command = CommandApdu(ins=0xB0, ne=4)
    try:
        line.session.open_command(session.protect(command))
        session.unprotect(line.session.seal_response(ResponseApdu(data=b"data")))
    except SecureMessagingError:
        return False
    return True


def chosen(*infos: bytes) -> Choice:
    choice = choose(dg14(*infos))
    assert choice is not None
    return choice


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("arc", [1, 2, 3, 4])
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_terminal_and_chip_agree_in_every_variant(group: KeyAgreementGroup, arc: int, version: int) -> None:
    key, (protocol, kind) = fresh(group), family(group)
    choice = chosen(info(kind, spki(key)), info(f"{protocol}.{arc}", version))
    assert (choice.oid, choice.version, choice.group, choice.element) == (f"{protocol}.{arc}", version, group, key.public)
    line = Line(ChipAuthentication(key, version=version))
    assert proves(run(line.exchange, choice), line)
    assert [c.p2 for c in line.commands] == ([0xA6] if (arc, version) == (1, 1) else [0xA4, 0])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("arc", [1, 4])
def test_a_clone_without_the_key_agrees_on_nothing(arc: int, version: int) -> None:
    choice = chosen(info(PK_ECDH, spki(fresh(P256))), info(f"{CA_ECDH}.{arc}", version))
    line = Line(ChipAuthentication(fresh(P256), version=version))
    if version == 2:
        with pytest.raises(ChipError, match="CA_REPLY_WRONG"):
            run(line.exchange, choice)
    else:
        assert not proves(run(line.exchange, choice), line)


def test_the_chip_is_told_which_key_is_meant() -> None:
    keys = {number: fresh(P256) for number in (1, 2, 3)}
    infos = [info(PK_ECDH, spki(key), number) for number, key in keys.items()]
    choice = chosen(*infos, info(f"{CA_ECDH}.2", 1, 1), info(f"{CA_ECDH}.4", 1, 3), info(f"{CA_ECDH}.1", 1, 2))
    assert (choice.oid, choice.key_id, choice.public_key) == (f"{CA_ECDH}.4", 3, spki(keys[3]))
    line = Line(ChipAuthentication(keys[1], keys=keys))
    assert proves(run(line.exchange, choice), line)
    assert line.commands[0].data.endswith(b"\x84\x01\x03")
    with pytest.raises(ChipError, match="CA_REFUSED"):
        run(Line(ChipAuthentication(keys[1], keys={1: keys[1]})).exchange, choice)


def test_strength_goes_before_version_and_version_1_before_2() -> None:
    curve, modular = fresh(P256), fresh(STANDARDIZED[2])
    both = (info(PK_ECDH, spki(curve)), info(PK_DH, spki(modular)))
    offers = (info(f"{CA_ECDH}.1", 1), info(f"{CA_DH}.3", 1), info(f"{CA_ECDH}.3", 2), info(f"{CA_ECDH}.3", 1))
    choice = chosen(*both, *offers)
    assert (choice.oid, choice.version) == (f"{CA_ECDH}.3", 1)
    assert chosen(*both, *offers[:3]).oid == f"{CA_DH}.3"
    assert chosen(*both, offers[0], info(f"{CA_DH}.1", 1)).oid == f"{CA_ECDH}.1"


@pytest.mark.parametrize("group", [STANDARDIZED[0], P256], ids=lambda group: group.name)
def test_a_key_of_which_nothing_is_said_means_3des(group: KeyAgreementGroup) -> None:
    protocol, kind = family(group)
    assert chosen(info(kind, spki(fresh(group)), 5)).oid == f"{protocol}.1"


@pytest.mark.parametrize("group", [STANDARDIZED[0], P256], ids=lambda group: group.name)
@pytest.mark.parametrize(("of_key", "of_info", "told"), [((5,), (), 5), ((), (5,), 5), ((), (), None), ((5,), (5,), 5)])
def test_an_only_key_and_an_only_offer_belong_together(group, of_key: tuple, of_info: tuple, told: int | None) -> None:
    (protocol, kind), key = family(group), fresh(group)
    choice = chosen(info(kind, spki(key), *of_key), info(f"{protocol}.4", 1, *of_info))
    assert (choice.oid, choice.key_id, choice.public_key) == (f"{protocol}.4", told, spki(key))
    line = Line(ChipAuthentication(key))
    assert proves(run(line.exchange, choice), line)
    assert line.commands[0].data.endswith(b"\x84\x01\x05") is (told == 5)


@pytest.mark.parametrize(
    "infos",
    [
        [info(PK_ECDH, spki(P256.key(5)), 1), info(f"{CA_ECDH}.4", 1, 2)],
        [info(PK_ECDH, spki(P256.key(5))), info(f"{CA_DH}.4", 1)],
        [info(PK_ECDH, spki(P256.key(5))), info(f"{CA_ECDH}.4", 3)],
        [info(PK_ECDH, spki(P256.key(5))), info(f"{CA_ECDH}.9", 1)],
        [info(PK_ECDH, spki(P256.key(5)), 1), info(PK_ECDH, spki(P256.key(6)), 2), info(f"{CA_ECDH}.4", 1)],
        [info(PK_ECDH, spki(P256.key(5))), info(f"{CA_ECDH}.4", 1, 1), info(f"{CA_ECDH}.2", 1, 2)],
    ],
    ids=["another id", "another family", "another version", "unknown cipher", "two keys", "two offers"],
)
def test_3des_is_never_made_up_where_something_else_is_said(infos: list[bytes]) -> None:
    with pytest.raises(ChipError, match="CA_UNSUPPORTED"):
        choose(dg14(*infos))


def test_an_offer_falls_back_to_the_next_key_that_we_can_use() -> None:
    strange = spki_of(b"\x2a\x03", b"\x05\x00", b"key")
    choice = chosen(
        info(PK_ECDH, strange, 1), info(PK_ECDH, spki(fresh(P256)), 2), info(f"{CA_ECDH}.4", 1, 1), info(f"{CA_ECDH}.2", 1, 2)
    )
    assert (choice.oid, choice.key_id) == (f"{CA_ECDH}.2", 2)


def test_protocols_without_a_key_do_not_crowd_out_one_that_has_its_own() -> None:
    dangling = [info(f"{CA_ECDH}.4", 1, number) for number in range(9)]
    assert chosen(*dangling, info(f"{CA_ECDH}.2", 1, 9), info(PK_ECDH, spki(P256.key(5)), 9)).key_id == 9


def test_a_dg14_without_chip_authentication_offers_none() -> None:
    assert choose(dg14(info("0.4.0.127.0.7.2.2.2", 1))) is None
    assert choose(dg14()) is None


@pytest.mark.parametrize(
    ("infos", "code"),
    [
        ([info(f"{CA_ECDH}.2", 1)], "CA_UNSUPPORTED"),
        ([info(f"{CA_ECDH}.2", 1, 1), info(PK_ECDH, spki(P256.key(5)), 2), info(f"{CA_ECDH}.2", 3, 2)], "CA_UNSUPPORTED"),
        ([info("0.4.0.127.0.7.2.2.3.3.2", 1)], "CA_UNSUPPORTED"),
        ([info(PK_ECDH, spki_of(b"\x2a\x03", b"\x05\x00", b"key"))], "KEY_UNSUPPORTED"),
        ([info(PK_ECDH, spki_of(b"\x2a\x03", b"", b"key"))], "KEY_MALFORMED"),
        ([info(PK_ECDH, spki(STANDARDIZED[0].key(5)))], "KEY_UNSUPPORTED"),
        ([info(PK_DH, spki(P256.key(5)))], "KEY_UNSUPPORTED"),
        ([info(PK_ECDH, spki(P256.key(5))[:-1] + b"\0")], "EC_POINT"),
        ([info(PK_DH, dh_spki(DH_GROUPS[0].p, DH_GROUPS[0].g, 1))], "DH_ELEMENT"),
        ([info(PK_DH, dh_spki(1 << 1023 | 1, 2, 5))], ""),
        ([info(PK_DH, dh_spki(1 << 1022 | 1, 2, 5))], "KEY_UNSUPPORTED"),
        ([info(PK_DH, dh_spki(1 << 3072 | 1, 2, 5))], "KEY_UNSUPPORTED"),
        ([info(PK_DH, dh_spki(1 << 1500, 2, 5))], "KEY_UNSUPPORTED"),
        ([info(PK_DH, dh_spki(1 << 1500 | 1, 2, 5, q=1009))], "KEY_UNSUPPORTED"),
        ([info(PK_DH, dh_spki(1 << 1500 | 1, 2, 5, q=1 << 200 | 1))], "DH_ELEMENT"),
        ([info(PK_DH, dh_spki(1 << 1500 | 1, 1, 5))], "DH_ELEMENT"),
        ([info(PK_DH, spki_of(DH_KEY_AGREEMENT, tlv.encode(0x30, integer(23)), integer(5)))], "KEY_MALFORMED"),
        ([info(PK_DH, spki_of(DH_KEY_AGREEMENT, tlv.encode(0x30, b"\x02\x01\xff" * 2), integer(5)))], "KEY_MALFORMED"),
        ([info(PK_DH, spki_of(STANDARDIZED_PARAMETERS, integer(5), integer(5)))], "KEY_UNSUPPORTED"),
        ([b"\x30\x00"], "DG14_MALFORMED"),
        ([info(PK_ECDH)], "DG14_MALFORMED"),
    ],
    ids=range(21),
)
def test_an_offer_out_of_reach_says_why(infos: list[bytes], code: str) -> None:
    if not code:
        assert choose(dg14(*infos)) is not None
        return
    with pytest.raises(ChipError) as caught:
        choose(dg14(*infos))
    assert caught.value.code == code


@pytest.mark.parametrize("content", [b"", b"\x6e", b"\x6e\x05\x31", b"\x31\x00", b"\x6e\x02\x31\x00\x00"])
def test_a_malformed_dg14_says_so_with_its_file(content: bytes) -> None:
    with pytest.raises(ChipError) as caught:
        choose(content)
    assert (caught.value.code, caught.value.file) == ("DG14_MALFORMED", "DG14")


def test_a_known_group_is_known_even_where_its_order_is_not_stated() -> None:
    group = DH_GROUPS[2]
    key = fresh(group)
    assert read_key(dh_spki(group.p, group.g, int.from_bytes(key.public))) == (group, key.public)


@pytest.mark.parametrize("stated", [True, False])
def test_a_group_of_the_chips_own_serves_with_its_own_numbers(stated: bool) -> None:
    base = DH_GROUPS[0]
    g = pow(base.g, 3, base.p)
    own = DhGroup(name="modp1024", p=base.p, g=g, q=base.q if stated else None)
    key = fresh(own)
    public_key = dh_spki(own.p, own.g, int.from_bytes(key.public), q=own.q)
    assert read_key(public_key) == (own, key.public)
    line = Line(ChipAuthentication(key))
    assert proves(run(line.exchange, chosen(info(PK_DH, public_key), info(f"{CA_DH}.2", 1))), line)


def test_an_order_too_long_to_check_with_is_left_alone() -> None:
    p = 1 << 1500 | 1
    group, _ = read_key(dh_spki(p, 2, 5, q=p // 2))
    assert group.order == LONG_ORDER


@pytest.mark.parametrize(
    ("number", "key"), [(13, STANDARDIZED[13].key(5).public), (0, integer(pow(DH_GROUPS[0].g, 5, DH_GROUPS[0].p)))]
)
def test_standardised_parameters_may_be_named_by_their_number(number: int, key: bytes) -> None:
    group, element = read_key(spki_of(STANDARDIZED_PARAMETERS, integer(number), key))
    assert (group, element) == (STANDARDIZED[number], STANDARDIZED[number].key(5).public)


@pytest.mark.parametrize("sw", [0x6A80, 0x6A88, 0x6300, 0x6982, 0x6D00, 0x6282])
@pytest.mark.parametrize("arc", [1, 2])
def test_a_refusal_is_no_proof(arc: int, sw: int) -> None:
    choice = chosen(info(PK_ECDH, spki(P256.key(5))), info(f"{CA_ECDH}.{arc}", 1))
    line = Line(ChipAuthentication(P256.key(5)), lambda _: ResponseApdu(sw=sw))
    with pytest.raises(ChipError, match="CA_REFUSED"):
        run(line.exchange, choice)
    assert len(line.commands) == 1


@given(st.binary(max_size=40))
def test_version_2_takes_no_answer_but_the_right_one(octets: bytes) -> None:
    key = P256.key(5)
    choice = chosen(info(PK_ECDH, spki(key)), info(f"{CA_ECDH}.2", 2))
    for data in (octets, tlv.encode(0x7C, octets), tlv.encode(0x7C, tlv.encode(0x81, bytes(8)) + tlv.encode(0x82, octets))):
        line = Line(ChipAuthentication(key, version=2), lambda response, data=data: ResponseApdu(data=data))
        with pytest.raises(ChipError, match="CA_REPLY_WRONG"):
            run(line.exchange, choice)


@given(st.data())
def test_version_2_notices_any_changed_byte(data: st.DataObject) -> None:
    key = P256.key(5)
    position, change = data.draw(st.integers(0, 21)), data.draw(st.integers(1, 255))

    def changed(response: ResponseApdu) -> ResponseApdu:
        octets = bytearray(response.data)
        if octets:
            octets[position] ^= change
        return ResponseApdu(data=bytes(octets))

    with pytest.raises(ChipError, match="CA_REPLY_WRONG"):
        run(Line(ChipAuthentication(key, version=2), changed).exchange, chosen(info(PK_ECDH, spki(key)), info(f"{CA_ECDH}.2", 2)))


@given(st.binary(max_size=60))
def test_any_octets_are_a_dg14_or_a_chip_error(octets: bytes) -> None:
    for content in (
        octets,
        dg14(octets),
        dg14(info(PK_DH, octets)),
        dg14(info(PK_DH, spki_of(DH_PUBLIC_NUMBER, octets, octets))),
    ):
        try:
            choose(content)
        except ChipError:
            continue


@given(st.data())
def test_a_dg14_with_a_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    key = DH_GROUPS[0].key(5)
    content = bytearray(dg14(info(PK_DH, spki(key), 1), info(f"{CA_DH}.2", 1, 1), info(PK_ECDH, spki(P256.key(5)), 2)))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        choose(bytes(content))
    except ChipError:
        return


@given(st.lists(st.tuples(st.sampled_from(["kat", "at", "ga"]), st.binary(max_size=40)), max_size=5))
def test_any_commands_end_in_an_answer_or_a_chip_error(commands: list[tuple[str, bytes]]) -> None:
    chip = ChipAuthentication(P256.key(5), version=2)
    for name, octets in commands:
        try:
            {"kat": chip.set_key_agreement, "at": chip.set_authentication, "ga": chip.authenticate}[name](octets)
        except ChipError:
            continue


def test_the_protocols_are_the_eight_of_tables_5_and_6() -> None:
    assert {(oid[-3:], suite.cipher, suite.key_length) for oid, suite in PROTOCOLS.items()} == {
        (f"{kind}.{arc}", cipher, length)
        for kind in (1, 2)
        for arc, cipher, length in ((1, "3DES", 16), (2, "AES", 16), (3, "AES", 24), (4, "AES", 32))
    }


@pytest.mark.shared
def test_the_specimens_explicit_key_is_brainpool_p224(pki_data: Path) -> None:
    choice = choose((pki_data / "bsi_dataset" / "Datagroup14.bin").read_bytes())
    assert choice is not None
    assert (choice.oid, choice.key_id, choice.group.name) == (f"{CA_ECDH}.1", None, "brainpoolP224r1")
