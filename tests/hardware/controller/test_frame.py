"""Frames: what goes in comes out, noise never raises and never becomes a frame, the line is in step again after the next delimiter."""

from __future__ import annotations

import binascii
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.controller.frame import MAX_PAYLOAD, Frame, FrameDecoder, FrameError, decode_frame, encode_frame

sequences = st.integers(0, 0xFFFF)
payloads = st.binary(max_size=MAX_PAYLOAD)


@given(sequences, payloads)
def test_a_frame_comes_out_as_it_went_in_and_holds_no_zero_but_its_end(sequence, payload):
    encoded = encode_frame(sequence, payload)
    assert encoded.index(0) == len(encoded) - 1
    assert FrameDecoder().feed(encoded) == [Frame(sequence=sequence, payload=payload)]


def test_the_crc_is_the_one_of_the_catalogue():
    # CRC-16/IBM-3740 ("CCITT-FALSE") of "123456789" is 0x29B1 (reveng catalogue of parametrised CRC algorithms)
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    body = decode_frame(encode_frame(0x3231, b"3456789")[:-1])
    assert (body.sequence, body.payload) == (0x3231, b"3456789")
    assert b"\xb1\x29" in encode_frame(0x3231, b"3456789")


@given(st.binary(max_size=600))
def test_any_bytes_are_a_frame_or_a_frame_error(data):
    try:
        frame = decode_frame(data)
    except FrameError:
        return
    assert decode_frame(encode_frame(frame.sequence, frame.payload)[:-1]) == frame


@given(st.lists(st.binary(max_size=400), max_size=8), payloads)
def test_after_noise_and_a_delimiter_the_next_frame_is_found(noise, payload):
    decoder = FrameDecoder()
    for chunk in noise:
        decoder.feed(chunk)
    decoder.feed(b"\x00")
    assert decoder.feed(encode_frame(7, payload)) == [Frame(sequence=7, payload=payload)]


@given(payloads, st.lists(st.integers(0, 400), max_size=4))
def test_how_the_bytes_are_cut_does_not_matter(payload, cuts):
    stream = encode_frame(1, payload) + encode_frame(2, payload[::-1])
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    decoder = FrameDecoder()
    frames = [frame for start, end in itertools.pairwise(places) for frame in decoder.feed(stream[start:end])]
    assert frames == [Frame(sequence=1, payload=payload), Frame(sequence=2, payload=payload[::-1])]


def test_no_flip_of_one_or_two_bits_is_taken_for_a_frame():
    encoded = encode_frame(513, bytes(range(24)))[:-1]
    bits = len(encoded) * 8
    number = int.from_bytes(encoded, "big")
    for first in range(bits):
        for second in range(first, bits):  # first == second: one bit
            flipped = (number ^ (1 << first) ^ ((1 << second) if second != first else 0)).to_bytes(len(encoded), "big")
            assert FrameDecoder().feed(flipped + b"\x00") == []


def test_a_line_that_never_ends_a_frame_is_counted_and_costs_no_memory():
    decoder = FrameDecoder()
    for _ in range(1000):
        assert decoder.feed(b"\x55" * 1000) == []
    assert len(decoder._pending) == 0
    assert decoder.feed(b"\x00" + encode_frame(3, b"x")) == [Frame(sequence=3, payload=b"x")]
    assert decoder.damaged == 1


def test_a_payload_that_is_too_long_is_refused_by_the_sender():
    with pytest.raises(FrameError):
        encode_frame(0, bytes(MAX_PAYLOAD + 1))
