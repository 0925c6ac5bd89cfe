"""The terminal's work for a file read in short APDUs, beside its floors; and a whole passport, unpaced, the virtual chip's half included."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from benchmarks.chip_line import Answers, passport
from benchmarks.chip_plan import SHORT
from gate.clock import SystemClock
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.channel import Channel
from hardware.emrtd.files import Download, FileReader
from hardware.emrtd.secure_messaging import SecureMessaging, session
from hardware.emrtd.transcript import Transcript

PASSPORT = "chip: 15 kB portrait, chip authentication and active authentication"
FILE = "chip: DG2 of 20,000 bytes in 90 READ BINARY of 223, terminal, processor time"
DG2 = passport().files["DG2"]
PARTS = [DG2[start : start + SHORT] for start in range(0, len(DG2), SHORT)]
GMRTD_MS = 2.7
"""All in (reader, chip and line) in the project gmrtd's own description, on its author's machine."""
CIPHERS = pytest.mark.parametrize("cipher", [("3DES", 16), ("AES", 32)], ids=["3DES", "AES-256"])
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


def fresh(cipher: tuple[str, int]) -> SecureMessaging:
    return session(b"secret", cipher=cipher[0], key_length=cipher[1])


def sealed(cipher: tuple[str, int]) -> list[bytes]:
    """The answers of a chip in its first session: their counters, and so their bytes, are always the same."""
    chip, answers = fresh(cipher), []
    for part in PARTS:
        chip._advance()  # the command's
        answers.append(chip.seal_response(ResponseApdu(data=part)).encode())
    return answers


def per_apdu(benchmark) -> None:
    if benchmark.stats:
        benchmark.extra_info["ms per apdu"] = round(benchmark.stats.stats.median * 1000 / len(PARTS), 4)


@COMPUTING
@CIPHERS
def test_own_overhead(benchmark, cipher):
    """Command, protection, the way to the line and back, authentication, decryption into the file's own buffer."""
    answers = sealed(cipher)

    def stand():
        channel = Channel(Answers(answers))
        channel.secure(fresh(cipher))
        return (FileReader(channel), Download(name="DG2")), {}

    def read(reader: FileReader, download: Download) -> Download:
        reader.read(download)
        return download

    assert benchmark.pedantic(read, setup=stand, rounds=200).content == DG2
    per_apdu(benchmark)
    benchmark.extra_info["gmrtd, all in, literature, ms"] = GMRTD_MS


@COMPUTING
@CIPHERS
def test_floor_secure_messaging_alone(benchmark, cipher):
    answers = [ResponseApdu.decode(answer) for answer in sealed(cipher)]
    command = CommandApdu(ins=0xB0, ne=SHORT)

    def exchange(terminal: SecureMessaging) -> bytes:
        for answer in answers:
            terminal.protect(command)
            plain = terminal.unprotect(answer)
        return plain.data

    assert benchmark.pedantic(exchange, setup=lambda: ((fresh(cipher),), {}), rounds=200) == PARTS[-1]
    per_apdu(benchmark)


@COMPUTING
@pytest.mark.parametrize("cipher", ["3DES", "AES-256"])
def test_floor_libcrypto_alone(benchmark, cipher):
    """The calls that no terminal can spare: a MAC over the command, one over the answer, and its decryption."""
    calls = bare_aes if cipher == "AES-256" else bare_3des

    def exchange() -> None:
        for _ in PARTS:
            calls()

    benchmark.pedantic(exchange, rounds=200)
    per_apdu(benchmark)


AES_KEY, TDES_KEY = algorithms.AES(bytes(32)), TripleDES(bytes(24))


def bare_aes() -> None:
    zero = bytes(16)
    for length in (48, 256):
        mac = CMAC(AES_KEY)
        mac.update(bytes(length))
        mac.finalize()
    iv = Cipher(AES_KEY, modes.CBC(zero)).encryptor().update(zero)
    Cipher(AES_KEY, modes.CBC(iv)).decryptor().update(bytes(224))


def bare_3des() -> None:
    zero = bytes(8)
    for length in (24, 248):
        Cipher(TDES_KEY, modes.CBC(zero)).encryptor().update(bytes(length))
        Cipher(TDES_KEY, modes.CBC(zero)).encryptor().update(zero)
    Cipher(TDES_KEY, modes.CBC(zero)).decryptor().update(bytes(224))
