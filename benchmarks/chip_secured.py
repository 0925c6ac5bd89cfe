"""A file under secure messaging, part by part: the terminal's whole work for it, and the floors below."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from benchmarks.chip_line import Answers, passport
from benchmarks.chip_plan import SHORT
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.channel import Channel
from hardware.emrtd.files import READ_BINARY, Download, FileReader
from hardware.emrtd.secure_messaging import SecureMessaging, session

DG2 = passport().files["DG2"]
PARTS = [DG2[start : start + SHORT] for start in range(0, len(DG2), SHORT)]
CipherName = tuple[str, int]
AES_256: CipherName = ("AES", 32)
TDES: CipherName = ("3DES", 16)
AES_KEY, TDES_KEY = algorithms.AES(bytes(32)), TripleDES(bytes(24))


def fresh(cipher: CipherName) -> SecureMessaging:
    return session(b"secret", cipher=cipher[0], key_length=cipher[1])


def sealed(cipher: CipherName) -> list[bytes]:
    """The answers of a chip in its first session: their counters, and so their bytes, are always the same."""
    chip, answers = fresh(cipher), []
    for part in PARTS:
        chip._advance()  # the command's
        answers.append(chip.seal_response(ResponseApdu(data=part)).encode())
    return answers


def standing(cipher: CipherName) -> tuple[FileReader, Download]:
    """A reader before a chip that is about to give DG2."""
    channel = Channel(Answers(sealed(cipher)))
    channel.secure(fresh(cipher))
    return FileReader(channel), Download(name="DG2")


def file_reading(cipher: CipherName) -> Callable[[], object]:
    """Each call reads the next part of DG2."""
    channel, room, offsets = Channel(Answers(sealed(cipher))), bytearray(512), iter(range(0, len(DG2), SHORT))
    channel.secure(fresh(cipher))

    def part() -> tuple[int, int]:
        offset = next(offsets)
        return channel.receive(CommandApdu(ins=READ_BINARY, p1=offset >> 8, p2=offset & 0xFF, ne=SHORT), room)

    return part


def bare_messaging(cipher: CipherName) -> Callable[[], object]:
    """Each call protects one command and opens the next answer."""
    terminal, command = fresh(cipher), CommandApdu(ins=READ_BINARY, ne=SHORT)
    answers = iter([ResponseApdu.decode(answer) for answer in sealed(cipher)])

    def exchange() -> ResponseApdu:
        terminal.protect(command)
        return terminal.unprotect(next(answers))

    return exchange


def bare_libcrypto(cipher: CipherName) -> Callable[[], object]:
    """The calls that no terminal can spare: a MAC over the command, one over the answer, and its decryption."""
    return _aes if cipher == AES_256 else _tdes


def _aes() -> None:
    zero = bytes(16)
    for length in (48, 256):
        mac = CMAC(AES_KEY)
        mac.update(bytes(length))
        mac.finalize()
    iv = Cipher(AES_KEY, modes.CBC(zero)).encryptor().update(zero)
    Cipher(AES_KEY, modes.CBC(iv)).decryptor().update(bytes(224))


def _tdes() -> None:
    zero = bytes(8)
    for length in (24, 248):
        Cipher(TDES_KEY, modes.CBC(zero)).encryptor().update(bytes(length))
        Cipher(TDES_KEY, modes.CBC(zero)).encryptor().update(zero)
    Cipher(TDES_KEY, modes.CBC(zero)).decryptor().update(bytes(224))
