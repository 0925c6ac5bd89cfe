"""A reading that takes too long: it ends, by a name of its own, wherever its time runs out, and is taken for nothing else."""

from __future__ import annotations

import pytest

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError
from hardware.emrtd.reader import BAC_WHERE_PACE_FAILED, RECONNECT_S, AccessKey, read_chip
from hardware.emrtd.security_infos import encode_oid
from hardware.ports import TagLost

PACE_GM_AES_128 = tlv.encode(0x31, tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.4.2.2")) + b"\2\1\2\2\1\x0c"))
DRIP_S = 0.3
"""Of each answer, as long as a chip may think that asks for more time."""


class Clock:
    """Goes on only where somebody lets time pass."""

    now = 100.0

    def boot(self) -> float:
        return self.now


class Slow:
    """Takes ``DRIP_S`` for each command; may lose the tag at one of them, counted from 1."""

    def __init__(self, chip, clock: Clock, cut: int = 0) -> None:
        self.chip, self.clock, self.cut, self.sent, self.waits = chip, clock, cut, [], []

    def transceive(self, command: bytes) -> bytes:
        self.sent.append(command)
        self.clock.now += DRIP_S
        if len(self.sent) == self.cut:
            raise TagLost("test", "cut")
        return self.chip.transceive(command)

    def reconnect(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.clock.now += timeout
        return self.chip.reconnect(timeout)


def offering(kit, *, pace: bool):
    return kit.passport(files=kit.files() | ({"EF.CardAccess": PACE_GM_AES_128} if pace else {}))


def read(kit, chip, clock: Clock, seconds: float | None, **options: object):
    deadline = None if seconds is None else clock.boot() + seconds
    return read_chip(chip, AccessKey(kit.mrz_information), clock=clock, deadline_boot=deadline, **options)


def test_a_chip_that_drips_is_given_up(kit) -> None:
    clock, chip, seen = Clock(), kit.passport(), []
    chip.stingy = 16
    slow = Slow(chip, clock)
    with pytest.raises(ChipError) as caught:
        read(kit, slow, clock, 14.9, on_file=lambda _, content: seen.append(content))
    assert caught.value.code == "TOO_SLOW"
    assert len(slow.sent) == 50
    assert seen == []
    whole = Slow(kit.passport(), Clock())
    whole.chip.stingy = 16
    assert set(read(kit, whole, whole.clock, None).files) == set(kit.files())
    assert len(whole.sent) > 250


@pytest.mark.parametrize("pace", [True, False], ids=["pace", "bac"])
def test_wherever_time_runs_out_it_is_neither_a_missing_file_nor_a_failed_proof_nor_another_way_in(kit, pace: bool) -> None:
    whole = Slow(offering(kit, pace=pace), Clock())
    read(kit, whole, whole.clock, None)
    for count in range(len(whole.sent)):
        slow, seen = Slow(offering(kit, pace=pace), Clock()), []
        with pytest.raises(ChipError) as caught:
            read(
                kit,
                slow,
                slow.clock,
                count * DRIP_S - 0.1,
                tolerances=frozenset({BAC_WHERE_PACE_FAILED}),
                on_file=lambda name, content, seen=seen: name == "EF.CardAccess" or seen.append(content),
            )
        assert caught.value.code == "TOO_SLOW"
        assert len(slow.sent) == count
        assert not any(any(content) for content in seen)
    enough = Slow(offering(kit, pace=pace), Clock())
    data = read(kit, enough, enough.clock, len(whole.sent) * DRIP_S)
    assert data.chip_authentication.succeeded
    assert data.active_authentication.response


def test_the_wait_for_a_lost_chip_is_no_longer_than_what_is_left(kit) -> None:
    clock = Clock()
    slow = Slow(kit.passport(), clock, cut=12)
    with pytest.raises(ChipError, match="TOO_SLOW"):
        read(kit, slow, clock, 12 * DRIP_S + 0.5)
    assert slow.waits == [pytest.approx(0.5)]
    assert len(slow.sent) == 12
    slow = Slow(kit.passport(), clock, cut=12)
    assert read(kit, slow, clock, 60.0).access.sessions == 2
    assert slow.waits == [RECONNECT_S]
