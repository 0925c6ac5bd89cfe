"""Readers' messages, whole, cut, spoilt and flooded: no zone comes out that was not sent, and the next whole message is read."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.mrz_frames import LONGEST, PIECE, Framer, Refused, ZoneText
from hardware.mrz_serial import PROFILES
from hardware.sim.mrz_readers import ElyctisReader, HoneywellReader, MrzDevice, RteReader, SwipeReader

TD3 = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
OTHER = ("P<UTOVAN<DER<MUELLEN<<MARTIN<<<<<<<<<<<<<<<<", "A123456784UTO6907251M3010108<<<<<<<<<<<<<<02")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
ZONES = {"TD3": TD3, "TD2": TD2, "TD1": TD1}


def armed(reader: MrzDevice, *commands: bytes) -> MrzDevice:
    for command in commands:
        reader.hear(command)
    return reader


DEVICES = {
    "rte": RteReader,
    "rte_unchecked": lambda: RteReader(block_check=False),
    "elyctis": lambda: armed(ElyctisReader(), b"C\x00\x01\x01"),
    "honeywell": lambda: armed(HoneywellReader(), b"\x16M\rocrena1!", b"\x16T\r"),
    "honeywell in one": lambda: armed(HoneywellReader(separator=""), b"\x16M\rocrena1!", b"\x16T\r"),
    "framed": lambda: SwipeReader(before="\x02", after="\x03"),
    "framed in one": lambda: SwipeReader(before="\x02", separator="", after="\x03"),
    "framed CR LF": lambda: SwipeReader(before="\x02", separator="\r\n", after="\r\n\x03"),
    "lines": SwipeReader,
    "lines CR LF": lambda: SwipeReader(separator="\r\n", after="\r\n"),
    "lines LF": lambda: SwipeReader(separator="\n", after="\n"),
    "lines in one": lambda: SwipeReader(separator=""),
}
ENDED_BY_SILENCE = {"honeywell", "honeywell in one"}
UNTIL_THE_NEXT = sorted(DEVICES.keys() - ENDED_BY_SILENCE)


def message(kind: str, lines=TD3) -> bytes:
    return DEVICES[kind]().swipe(lines)


def framer(kind: str) -> Framer:
    return Framer(PROFILES[kind.split(maxsplit=1)[0]].wire)


def heard(kind: str, *parts: bytes | None) -> list:
    """What comes out of ``parts``, None being silence, and of silence at the end."""
    listener, found = framer(kind), []
    for part in (*parts, None):
        found += listener.quiet() if part is None else listener.feed(part)
    assert not listener.pending
    return found


def zones(found: list) -> list[tuple[str, ...]]:
    return [one.lines for one in found if isinstance(one, ZoneText)]


def reasons(found: list) -> list[str]:
    return [one.reason for one in found if isinstance(one, Refused)]


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("kind", DEVICES)
def test_a_whole_message_is_read_in_any_pieces(kind, zone):
    sent = message(kind, zone)
    assert heard(kind, sent) == [ZoneText(lines=zone)]
    assert heard(kind, *(sent[at : at + 1] for at in range(len(sent)))) == [ZoneText(lines=zone)]


@pytest.mark.parametrize("kind", UNTIL_THE_NEXT)
def test_messages_follow_each_other_without_a_pause(kind):
    sent = [TD3, OTHER, TD2, TD1, OTHER, TD3] * 20
    assert zones(framer(kind).feed(b"".join(message(kind, zone) for zone in sent))) == sent


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("kind", DEVICES)
def test_a_message_cut_at_any_byte_gives_no_other_zone_and_after_silence_the_next_is_read(kind, zone):
    sent, following = message(kind, zone), message(kind, OTHER)
    for at in range(len(sent)):
        for part in (sent[:at], sent[at:]):
            read = zones(heard(kind, part, None, following))
            assert read in ([OTHER], [zone, OTHER]), at


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("kind", UNTIL_THE_NEXT)
def test_without_silence_one_message_more_is_lost_at_most(kind, zone):
    sent, following = message(kind, zone), message(kind, OTHER)
    for at in range(len(sent)):
        for part in (sent[:at], sent[at:]):
            read = zones(framer(kind).feed(part + following + following))
            assert read[-1:] == [OTHER], at
            assert set(read) <= {zone, OTHER}, at


@pytest.mark.parametrize("kind", DEVICES)
def test_a_byte_put_in_or_taken_out_anywhere_gives_no_other_zone(kind):
    sent, following = message(kind), message(kind, OTHER)
    for at in range(len(sent)):
        for noise in (b"\x00", b"\x01", b"\x02", b"\x03", b"\r", b"\n", b"A", b"7", b"<", b"?", b"I", b"\xff"):
            read = zones(heard(kind, sent[:at] + noise + sent[at:], None, following))
            assert read in ([OTHER], [TD3, OTHER]), (at, noise)
        assert zones(heard(kind, sent[:at] + sent[at + 1 :], None, following)) in ([OTHER], [TD3, OTHER]), at


@pytest.mark.parametrize("kind", DEVICES)
def test_a_byte_that_no_zone_has_is_never_taken_for_one_that_it_has(kind):
    sent = message(kind)
    foreign = b"\x00\x01\x02\x03\x06\t\n\r\x16\x1b!*/:;=>?@[`az{~\x7f\x80\xb0\xff"
    for at in range(len(sent)):
        for octet in foreign:
            assert set(zones(heard(kind, sent[:at] + bytes((octet,)) + sent[at + 1 :]))) <= {TD3}, (at, octet)


def test_a_block_check_finds_any_changed_byte():
    sent = message("rte")
    for at in range(len(sent)):
        for flipped in (1, 2, 4, 8, 16, 32, 64, 128, 3, 7, 15, 48, 255):
            spoilt = sent[:at] + bytes((sent[at] ^ flipped,)) + sent[at + 1 :]
            assert zones(heard("rte", spoilt)) == [], (at, flipped)


def test_a_wrong_block_check_is_told_and_costs_one_message():
    sent = message("rte")
    for check in set(range(256)) - {sent[-1]}:
        found = framer("rte").feed(sent[:-1] + bytes((check,)) + message("rte", OTHER))
        assert reasons(found)[0] == "check"
        assert zones(found) == [OTHER]


@pytest.mark.parametrize("kind", ["rte", "rte_unchecked", "elyctis"])
def test_a_wrong_length_costs_one_message_at_most(kind):
    sent, following = message(kind), message(kind, OTHER)
    place = sent.index(b"I\x00") + 2 if kind == "elyctis" else 1
    for length in set(range(256)) - {sent[place]}:
        read = zones(framer(kind).feed(sent[:place] + bytes((length,)) + sent[place + 1 :] + following * 2))
        assert read[-1] == OTHER
        # A length that leaves out the last separator alone says the same.
        assert TD3 not in read or (kind == "elyctis" and length == sent[place] - 1)


@pytest.mark.parametrize("mark", "?*~")
@pytest.mark.parametrize("kind", DEVICES)
def test_a_character_that_could_not_be_read_is_never_guessed(kind, mark):
    upper, lower = TD3
    found = heard(kind, message(kind, (upper, lower[:5] + mark + lower[6:])))
    assert zones(found) == []
    assert "unreadable" in reasons(found)


@pytest.mark.parametrize("kind", DEVICES)
def test_fillers_may_come_as_underscores_or_blanks(kind):
    for filler in "_ ":
        typed = tuple(line.replace("<", filler) for line in TD3)
        assert heard(kind, message(kind, typed)) == [ZoneText(lines=TD3)]


def test_a_read_that_failed_is_told():
    assert heard("rte", RteReader.misread()) == [Refused(reason="no_zone")]
    assert heard("elyctis", ElyctisReader().hear(b"I\x00\x00")) == [Refused(reason="no_zone")]


def test_lines_of_two_documents_or_the_wrong_way_round_are_no_zone():
    for lines in (TD3[::-1], TD2[::-1], TD1[::-1], (TD1[2], TD1[0], TD1[1]), (TD3[0], OTHER[0]), (TD3[1], OTHER[1])):
        for kind in DEVICES:
            assert zones(heard(kind, message(kind, lines))) == [], (lines, kind)


@pytest.mark.parametrize("kind", DEVICES)
def test_other_numbers_and_lengths_of_lines_are_no_zone(kind):
    for lines in ((TD3[0],), (*TD3, TD3[1]), (TD3[0], TD2[1]), (TD3[0][:43], TD3[1][:43]), (TD3[0] + "<", TD3[1] + "<"), TD1[:2]):
        # Of two good lines and a third one the third is rubbish; an RTE cuts over-long lines by itself.
        good = {TD3} if lines[:2] == TD3 or (len(lines[0]) == 45 and kind.startswith("rte")) else set()
        assert set(zones(heard(kind, message(kind, lines)))) <= good, lines


@pytest.mark.parametrize("kind", UNTIL_THE_NEXT)
def test_noise_between_messages_costs_one_at_most_and_brings_none(kind):
    dice = random.Random(5)
    for _ in range(200):
        noise = dice.randbytes(dice.randint(0, 300))
        following = message(kind, OTHER)
        assert zones(heard(kind, noise, None, following)) == [OTHER]
        assert zones(framer(kind).feed(noise + following * 2))[-1] == OTHER


FLOODS = {
    "at random": random.Random(1).randbytes(20_000),
    "SOH": b"\x01" * 20_000,
    "RTE heads": b"\x01\x7f\x00OU\x02" * 3_000,
    "TLV heads": b"I\x00\x5a" * 6_000,
    "STX": b"\x02" * 20_000,
    "letters": b"A" * 20_000,
    "line ends": b"\r" * 20_000,
    "a line, then line ends": b"A" * 44 + b"\r" * 20_000,
    "a line, then letters": b"A" * 44 + b"\r" + b"B" * 20_000,
    "lines of letters": (b"A" * 44 + b"\r") * 400,
    "lines of figures": (b"7" * 44 + b"\r") * 400,
    "NUL": bytes(20_000),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("wire", sorted({kind.split()[0] for kind in DEVICES}))
def test_a_flood_fills_no_memory_and_makes_no_zone(wire, flood):
    listener = framer(wire)
    for at in range(0, len(flood), 1000):
        assert zones(listener.feed(flood[at : at + 1000])) == []
        assert len(listener._buffer) <= 512 - PIECE
    assert zones(listener.quiet()) == []
    assert not listener.pending
    assert zones(heard(wire, flood[:2000], None, message(wire))) == [TD3]


SCRAPS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([message(kind, zone) for kind in DEVICES for zone in (TD3, TD1)]).flatmap(
        lambda sent: st.tuples(st.integers(0, len(sent)), st.integers(0, len(sent))).map(lambda cut: sent[min(cut) : max(cut)])
    ),
    st.sampled_from([b"\x01", b"\x02", b"\x03", b"\r", b"\n", b"I\x00", b"\x01\x62\x00OU\x02", bytes(LONGEST)]),
)


@given(st.lists(SCRAPS, max_size=8).map(b"".join), st.sampled_from(sorted({kind.split()[0] for kind in DEVICES})), st.data())
def test_any_bytes_are_nothing_a_zone_or_a_refusal_however_they_come(raw, wire, data):
    at = data.draw(st.integers(0, len(raw)))
    whole, pieces, singly = (framer(wire) for _ in range(3))
    found = whole.feed(raw)
    assert all(isinstance(one, ZoneText | Refused) for one in found)
    for lines in zones(found):
        assert (len(lines), len(lines[0])) in {(2, 44), (2, 36), (3, 30)}
        assert len({*map(len, lines)}) == 1
    assert zones(pieces.feed(raw[:at]) + pieces.feed(raw[at:])) == zones(found)
    assert zones([one for octet in raw for one in singly.feed(bytes((octet,)))]) == zones(found)
    whole.quiet()
    assert not whole.pending
