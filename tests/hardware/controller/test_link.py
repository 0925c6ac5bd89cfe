"""The session: only a peer with the key, each command once, in order, and never a silent hope."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.controller.frame import FrameDecoder
from hardware.controller.link import DownReason, HostSession, LinkUp
from hardware.controller.messages import Confirm, EventReport, Hello, dictionary_hash, encode
from hardware.controller.protocol import (
    Door,
    Fault,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)
from hardware.controller.session import DEVICE, HOST, Agreement, Outbox, handshake_in, plain_frame
from hardware.sim import compiled
from hardware.sim import firmware as firmware_module
from hardware.sim.firmware import Device


def test_the_first_event_is_the_link_with_the_firmware_name(bench):
    assert bench.events[0] in (LinkUp(firmware=firmware_module.NAME), LinkUp(firmware=compiled.NAME))
    assert isinstance(bench.events[1], Telemetry)


def test_a_foreign_device_is_refused_by_the_host(make_bench):
    bench = make_bench(host_key=bytes(32))
    bench.new_host()
    bench.run(1)
    assert bench.broken is not None
    assert bench.broken.reason is DownReason.FOREIGN_DEVICE
    assert bench.events == []


def _raw_handshake(firmware: Device, key: bytes, *, nonce: bytes = bytes(16)) -> Agreement:
    """A host that skips its own check of the device; what it agreed on under ``key``."""
    firmware.receive(plain_frame(Hello(nonce=nonce, dictionary=dictionary_hash())), 0)
    welcome = handshake_in(FrameDecoder().feed(firmware.transmit())[-1])
    return Agreement(
        key=key, host_nonce=nonce, device_nonce=welcome.nonce, dictionary=welcome.dictionary, firmware=welcome.firmware
    )


def _open_entry(agreement: Agreement) -> bytes:
    return agreement.channel(sends=HOST, hears=DEVICE).seal(OpenEntry(command_id=1, purpose=Purpose.ADMIT))


def test_a_foreign_host_is_refused_by_the_device(make_bench):
    bench = make_bench()
    agreement = _raw_handshake(bench.firmware, bytes(32))
    bench.firmware.receive(plain_frame(Confirm(proof=agreement.proof(HOST))), 0)
    bench.firmware.receive(_open_entry(agreement), 0)
    bench.run(1)
    assert bench.firmware.refused_hosts == 1
    assert bench.said("entry opening") == []


def test_the_same_handshake_with_the_right_key_does_open(make_bench, key):
    bench = make_bench()
    agreement = _raw_handshake(bench.firmware, key)
    bench.firmware.receive(plain_frame(Confirm(proof=agreement.proof(HOST))), 0)
    bench.firmware.receive(_open_entry(agreement), 0)
    bench.run(1)
    assert bench.said("entry opening")


def test_a_recorded_conversation_played_again_opens_nothing(make_bench, key):
    bench = make_bench()
    agreement = _raw_handshake(bench.firmware, key)
    recorded = plain_frame(Confirm(proof=agreement.proof(HOST))) + _open_entry(agreement)
    _raw_handshake(bench.firmware, key)  # the device made a new nonce
    bench.firmware.receive(recorded, 0)
    bench.run(1)
    assert bench.said("entry opening") == []


def test_a_recorded_session_cannot_be_resumed_by_its_confirm(make_bench, key):
    bench = make_bench()
    agreement = _raw_handshake(bench.firmware, key)
    confirm, channel = plain_frame(Confirm(proof=agreement.proof(HOST))), agreement.channel(sends=HOST, hears=DEVICE)
    recorded = confirm + channel.seal(SetSignal(command_id=1, signal=Signal.GREEN_ARROW))
    bench.firmware.receive(recorded, 0)
    bench.firmware.receive(channel.seal(SetSignal(command_id=2, signal=Signal.RED_CROSS)), 0)
    bench.firmware.receive(recorded, 0)
    assert bench.firmware.refused_hosts == 1
    assert bench.firmware.rejected_frames == 1


def test_a_hello_alone_does_not_disturb_the_session(bench):
    bench.firmware.receive(plain_frame(Hello(nonce=bytes(16), dictionary=dictionary_hash())), bench.ms)
    assert bench.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXECUTED


def test_another_dictionary_is_named(python_bench, monkeypatch):
    monkeypatch.setattr(firmware_module, "dictionary_hash", lambda: bytes(8))
    bench = python_bench
    bench.new_host()
    bench.run(1)
    assert bench.broken is not None
    assert bench.broken.reason is DownReason.OTHER_DICTIONARY


def test_a_silent_device_is_lost_after_a_second(bench):
    bench.to_host = lambda _: []
    bench.run(1.5)
    assert bench.broken is not None
    assert bench.broken.reason is DownReason.SILENT


def test_a_device_that_only_talks_and_never_answers_is_lost(bench):
    bench.to_device = lambda _: []
    bench.send(SetSignal, signal=Signal.GREEN_ARROW)
    bench.run(0.7)
    assert bench.broken is not None
    assert bench.broken.reason is DownReason.UNANSWERED


def test_an_id_sent_again_with_another_command_only_repeats_its_outcome(bench):
    number = bench.send(SetSignal, signal=Signal.GREEN_ARROW)
    bench.run(0.1)
    bench.host.submit(OpenEntry(command_id=number, purpose=Purpose.ADMIT), bench.now)
    bench.run(1)
    assert bench.outcomes(number) == [Outcome.EXECUTED, Outcome.EXECUTED]
    assert bench.said("entry opening") == []


def test_an_id_is_remembered_across_a_new_session(bench):
    bench.arrive()
    number = bench.send(OpenEntry, purpose=Purpose.ADMIT)
    assert bench.run(5, until=lambda: bench.inside == 1)
    bench.connect()
    bench.host.submit(OpenEntry(command_id=number, purpose=Purpose.ADMIT), bench.now)
    bench.run(0.2)
    assert bench.outcomes(number) == [Outcome.EXECUTED, Outcome.EXECUTED]
    assert len(bench.said("entry opening")) == 1


def test_a_command_overtaken_by_too_many_others_expires(bench):
    late = bench.next_id()
    for _ in range(70):
        bench.do(SetSignal, signal=Signal.GREEN_ARROW)
    bench.host.submit(OpenEntry(command_id=late, purpose=Purpose.ADMIT), bench.now)
    bench.run(0.2)
    assert bench.outcomes(late) == [Outcome.EXPIRED]
    assert bench.said("entry opening") == []


def test_every_happening_is_told_once_although_frames_are_lost(bench):
    rng = random.Random(1)
    bench.to_host = bench.to_device = lambda data: [] if rng.random() < 0.3 else [data]
    bench.arrive()
    bench.send(OpenEntry, purpose=Purpose.ADMIT)
    bench.run(4, until=lambda: bench.inside == 1)
    bench.renewing = False
    bench.run(5)
    told = [event for event in bench.events if isinstance(event, Passage | LeaseLapsed | Fault)]
    assert told == [Passage(door=Door.ENTRY, inwards=True), LeaseLapsed(door=Door.ENTRY), Passage(door=Door.ENTRY, inwards=False)]


def test_a_sealed_frame_is_taken_once_and_never_from_the_past(key):
    agreement = Agreement(key=key, host_nonce=b"h" * 16, device_nonce=b"d" * 16, dictionary=bytes(8), firmware="f")
    host, device = agreement.channel(sends=HOST, hears=DEVICE), agreement.channel(sends=DEVICE, hears=HOST)
    old, *_ = FrameDecoder().feed(host.seal(OpenExit(command_id=1)))
    new, *_ = FrameDecoder().feed(host.seal(OpenExit(command_id=2)))
    assert device.open(new) == OpenExit(command_id=2)
    assert device.open(new) is None
    assert device.open(old) is None
    for number in (0x7000, 0xE000, 0x10000):  # once around the 16-bit counter: the recorded frames' numbers come next
        host._sent = number - 1
        frame, *_ = FrameDecoder().feed(host.seal(OpenExit(command_id=3)))
        assert device.open(frame) == OpenExit(command_id=3)
    assert device.open(old) is None
    assert device.open(new) is None


def test_a_frame_reflected_to_its_sender_is_no_message(key):
    agreement = Agreement(key=key, host_nonce=b"h" * 16, device_nonce=b"d" * 16, dictionary=bytes(8), firmware="f")
    host = agreement.channel(sends=HOST, hears=DEVICE)
    frame, *_ = FrameDecoder().feed(host.seal(OpenExit(command_id=1)))
    assert host.open(frame) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_on_the_line_make_either_end_raise_or_act(make_bench, data, end):
    bench = make_bench().connect()
    wrapped = data + (b"\x00" if end else b"")
    bench.firmware.receive(wrapped, bench.ms)
    bench.firmware.transmit()
    assert bench.host.receive(wrapped, bench.now) == []
    assert not bench.outputs.turn_back


def test_a_short_key_is_no_key():
    with pytest.raises(ValueError, match="16"):
        HostSession(b"short", 0.0)


def test_an_outbox_keeps_order_and_waits_before_it_repeats():
    outbox: Outbox[str] = Outbox()
    outbox.put(1, "a")
    outbox.put(2, "b")
    assert [outbox.next(0.0), outbox.next(0.01), outbox.next(0.05)] == ["a", None, "a"]
    assert not outbox.acknowledge(2)
    assert outbox.acknowledge(1)
    assert outbox.next(0.05) == "b"


def test_a_controller_that_restarted_is_noticed_and_taken_up_again(bench, build):
    bench.firmware = build(bench.host_key, bench.plant.sense())
    bench.run(1.5)
    assert bench.broken is not None
    assert bench.broken.reason is DownReason.SILENT
    bench.connect()
    assert bench.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXECUTED


def test_a_report_that_comes_again_because_its_acknowledgement_was_lost_is_told_once(python_bench):
    bench = python_bench
    report = EventReport(number=1, event=encode(Passage(door=Door.EXIT, inwards=False)))
    for _ in range(2):
        bench.firmware._seal(report)
        bench.step()
    assert bench.events.count(Passage(door=Door.EXIT, inwards=False)) == 1


def test_a_controller_without_a_host_falls_silent(bench):
    bench.host = None
    bench.run(1.5)
    bench.firmware.tick(bench.ms + 100, bench.plant.sense())
    assert bench.firmware.transmit() == b""
