"""Frames: what goes in comes out, noise never raises and never becomes a frame, the line is in step again after the next delimiter."""

from __future__ import annotations

import binascii
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.controller.frame import MAX_BODY, MAX_PAYLOAD, Frame, FrameDecoder, FrameError, decode_frame, encode_frame

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


def crc(body: bytes) -> int:
    return binascii.crc_hqx(body, 0xFFFF)


def test_the_hamming_distance_of_the_check_is_four_up_to_the_longest_frame():
    bits = MAX_BODY * 8
    zero = crc(bytes(MAX_BODY))
    # what one flipped bit does to the check, the check's own bits among them; the check is linear, so flips add up
    syndromes = [crc((1 << bit).to_bytes(MAX_BODY, "big")) ^ zero for bit in range(bits - 16)] + [1 << bit for bit in range(16)]
    assert 0 not in syndromes  # no single bit passes
    assert len(set(syndromes)) == bits  # no two
    assert all(syndrome.bit_count() % 2 for syndrome in syndromes)  # no odd number of bits: x + 1 divides the polynomial
    assert syndromes[0] == 0x1021  # and four pass: a bit of the body, and the three of the check that the polynomial names
    body = bytearray(b"four flips")
    before = crc(body)
    body[-1] ^= 1
    assert crc(body) == before ^ 0x1021


def test_no_single_flip_on_the_line_is_taken_for_a_frame_at_any_length():
    # on the line a flip may also move the zeros that COBS took out, which is more than one bit of the body
    for length in range(0, MAX_PAYLOAD + 1, 7):
        encoded = encode_frame(length, bytes(index * 37 % 5 for index in range(length)))[:-1]
        for bit in range(len(encoded) * 8):
            flipped = bytearray(encoded)
            flipped[bit // 8] ^= 1 << bit % 8
            assert FrameDecoder().feed(bytes(flipped) + b"\x00") == []
