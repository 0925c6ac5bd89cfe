"""Whatever evils are mixed: the reading ends, soon, in a value or in one of the two errors that it may end in."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.emrtd.errors import ChipError
from hardware.emrtd.lds import FILES
from hardware.ports import TagLost
from hardware.sim.chip import SPOILABLE
from hardware.sim.chip_attacks import ATTACKS

MOST_COMMANDS = 2_000
"""DG2 at 65,536 bytes, sixteen of them a command, would take 4,096 in one session; the mixtures here drip 64."""
MOST_CALLS = 20_000

INSTRUCTIONS = st.sampled_from([0xA4, 0xB0, 0xB1, 0x84, 0x82, 0x22, 0x86, 0x88])
STATUSES = st.sampled_from(
    [0x9000, 0x6282, 0x6300, 0x63C0, 0x6700, 0x6982, 0x6985, 0x6988, 0x6A80, 0x6A82, 0x6A88, 0x6B00, 0x6C10, 0x6F00]
)
NAMES = st.sampled_from(sorted(FILES))
ATTRIBUTES: dict[str, st.SearchStrategy[Any]] = {
    "attack": st.sampled_from(sorted(ATTACKS)),
    "attacked_file": NAMES,
    "lost_after": st.integers(0, 5000),
    "lost_after_each": st.integers(0, 2000),
    "lost_at_command": st.integers(1, 60),
    "returns": st.booleans(),
    "mute": INSTRUCTIONS,
    "slow_s": st.floats(0, 100),
    "stingy": st.sampled_from([1, 2, 64, 255, 256, 300]),
    "endless": st.booleans(),
    "wrong_le": st.integers(0, 255),
    "takes": st.integers(1, 5000),
    "announced": st.dictionaries(NAMES, st.sampled_from([0, 1, 5, 127, 128, 4000, 20_000, 65_531, 65_532, 0xFFFFFF]), max_size=3),
    "file_statuses": st.dictionaries(NAMES, STATUSES, max_size=4),
    "extended_length": st.booleans(),
    "bac": st.booleans(),
    "wrong_mac": st.booleans(),
    "clone": st.booleans(),
    "statuses": st.dictionaries(INSTRUCTIONS, STATUSES, max_size=2),
    "plain_statuses": st.dictionaries(INSTRUCTIONS, STATUSES, max_size=2),
}


def test_all_that_a_director_may_set_is_mixed() -> None:
    assert set(ATTRIBUTES) == SPOILABLE | {"statuses", "plain_statuses"}


@settings(max_examples=60)
@given(st.data())
def test_any_mixture_of_evils_ends_soon_and_in_no_other_error(workshop, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["bac", "pace", "dh", "im", "cam"]))
    edits = data.draw(st.lists(st.sampled_from(sorted(workshop.edits)), max_size=2))
    chosen = data.draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), max_size=3, unique=True))
    chip = workshop.build(kind, edits, {name: data.draw(ATTRIBUTES[name], label=name) for name in chosen})
    line = workshop.counting(chip)
    try:
        result = line.read()
    except (ChipError, TagLost):
        pass
    else:
        assert not result.files.keys() & result.missing.keys()
    assert line.commands <= MOST_COMMANDS
    assert line.most_calls <= MOST_CALLS
