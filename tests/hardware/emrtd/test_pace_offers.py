"""What EF.CardAccess offers, what we take of it, and what we refuse by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError
from hardware.emrtd.pace import PaceOffer, choose, offers
from hardware.emrtd.pace_offers import PROTOCOLS
from hardware.emrtd.security_infos import decode_oid, encode_oid, parse_security_infos

DH_GM, GM, DH_IM, IM, CAM = (f"0.4.0.127.0.7.2.2.4.{family}" for family in (1, 2, 3, 4, 6))
TERMINAL_AUTHENTICATION = "0.4.0.127.0.7.2.2.2"


def info(oid: str, *numbers: int | bytes) -> bytes:
    fields = (field if isinstance(field, bytes) else tlv.encode(0x02, bytes([field])) for field in numbers)
    return tlv.encode(0x30, tlv.encode(0x06, encode_oid(oid)) + b"".join(fields))


def card_access(*infos: bytes) -> bytes:
    return tlv.encode(0x31, b"".join(infos))


def test_the_protocols_are_the_nineteen_of_tables_2_and_3() -> None:
    assert len(PROTOCOLS) == 19
    assert {(p.agreement, p.mapping) for p in PROTOCOLS.values()} == {
        ("DH", "GM"),
        ("ECDH", "GM"),
        ("DH", "IM"),
        ("ECDH", "IM"),
        ("ECDH", "CAM"),
    }
    assert {p.suite.cipher for p in PROTOCOLS.values() if p.mapping == "CAM"} == {"AES"}


def test_the_strongest_offer_comes_first() -> None:
    made = [
        (f"{GM}.1", 13),
        (f"{DH_GM}.2", 2),
        (f"{GM}.2", 13),
        (f"{IM}.2", 13),
        (f"{GM}.4", 12),
        (f"{GM}.4", 16),
        (f"{CAM}.2", 13),
    ]
    found = offers(card_access(*(info(oid, 2, number) for oid, number in made)))
    assert [(offer.oid, offer.parameter_id) for offer in found] == [
        (f"{CAM}.2", 13),
        (f"{GM}.4", 16),
        (f"{GM}.4", 12),
        (f"{GM}.2", 13),
        (f"{IM}.2", 13),
        (f"{DH_GM}.2", 2),
        (f"{GM}.1", 13),
    ]


def test_one_set_of_domain_parameters_is_not_ambiguous() -> None:
    assert choose(card_access(info(f"{GM}.2", 2, 13), info(f"{IM}.2", 2, 13))) == PaceOffer(oid=f"{GM}.2", parameter_id=13)


@pytest.mark.parametrize("other", [info(f"{GM}.2", 2, 12), info(GM, tlv.encode(0x30, b""), 32)], ids=["standardised", "own"])
def test_the_chip_is_told_which_domain_parameters_are_meant(other: bytes) -> None:
    chosen = choose(card_access(info(f"{GM}.4", 2, 13), other))
    assert chosen == PaceOffer(oid=f"{GM}.4", parameter_id=13, ambiguous=True)


def test_a_card_access_without_pace_offers_none() -> None:
    assert choose(card_access(info(TERMINAL_AUTHENTICATION, 1))) is None
    assert choose(card_access()) is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (info(f"{GM}.2", 1, 13), "version 1"),
        (info(f"{GM}.2", 2, 3), "reserved domain parameters 3"),
        (info(f"{GM}.2", 2, 31), "reserved domain parameters 31"),
        (info(f"{GM}.2", 2, 32), "proprietary"),
        (info(f"{GM}.2", 2), "proprietary"),
        (info(f"{GM}.2", 2, 0), "ECDH over modp1024_160"),
        (info(f"{DH_GM}.2", 2, 13), "DH over brainpoolP256r1"),
        (info(f"{IM}.2", 2, 10), "integrated mapping to secp224r1"),
        (info(f"{CAM}.1", 2, 13), "unknown protocol"),
        (info("0.4.0.127.0.7.2.2.4.5.2", 2, 13), "unknown protocol"),
        (info(GM, tlv.encode(0x30, b""), 33), "without a protocol"),
    ],
)
def test_an_offer_out_of_reach_is_no_chip_without_pace(entry: bytes, reason: str) -> None:
    with pytest.raises(ChipError, match="PACE_UNSUPPORTED") as caught:
        choose(card_access(entry))
    assert reason in caught.value.what
    assert offers(card_access(entry, info(f"{GM}.2", 2, 13)))[0].parameter_id == 13


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x31",
        b"\x31\x05\x30",
        card_access(info(f"{GM}.2", 2, 13)) + b"\0",
        tlv.encode(0x30, info(f"{GM}.2", 2, 13)),
        card_access(info(f"{GM}.2")),
        card_access(info(f"{GM}.2", b"\x02\x01\xff", 13)),
        card_access(info(f"{GM}.2", b"\x02\x00", 13)),
        card_access(info(f"{GM}.2", b"\x02\x09" + bytes(9), 13)),
        card_access(info(f"{GM}.2", 2, b"\x04\x01\x0d")),
        card_access(tlv.encode(0x30, b"\x06\x00\x02\x01\x02")),
        card_access(tlv.encode(0x30, b"\x06\x02\x04\x80\x02\x01\x02")),
        card_access(tlv.encode(0x30, b"\x06\x21" + b"\x04" * 33)),
        card_access(tlv.encode(0x30, b"")),
        card_access(*[info(TERMINAL_AUTHENTICATION, 1)] * 33),
    ],
    ids=range(15),
)
def test_a_malformed_card_access_says_so_with_its_file(content: bytes) -> None:
    with pytest.raises(ChipError) as caught:
        choose(content)
    assert (caught.value.code, caught.value.file) == ("CARD_ACCESS_MALFORMED", "EF.CardAccess")


def test_everything_of_use_is_read_and_the_rest_is_counted() -> None:
    key = tlv.encode(0x30, b"\x05\x00")
    infos = parse_security_infos(
        card_access(
            info(f"{GM}.2", 2, 13),
            info(GM, key, 40),
            info("0.4.0.127.0.7.2.2.1.2", key, 7),
            info("0.4.0.127.0.7.2.2.3.2.4", 1),
            info("0.4.0.127.0.7.2.2.3.2", key, 7),
            info("2.23.136.1.1.5", 1, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.1.1.4.1.3"))),
            info(TERMINAL_AUTHENTICATION, 1),
            info("1.2.3", b"\x04\x03abc"),
        ),
        "DG14",
    )
    assert [(pace.oid, pace.version, pace.parameter_id) for pace in infos.pace] == [(f"{GM}.2", 2, 13)]
    assert [(own.oid, own.parameters, own.parameter_id) for own in infos.pace_parameters] == [(GM, key, 40)]
    assert [(public.oid[-3:], public.public_key, public.key_id) for public in infos.public_keys] == [("1.2", key, 7)]
    assert [(chip.oid[-5:], chip.version, chip.key_id) for chip in infos.chip_authentication] == [("3.2.4", 1, None)]
    assert (infos.active_authentication, infos.unknown) == ("0.4.0.127.0.7.1.1.4.1.3", 3)


@pytest.mark.parametrize(
    ("file", "code"),
    [("EF.CardAccess", "CARD_ACCESS_MALFORMED"), ("EF.CardSecurity", "CARD_SECURITY_MALFORMED"), ("DG14", "DG14_MALFORMED")],
)
def test_each_file_has_its_own_code(file: str, code: str) -> None:
    with pytest.raises(ChipError, match=code):
        parse_security_infos(b"\x30\x00", file)


def outcome(content: bytes) -> str:
    try:
        offers(content)
    except ChipError as error:
        return error.code
    return "read"


@given(st.binary(max_size=60))
def test_any_octets_are_a_card_access_or_a_chip_error(octets: bytes) -> None:
    for content in (octets, card_access(octets), card_access(tlv.encode(0x30, octets))):
        assert outcome(content) in {"read", "CARD_ACCESS_MALFORMED", "PACE_UNSUPPORTED"}


@given(st.data())
def test_a_card_access_with_a_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(card_access(info(f"{CAM}.4", 2, 13), info(f"{GM}.2", 2, 12), info(TERMINAL_AUTHENTICATION, 1)))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(content)) in {"read", "CARD_ACCESS_MALFORMED", "PACE_UNSUPPORTED"}


@given(st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 1 << 28), max_size=5))
def test_object_identifiers_survive_a_round_trip(head: tuple[int, int], rest: list[int]) -> None:
    oid = ".".join(map(str, (*head, *rest)))
    assert decode_oid(encode_oid(oid)) == oid
