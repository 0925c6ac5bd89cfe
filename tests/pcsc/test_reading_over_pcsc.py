"""A passport in a virtual reader, through pcscd and pyscard: every way of access, every proof, and what happens when it is lifted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from gate.clock import SystemClock
from hardware.document_scanner import ScannerWithPcsc
from hardware.emrtd.pcsc import PcscTransceiver
from hardware.emrtd.reader import AccessKey, read_chip
from hardware.ports import DeviceError, ScannedDocument, TagLost
from hardware.sim.vpcd import atr, run_atr

pytestmark = pytest.mark.pcsc

SELECT, READ_DG1 = bytes.fromhex("00A4040C07A0000002471001"), bytes.fromhex("00B0810004")


@pytest.mark.parametrize(
    "book",
    [
        {},
        {"chip": "2.1", "active": "rsa"},
        {"pace": "2.1", "parameter_id": 12},
        {"pace": "2.2", "parameter_id": 13, "version": 2, "chip": "2.2"},
        {"pace": "2.4", "parameter_id": 16, "extended_length": False},
        {"pace": "4.2", "parameter_id": 12, "chip": "2.3"},
        {"pace": "6.4", "parameter_id": 13, "bac": False},
        {"pace": "1.2", "parameter_id": 1, "chip": "1.2", "chip_parameters": 1},
        {"pace": "3.4", "parameter_id": 2, "chip": "1.1", "chip_parameters": 0},
    ],
    ids=lambda book: "-".join(map(str, book.values())) or "bac",
)
def test_a_whole_passport_comes_byte_equal_by_every_way_of_access(kit, field, reader, book):
    field.chip = kit.passport(**book)
    data = read_chip(reader, AccessKey(kit.mrz_information), clock=SystemClock())
    served = {name: content for name, content in field.chip.files.items() if name != "EF.CardSecurity"}
    assert {name: bytes(content) for name, content in data.files.items()} == served
    assert data.access.protocol == ("pace" if "pace" in book else "bac")
    assert data.access.oid.endswith(book.get("pace", ""))
    assert data.chip_authentication.succeeded
    assert data.chip_authentication.oid.endswith(book.get("chip", "2.4"))
    assert len(data.active_authentication.response) == (256 if book.get("active") == "rsa" else 64)


def test_what_another_program_left_half_done_does_not_last(kit, field, reader):
    """It left the application selected and the chip under power."""
    field.chip = kit.passport()
    assert reader.transceive(SELECT) == b"\x90\x00"
    reader._let_go(reader._scard.SCARD_LEAVE_CARD)
    before = field.resets
    with closing(PcscTransceiver(kit.reader)) as later:
        assert later.reconnect(5.0)
        assert field.resets == before + 1
        assert later.transceive(READ_DG1) != b"\x69\x82", "without the application there is no DG1 to be guarded"


def test_a_card_access_number_opens_a_chip_too(kit, field, reader):
    field.chip = kit.passport(pace="2.4")
    data = read_chip(reader, AccessKey.from_can(kit.can), clock=SystemClock())
    assert data.access.password == "can"
    assert bytes(data.files["DG2"]) == field.chip.files["DG2"]


def test_a_reset_is_a_cold_one_and_ends_the_session(kit, field, reader):
    field.chip = kit.passport()
    read_chip(reader, AccessKey(kit.mrz_information), clock=SystemClock())
    before = field.resets
    assert reader.reconnect(5.0)
    assert field.resets == before + 1
    assert reader.transceive(SELECT) == b"\x90\x00"
    assert reader.transceive(READ_DG1) == b"\x69\x82"


@pytest.mark.parametrize("pace", ["", "2.4"])
def test_a_lost_tag_is_taken_up_where_it_was(kit, field, reader, pace):
    field.chip = kit.passport(pace=pace, extended_length=False)
    field.chip.lost_after, field.chip.returns = 9000, True
    data = read_chip(reader, AccessKey(kit.mrz_information), clock=SystemClock())
    assert data.access.sessions == 2
    assert {name: bytes(content) for name, content in data.files.items()} == field.chip.files
    assert data.chip_authentication.succeeded


def test_a_chip_that_was_swapped_while_the_tag_was_lost_fails_the_proof_of_the_first(kit, field, reader):
    field.chip = kit.passport(extended_length=False)
    field.chip.lost_after, field.chip.replaced_by = 9000, kit.passport(extended_length=False)
    data = read_chip(reader, AccessKey(kit.mrz_information), clock=SystemClock())
    assert data.access.sessions >= 2
    assert not data.chip_authentication.succeeded


def test_a_lifted_chip_is_lost_and_another_one_is_a_chip_again(kit, slot, field, reader):
    field.chip = kit.passport()
    assert reader.transceive(SELECT) == b"\x90\x00"
    slot.place(None)
    try:
        with pytest.raises(TagLost, match=kit.reader):
            reader.transceive(SELECT)
        assert reader.wait_for_removal(5.0)
        assert not reader.wait_for_card(0.1)
        assert not reader.reconnect(0.1)
        with pytest.raises(TagLost, match="no chip is connected"):
            reader.transceive(SELECT)
    finally:
        slot.place(field)
    assert reader.wait_for_card(5.0)
    assert reader.reconnect(5.0)
    assert reader.transceive(SELECT) == b"\x90\x00"


def test_nobody_else_may_use_the_chip_meanwhile(kit, reader):
    other = PcscTransceiver(kit.reader)
    try:
        with pytest.raises(DeviceError, match="another program uses the chip"):
            other.reconnect(1.0)
    finally:
        other.close()
    assert reader.transceive(SELECT) == b"\x90\x00"


def test_a_reader_that_is_not_there_is_told_with_those_that_are(kit, service):
    with pytest.raises(DeviceError, match=kit.reader) as caught:
        PcscTransceiver("No Such Reader 00 00")
    assert caught.value.device == "No Such Reader 00 00"


class Page:
    """A page scanner beside the reader, on which a book of two lines lies."""

    def __init__(self, document: ScannedDocument | None) -> None:
        self.document = document

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        return self.document

    def wait_for_removal(self, timeout: float) -> bool:
        return self.document is None


def test_the_page_comes_from_the_scanner_and_the_chip_from_the_reader(kit, reader):
    page = Page(None)
    scanner = ScannerWithPcsc(page, reader)
    assert scanner.wait_for_document(0.0) is None
    page.document = ScannedDocument(mrz_lines=kit.mrz_lines, chip=None)
    document = scanner.wait_for_document(0.0)
    assert document.mrz_lines == kit.mrz_lines
    assert document.chip.transceive(SELECT) == b"\x90\x00"
    assert not scanner.wait_for_removal(0.0)
    page.document = None
    assert scanner.wait_for_removal(0.0)
    with pytest.raises(TagLost):
        document.chip.transceive(SELECT)


def test_a_demonstration_sends_no_command_to_a_chip_that_is_none_of_its_own(kit, field, reader):
    sent: list[bytes] = []
    field.chip = kit.passport()
    field.chip.transceive = sent.append  # type: ignore[method-assign,assignment]  # nothing may come
    reader.disconnect()
    for foreign in (run_atr("another run"), atr(), atr(b"\x80\x5d" + bytes(13))):
        with closing(PcscTransceiver(kit.reader, only=foreign)) as wary:
            with pytest.raises(DeviceError, match="foreign chip"):
                wary.reconnect(5.0)
            with pytest.raises(TagLost, match="no chip is connected"):
                wary.transceive(SELECT)
    assert sent == []
    with closing(PcscTransceiver(kit.reader, only=run_atr(kit.secret))) as wary:
        assert wary.reconnect(5.0)


def test_a_page_without_a_chip_is_a_document_all_the_same(kit, slot, field, shared_reader):
    slot.place(None)
    try:
        page = Page(ScannedDocument(mrz_lines=kit.mrz_lines, chip=None))
        assert ScannerWithPcsc(page, shared_reader).wait_for_document(0.0).chip is None
    finally:
        slot.place(field)


def test_a_card_without_t1_is_no_chip_and_the_next_one_is_read(kit, slot, field, shared_reader, monkeypatch):
    """A card of contacts, as a wallet holds them: T=0 alone."""
    shared_reader.disconnect()
    try:
        monkeypatch.setattr(slot, "_atr", b"\x3b\x00")
        slot.place(field)
        assert shared_reader.wait_for_removal(5.0)
        assert shared_reader.wait_for_card(5.0)
        with pytest.raises(TagLost, match="no T=1"):
            shared_reader._connect()
        assert not shared_reader.reconnect(0.2)
    finally:
        monkeypatch.undo()
        slot.place(field)
    assert shared_reader.reconnect(5.0)


def test_the_command_reads_the_chip_in_a_reader_and_tells_its_trail(kit, field, reader, tmp_path):
    field.chip = kit.passport(pace="2.4")
    reader.disconnect()  # it is exclusive
    (tmp_path / "mrz").write_text("\n".join(kit.mrz_lines))
    command = [sys.executable, "-m", "gate", "chip", "read", "--json", "--mrz", str(tmp_path / "mrz"), "--reader", kit.reader]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["chip"].startswith(f"{kit.reader} (pyscard ")
    assert told["answer_to_reset"] == run_atr(kit.secret).hex()
    assert told["access"]["name"] == "PACE-ECDH-GM, AES-256, brainpoolP256r1 (set 13), password from the MRZ"
    assert told["files"]["DG2"] == len(field.chip.files["DG2"])


def test_without_a_service_the_remedy_is_told(service):
    environment = {**os.environ, "PCSCLITE_CSOCK_NAME": "/nonexistent/pcscd.comm"}
    command = [sys.executable, "-m", "gate", "chip", "readers"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "PC/SC service: it does not run (start pcscd" in ended.stderr
