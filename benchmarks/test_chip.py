"""A whole passport over its APDUs, unpaced, the virtual chip's half included; floor: secure messaging of one APDU, both halves."""

from __future__ import annotations

import pytest

from gate.clock import SystemClock
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.secure_messaging import session
from hardware.emrtd.transcript import Transcript

GROUP = "chip: 15 kB portrait, chip authentication and active authentication"


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("extended", [True, False], ids=["extended length", "short length"])
def test_read_the_whole_chip(benchmark, book, extended):
    chip = book.chip()
    chip.extended_length = extended
    data = benchmark(book.read, chip)
    transcript = Transcript(chip, SystemClock())
    book.read(transcript)
    assert data.chip_authentication.succeeded
    benchmark.extra_info["apdus"] = len(transcript.exchanges)
    if benchmark.stats:  # not where the timing is switched off
        benchmark.extra_info["ms per apdu"] = round(benchmark.stats.stats.median * 1000 / len(transcript.exchanges), 3)


@pytest.mark.benchmark(group="chip: one READ BINARY of 223 bytes under secure messaging")
@pytest.mark.parametrize("cipher", [("3DES", 16), ("AES", 32)], ids=["3DES", "AES-256"])
def test_floor_secure_messaging_of_one_apdu(benchmark, cipher):
    terminal, chip = (session(b"secret", cipher=cipher[0], key_length=cipher[1]) for _ in range(2))
    command, answer = CommandApdu(ins=0xB0, ne=223), ResponseApdu(data=bytes(223))

    def exchange() -> ResponseApdu:
        chip.open_command(CommandApdu.decode(terminal.protect(command).encode()))
        return terminal.unprotect(ResponseApdu.decode(chip.seal_response(answer).encode()))

    assert benchmark(exchange) == answer
