"""The terminal's work for a file read in short APDUs, beside its floors; and a whole passport, unpaced, the virtual chip's half included."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from benchmarks.chip_secured import AES_256, DG2, PARTS, TDES, bare_libcrypto, bare_messaging, standing
from gate.clock import SystemClock
from hardware.emrtd.files import Download, FileReader
from hardware.emrtd.transcript import Transcript

PASSPORT = "chip: 15 kB portrait, chip authentication and active authentication"
FILE = "chip: DG2 of 20,000 bytes in 90 READ BINARY of 223, terminal, processor time"
GMRTD_MS = 2.7
"""gmrtd's reader over pcscd and vpcd, all in: 89 APDUs of a BAC chip in 0.24 s. Noted elsewhere and earlier, not measured here."""
CIPHERS = pytest.mark.parametrize("cipher", [TDES, AES_256], ids=["3DES", "AES-256"])
COMPUTING = pytest.mark.benchmark(group=FILE, timer=time.thread_time)


@pytest.mark.benchmark(group=PASSPORT)
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


def per_apdu(benchmark) -> None:
    if benchmark.stats:
        benchmark.extra_info["ms per apdu"] = round(benchmark.stats.stats.median * 1000 / len(PARTS), 4)


@COMPUTING
@CIPHERS
def test_own_overhead(benchmark, cipher):
    """Command, protection, the way to the line and back, authentication, decryption into the file's own buffer."""

    def read(reader: FileReader, download: Download) -> Download:
        reader.read(download)
        return download

    assert benchmark.pedantic(read, setup=lambda: (standing(cipher), {}), rounds=200).content == DG2
    per_apdu(benchmark)
    benchmark.extra_info["gmrtd, all in, not measured here, ms"] = GMRTD_MS


@COMPUTING
@CIPHERS
@pytest.mark.parametrize("floor", [bare_messaging, bare_libcrypto], ids=["secure messaging alone", "libcrypto alone"])
def test_floor(benchmark, floor, cipher):
    def every_part(exchange: Callable[[], object]) -> None:
        for _ in PARTS:
            exchange()

    benchmark.pedantic(every_part, setup=lambda: ((floor(cipher),), {}), rounds=200)
    per_apdu(benchmark)
