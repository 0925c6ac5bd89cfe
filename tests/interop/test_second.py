"""The second implementation passes the worked examples by itself, before anything is compared with it."""

from __future__ import annotations

import hashlib

import pytest
from doc9303_11 import (
    BAC_D4,
    PACE_CAM_ECDH_I1,
    PACE_GM_DH_G2,
    PACE_GM_ECDH_G1,
    PACE_IM_DH_H2,
    PACE_IM_ECDH_H1,
    Example,
    exchanges,
    octets,
)
from second import pace
from second.bac import BacChip, BacReader
from second.dialogue import CAN, MRZ, PaceChip, PaceReader
from second.dice import Dice, Loaded
from second.groups import Refused
from second.messaging import Channel
from second.parameters import CURVES, MODULAR_GROUPS
from second.suite import SUITES

H = bytes.fromhex


def key(example: Example, name: str) -> int:
    return int(example[name], 16)


def mrz_secret(example: Example) -> bytes:
    """SHA-1 over number, dates and their check digits."""
    text = ""
    for name in ("document_number", "date_of_birth", "date_of_expiry"):
        field = example["mrz"][name]
        values = (int(each, 36) if each != "<" else 0 for each in field)
        text += field + str(sum(value * (7, 3, 1)[i % 3] for i, value in enumerate(values)) % 10)
    return hashlib.sha1(text.encode()).digest()


def test_every_base_point_has_the_order_that_is_said() -> None:
    for curve in CURVES.values():
        assert curve.has(curve.generator)
        assert curve.times(curve.order, curve.generator) is None
    for group in MODULAR_GROUPS.values():
        assert pow(group.g, group.q, group.p) == 1


def test_bac_of_appendix_d_from_both_sides() -> None:
    told = {name: octets(BAC_D4, name) for name in ("rnd_ic", "rnd_ifd", "k_ifd", "k_ic")}
    reader = BacReader(BAC_D4["mrz_information"], Loaded(octets=(told["rnd_ifd"], told["k_ifd"])))
    chip = BacChip(BAC_D4["mrz_information"], Loaded(octets=(told["rnd_ic"], told["k_ic"])))
    request = reader.request(chip.nonce)
    assert request == octets(BAC_D4, "e_ifd") + octets(BAC_D4, "m_ifd")
    answer, of_chip = chip.answer(request)
    assert answer + H("9000") == octets(BAC_D4, "rapdu_external_authenticate")
    of_reader = reader.finish(answer)
    for side in (of_chip, of_reader):
        assert (side.k_enc, side.k_mac, side.counter) == (octets(BAC_D4, "ks_enc"), octets(BAC_D4, "ks_mac"), key(BAC_D4, "ssc"))
    for step in BAC_D4["sm"]:
        plain, protected, response, inner = (H(step[name]) for name in ("capdu", "protected_capdu", "protected_rapdu", "rapdu"))
        assert (of_reader.wrap(plain), of_chip.open(protected)) == (protected, plain)
        assert (of_chip.seal(inner), of_reader.unwrap(response)) == (response, inner)


def test_pace_generic_mapping_of_appendix_g1_from_the_terminal() -> None:
    example = PACE_GM_ECDH_G1
    dice = Loaded(scalars=(key(example, "pcd_map_private"), key(example, "pcd_private")))
    side = pace.Side(pace.Protocol.of(pace.ECDH_GM, 2, 13), mrz_secret(example), dice)
    channel = play(side, example, name_parameters=True)
    assert side.k_pi == octets(example, "k_pi")
    assert side.group.encode(side.generator) == octets(example, "mapped_g")
    assert (channel.k_enc, channel.k_mac) == (octets(example, "k_enc"), octets(example, "k_mac"))
    assert pace.Protocol.of(pace.ECDH_GM, 2, 13).card_access() == H("3114") + octets(example, "pace_info")


def test_pace_generic_mapping_of_appendix_g2() -> None:
    example = PACE_GM_DH_G2
    side = pace.Side(pace.Protocol.of(pace.DH_GM, 2, 0), b"", Loaded(scalars=(key(example, "pcd_private"),)))
    side.generator = side.group.generic(key(example, "nonce"), key(example, "shared_h"))
    assert side.group.encode(side.generator) == octets(example, "mapped_g")
    assert side.make_key() == octets(example, "pcd_public")
    side.agree(octets(example, "ic_public"))
    assert side.secret == octets(example, "shared_secret_k")
    assert (side.k_enc, side.k_mac) == (octets(example, "k_enc"), octets(example, "k_mac"))
    assert side.token() == octets(example, "token_pcd")
    assert side.expected_token() == octets(example, "token_ic")


@pytest.mark.parametrize(
    ("example", "kind", "parameter_id"), [(PACE_IM_ECDH_H1, pace.ECDH_IM, 13), (PACE_IM_DH_H2, pace.DH_IM, 0)], ids=["H.1", "H.2"]
)
def test_integrated_mapping_of_appendix_h(example: Example, kind: int, parameter_id: int) -> None:
    side = pace.Side(pace.Protocol.of(kind, 2, parameter_id), b"", Dice(bytes))
    s, t = octets(example, "nonce_s"), octets(example, "nonce_t")
    assert pace.pseudo_random(side.suite, s, t, side.group.p) == (octets(example, "r"), key(example, "rp"))
    side.s, side.t = s, b""
    side.map(t)
    assert side.group.encode(side.generator) == octets(example, "mapped_g")


def test_pace_chip_authentication_mapping_of_appendix_i1_from_the_terminal() -> None:
    example = PACE_CAM_ECDH_I1
    dice = Loaded(scalars=(key(example, "pcd_map_private"), key(example, "pcd_private")))
    side = pace.Side(pace.Protocol.of(pace.ECDH_CAM, 2, 13), mrz_secret(example), dice)
    channel = play(side, example, name_parameters=False)
    assert (channel.k_enc, channel.k_mac) == (octets(example, "k_enc"), octets(example, "k_mac"))
    assert side.cam_start() == octets(example, "iv")
    assert side.chip_authentication_data == octets(example, "chip_authentication_data")
    assert side.cam_key_fits(octets(example, "ic_static_public"))


def play(side: pace.Side, example: Example, *, name_parameters: bool) -> Channel:
    """Run the terminal against the chip of the example: each command must be the one that stands there."""
    script = iter(exchanges(example))

    def exchange(command: bytes) -> bytes:
        expected, response = next(script)
        assert command == expected
        return response

    return PaceReader(side).run(exchange, password=MRZ, name_parameters=name_parameters)


@pytest.mark.parametrize("kind", [pace.ECDH_GM, pace.ECDH_IM, pace.ECDH_CAM])
def test_another_password_ends_at_the_token(kind: int) -> None:
    protocol = pace.Protocol.of(kind, 2, 12)
    chip = PaceChip(pace.Side(protocol, b"123456", Dice(bytes_of(1)), static=7), password=CAN)
    with pytest.raises(Refused, match="6300"):
        PaceReader(pace.Side(protocol, b"123457", Dice(bytes_of(2)))).run(chip.answer, password=CAN)


def bytes_of(start: int):
    """A reproducible source."""
    counter = iter(range(start << 32, (start + 1) << 32))
    return lambda size: (b"".join(hashlib.sha256(next(counter).to_bytes(8, "big")).digest() for _ in range(size // 32 + 1)))[
        :size
    ]


def test_longer_keys_take_longer_nonces() -> None:
    for suite in SUITES.values():
        assert suite.nonce_length % suite.block == 0
        assert suite.key_length <= suite.nonce_length < suite.key_length + suite.block
