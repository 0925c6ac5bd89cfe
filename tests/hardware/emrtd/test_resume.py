"""A tag that is lost, wherever that happens: the same chip goes on at the byte it had reached, and no other chip takes its place."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hardware.emrtd.apdu import CommandApdu
from hardware.emrtd.errors import ChipChangedError, ChipError
from hardware.emrtd.lds import build_dg2
from hardware.emrtd.reader import MAX_LOSSES, RECONNECT_S
from hardware.ports import TagLost

PROOFS = {0x22, 0x86, 0x88}


@dataclass
class Trembling:
    """A hand that takes the document ``chip`` away at certain exchanges (counted from 0) and puts ``back`` down instead.

    With ``heard`` the chip gets the command and its answer is lost; without, the command is. No byte of either tells the two apart from
    any other cut within the same message, so these are all the cuts that there are.
    """

    chip: object
    cuts: set[int] = field(default_factory=set)
    heard: bool = True
    back: object = None
    comes: bool = True
    sent: list[bytes] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def transceive(self, command: bytes) -> bytes:
        number = len(self.sent)
        self.sent.append(command)
        if number in self.cuts and not self.heard:
            raise TagLost("test", "cut before")
        response = self.chip.transceive(command)
        if number in self.cuts:
            raise TagLost("test", "cut after")
        return response

    def reconnect(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.chip = self.back or self.chip
        return self.comes and self.chip.reconnect(timeout)


def uncut(kit, **changes: object) -> list[bytes]:
    """All commands of a reading without a loss."""
    hand = Trembling(kit.passport(**changes))
    kit.read(hand)
    return hand.sent


def entering(commands: list[bytes]) -> int:
    """How many commands it takes to stand in the application: all up to the first protected one."""
    return next(number for number, command in enumerate(commands) if command[0] & 0x0C == 0x0C)


def proven(data) -> bool:
    return data.chip_authentication.succeeded and bool(data.active_authentication.response)


@pytest.mark.parametrize("heard", [True, False], ids=["answer lost", "command lost"])
@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_a_loss_at_any_place_costs_one_access_control_and_one_part(kit, heard: bool, extended: bool) -> None:
    files = kit.files(1500 if not extended else 9000)
    whole = uncut(kit, files=files, extended_length=extended)
    first_proof = next(number for number, command in enumerate(whole) if command[1] in PROOFS)
    for cut in range(len(whole)):
        hand = Trembling(kit.passport(files=files, extended_length=extended), {cut}, heard)
        data = kit.read(hand)
        assert dict(data.files) == files
        assert proven(data)
        assert data.access.sessions == 1 + (cut >= entering(whole))
        repeated = len(whole) - first_proof if cut >= first_proof else 2  # the header again, and the part that was lost
        assert len(hand.sent) - len(whole) <= entering(whole) + repeated
        assert hand.waits == [RECONNECT_S]


def test_a_loss_in_the_proofs_repeats_both_in_the_new_session(kit) -> None:
    whole = uncut(kit)
    last = len(whole) - 1
    assert whole[last][1] == 0x88
    hand = Trembling(kit.passport(), {last})
    data = kit.read(hand)
    after = [command[1] for command in hand.sent[last + 1 :]]
    assert after.count(0x86) == 1
    assert after.index(0x86) < after.index(0x88)
    assert proven(data)


def test_a_part_beyond_32767_bytes_is_taken_up_again(kit) -> None:
    files = kit.files(50_000)
    whole = uncut(kit, files=files)
    odd = [number for number, command in enumerate(whole) if command[1] == 0xB1]
    for cut in (odd[0], odd[-1]):
        hand = Trembling(kit.passport(files=files), {cut})
        assert dict(kit.read(hand).files) == files
        assert sum(command[1] == 0xB1 for command in hand.sent) == len(odd) + 1


def test_as_many_losses_as_a_trembling_hand_makes(kit) -> None:
    whole = uncut(kit)
    start = entering(whole)
    cuts = {start + 2 + count * (start + 2) for count in range(MAX_LOSSES)}
    hand = Trembling(kit.passport(), cuts)
    data = kit.read(hand)
    assert dict(data.files) == kit.files()
    assert data.access.sessions == 1 + MAX_LOSSES
    assert [step.name for step in data.steps].count("resume") == MAX_LOSSES
    hand = Trembling(kit.passport(), set(range(start + 2, 500)))
    with pytest.raises(TagLost):
        kit.read(hand)
    assert len(hand.waits) == MAX_LOSSES


def test_a_document_that_was_taken_away_is_tag_lost(kit) -> None:
    hand = Trembling(kit.passport(), {9}, comes=False)
    with pytest.raises(TagLost, match="cut after"):
        kit.read(hand)
    assert hand.waits == [RECONNECT_S]


def test_what_was_read_until_a_final_loss_is_wiped(kit) -> None:
    seen: list[bytearray] = []
    cut = len(uncut(kit)) - 1
    with pytest.raises(TagLost):
        kit.read(Trembling(kit.passport(), {cut}, comes=False), on_file=lambda _, content: seen.append(content))
    assert len(seen) == len(kit.files())
    assert not any(any(content) for content in seen)


def test_steps_tell_of_the_loss(kit) -> None:
    names = [step.name for step in kit.read(Trembling(kit.passport(), {12})).steps]
    at = names.index("resume")
    assert names[at : at + 3] == ["resume", "card_access", "bac"]


# --- another chip ---


def cut_in_portrait(kit, **changes: object) -> int:
    """An exchange within DG2."""
    whole = uncut(kit, **changes)
    start = next(number for number, command in enumerate(whole) if command[:3] == b"\x0c\xb0\x82")
    return start + 2


def other_portrait(length: int) -> bytes:
    return build_dg2(b"\xff\xd8\xff" + bytes(i * 11 % 253 for i in range(length)), "jpeg")


def test_another_file_under_the_same_name_is_another_chip(kit) -> None:
    other = kit.passport(files=kit.files() | {"DG2": other_portrait(2000)}, extended_length=False)
    hand = Trembling(kit.passport(extended_length=False), {cut_in_portrait(kit, extended_length=False)}, back=other)
    with pytest.raises(ChipChangedError) as caught:
        kit.read(hand)
    assert (caught.value.code, caught.value.file) == ("CHIP_CHANGED", "DG2")


def test_a_chip_that_lacks_the_file_is_another_chip(kit) -> None:
    files = kit.files()
    del files["DG2"]
    hand = Trembling(
        kit.passport(extended_length=False),
        {cut_in_portrait(kit, extended_length=False)},
        back=kit.passport(files=files, extended_length=False),
    )
    with pytest.raises(ChipChangedError):
        kit.read(hand)


def test_a_swapped_portrait_of_the_same_length_is_neither_file_so_that_its_hash_is_wrong(kit) -> None:
    files = kit.files()
    swapped = files | {"DG2": other_portrait(3000)}
    assert len(swapped["DG2"]) == len(files["DG2"])
    hand = Trembling(
        kit.passport(extended_length=False),
        {cut_in_portrait(kit, extended_length=False)},
        back=kit.passport(files=swapped, extended_length=False),
    )
    assert bytes(kit.read(hand).files["DG2"]) not in {files["DG2"], swapped["DG2"]}


def test_a_clone_that_answers_after_the_loss_proves_nothing(kit) -> None:
    """All files are the true ones: only that the proofs run in the last session shows the swap."""
    whole = uncut(kit)
    for cut in range(entering(whole), len(whole)):
        clone = kit.passport(chip_key=None, active_key=None)
        data = kit.read(Trembling(kit.passport(), {cut}, back=clone))
        assert dict(data.files) == kit.files()
        assert not data.chip_authentication.succeeded
        assert not data.active_authentication.response


def test_a_chip_of_another_traveller_does_not_open(kit) -> None:
    other = kit.passport(mrz_information="D231458907UTO7408122F1204159"[:24])
    with pytest.raises(ChipError, match="ACCESS_DENIED"):
        kit.read(Trembling(kit.passport(), {12}, back=other))


def test_a_chip_that_suddenly_offers_pace_is_another_chip(kit) -> None:
    class Offers(Trembling):
        def transceive(self, command: bytes) -> bytes:
            if self.waits and CommandApdu.decode(command).p1 == 0x9C:
                return bytes.fromhex("31143012060A04007F0007020204020202010202010D9000")
            return super().transceive(command)

    with pytest.raises(ChipChangedError) as caught:
        kit.read(Offers(kit.passport(), {12}))
    assert (caught.value.code, caught.value.file) == ("CHIP_CHANGED", "EF.CardAccess")
