"""Messages as bytes: every type there and back, any bytes are one message or a MessageError, the dictionary notices every change."""

from __future__ import annotations

import dataclasses
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.controller import messages
from hardware.controller.frame import MAX_PAYLOAD
from hardware.controller.messages import _LAYOUTS, MessageError, decode, dictionary_hash, encode
from hardware.controller.protocol import (
    CommandResult,
    Door,
    GateCommand,
    GateEvent,
    Leaf,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    Renew,
    SetSignal,
    Signal,
    Telemetry,
)
from hardware.controller.session import MAC_BYTES

_RANGES = {"Q": st.integers(0, 2**64 - 1), "I": st.integers(0, 2**32 - 1), "H": st.integers(0, 0xFFFF), "B": st.integers(0, 254)}


def _values(kind: type, form: str) -> st.SearchStrategy:
    """Any legal instance of ``kind``; ``form`` is its layout."""
    sizes = form.replace("16s", "n").replace("8s", "d")
    fields = {}
    for index, (name, hint) in enumerate(get_type_hints(kind).items()):
        if index >= len(sizes):
            fields[name] = st.text(max_size=40) if hint is str else st.binary(max_size=100)
        elif hint is bytes:
            size = {"n": 16, "d": 8}[sizes[index]]
            fields[name] = st.binary(min_size=size, max_size=size)
        elif hint is bool:
            fields[name] = st.booleans()
        elif hint is int:
            fields[name] = _RANGES[sizes[index]]
        elif hint == int | None:
            fields[name] = st.none() | _RANGES["B"]
        else:
            fields[name] = st.sampled_from(list(hint))
    return st.builds(kind, **fields)


any_message = st.one_of([_values(kind, form) for _, kind, form in _LAYOUTS])


@given(any_message)
def test_every_message_comes_back_equal(message):
    assert decode(encode(message)) == message


@given(any_message)
def test_every_message_fits_a_sealed_frame(message):
    assert len(encode(message)) + MAC_BYTES <= MAX_PAYLOAD


@given(
    st.binary(max_size=80)
    | st.builds(lambda code, rest: bytes([code]) + rest, st.sampled_from([c for c, _, _ in _LAYOUTS]), st.binary(max_size=50))
)
def test_any_bytes_are_exactly_one_message_or_a_message_error(data):
    try:
        message = decode(data)
    except MessageError:
        return
    assert encode(message) == data  # one reading, one writing


def test_the_table_holds_every_type_of_the_protocol():
    in_table = {kind for _, kind, _ in _LAYOUTS}
    assert {*get_args(GateCommand), *get_args(GateEvent), Renew} <= in_table
    assert in_table == set(get_args(messages.Message))


@pytest.mark.parametrize(
    "message",
    [
        OpenExit(command_id=2**64, lease_ms=1),
        OpenExit(command_id=-1),
        Renew(lease_ms=70_000),
        CommandResult(command_id=1 << 70, outcome=Outcome.EXECUTED),
    ],
)
def test_a_value_that_does_not_fit_is_never_cut(message):
    with pytest.raises(MessageError):
        encode(message)


SEEN = Telemetry(
    uptime_ms=1,
    entry=Leaf.LOCKED,
    exit=Leaf.OPEN,
    occupancy=1,
    object_left=False,
    entry_clear=True,
    exit_clear=True,
    emergency=False,
    mains=True,
    leased=False,
)


def test_an_uncertain_occupancy_is_not_a_number():
    unsure = dataclasses.replace(SEEN, occupancy=None)
    assert decode(encode(unsure)) == unsure


@pytest.mark.parametrize(
    "message", [SEEN, OpenEntry(command_id=7, purpose=Purpose.EJECT), Passage(door=Door.EXIT, inwards=False)]
)
def test_any_other_byte_anywhere_is_another_message_or_none(message):
    data = encode(message)
    for place in range(len(data)):
        for byte in range(256):
            changed = data[:place] + bytes([byte]) + data[place + 1 :]
            try:
                assert encode(decode(changed)) == changed
            except MessageError:
                assert changed != data


def test_any_changed_layout_changes_the_dictionary(monkeypatch):
    before = dictionary_hash()
    seen = {before}
    for changed in (
        _LAYOUTS[:-1],  # a type less
        ((0x09, *_LAYOUTS[0][1:]), *_LAYOUTS[1:]),  # another type byte
        (*_LAYOUTS[:5], (0x12, _LAYOUTS[5][1], "QH"), *_LAYOUTS[6:]),  # another width
    ):
        monkeypatch.setattr(messages, "_LAYOUTS", changed)
        dictionary_hash.cache_clear()
        seen.add(dictionary_hash())
    monkeypatch.undo()
    dictionary_hash.cache_clear()
    assert len(seen) == 4
    assert dictionary_hash() == before


def test_the_layout_on_the_line_is_the_documented_one():
    # the layout itself, typed in: type 0x13, command id little-endian, green arrow
    assert encode(SetSignal(command_id=0x0102030405060708, signal=Signal.GREEN_ARROW)) == bytes.fromhex("13 0807060504030201 01")
