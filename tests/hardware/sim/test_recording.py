"""Recordings of virtual chips replay byte for byte, and tell the first command that differs."""

from __future__ import annotations

import contextlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.lds import build_com, build_dg1
from hardware.emrtd.reader import AccessKey, ChipData, read_chip
from hardware.emrtd.security_infos import encode_oid
from hardware.emrtd.transcript import Transcript
from hardware.ports import TagLost
from hardware.sim.chip import VirtualPassport
from hardware.sim.recording import Recorder, ReplayedChip, ReplayError

MRZ_INFORMATION = "L898902C3674081221204159"
FILES = {
    "EF.CardAccess": tlv.encode(0x31, tlv.encode(0x30, tlv.encode(6, encode_oid("0.4.0.127.0.7.2.2.4.2.2")) + b"\2\1\2\2\1\x0c")),
    "EF.COM": build_com(["DG1"]),
    "EF.SOD": tlv.encode(0x77, bytes(500)),
    "DG1": build_dg1(("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")),
}


class StillClock:
    def boot(self) -> float:
        return 0.0


def read(chip: object, seed: int = 1) -> ChipData:
    return read_chip(chip, AccessKey(MRZ_INFORMATION), clock=StillClock(), random=random.Random(seed).randbytes)  # type: ignore[arg-type]


def recorded(**spoilt: object) -> tuple[ChipData, list[str]]:
    chip, out = VirtualPassport(FILES, MRZ_INFORMATION), io.StringIO()
    for name, value in spoilt.items():
        setattr(chip, name, value)
    return read(Recorder(chip, out)), out.getvalue().splitlines()


def test_a_recording_replays_the_same_reading() -> None:
    data, lines = recorded()
    replayed = ReplayedChip(lines)
    assert read(replayed) == data
    assert replayed.finished


def test_a_lost_tag_is_part_of_the_recording() -> None:
    data, lines = recorded(lost_at_command=12, returns=True)
    assert data.access.sessions == 2
    replayed = ReplayedChip(lines)
    assert read(replayed) == data
    assert replayed.finished


def test_a_reader_with_other_random_bytes_differs_and_is_told_where() -> None:
    with pytest.raises(ReplayError, match=r"event \d+: recorded 1086"):
        read(ReplayedChip(recorded()[1]), seed=2)


def test_a_reader_that_goes_on_or_does_something_else_is_told() -> None:
    _, lines = recorded()
    with pytest.raises(ReplayError, match="recorded the end"):
        read(ReplayedChip(lines[:-1]))
    with pytest.raises(ReplayError, match="recorded a reconnect"):
        ReplayedChip(['{"reconnect": true}']).transceive(b"\0")


def test_contents_are_recorded_of_virtual_chips_alone() -> None:
    chip = VirtualPassport(FILES, MRZ_INFORMATION)
    for other in (Transcript(chip, StillClock()), object()):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="virtual"):
            Recorder(other, io.StringIO())  # type: ignore[arg-type]


@given(
    st.lists(
        st.one_of(st.text(), st.sampled_from(['{"command": "00"}', '{"command": "00", "response": 3}', "[]", '{"command": 1}']))
    )
)
def test_any_lines_end_in_a_replay_error(lines: list[str]) -> None:
    with contextlib.suppress(ReplayError, TagLost):
        assert isinstance(ReplayedChip(lines).transceive(b"\0"), bytes)
