"""What was read and wiped is gone from the memory of the process that read it (Linux: looked up from outside, in /proc)."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hardware.emrtd import tlv
from hardware.emrtd.apdu import ResponseApdu
from hardware.emrtd.errors import SecureMessagingError
from hardware.emrtd.lds import build_dg2
from hardware.emrtd.secure_messaging import pad, session, unpad
from hardware.emrtd.security_infos import encode_oid

READER = """
import socket, struct, sys
from gate.clock import SystemClock
from hardware.emrtd.reader import AccessKey, read_chip

class Remote:
    def __init__(self, line):
        self.line = line

    def transceive(self, command):
        self.line.sendall(struct.pack(">I", len(command)) + command)
        (length,) = struct.unpack(">I", self.line.recv(4, socket.MSG_WAITALL))
        return self.line.recv(length, socket.MSG_WAITALL)

key = AccessKey(sys.argv[2])
data = read_chip(Remote(socket.socket(fileno=int(sys.argv[1]))), key, clock=SystemClock())
key.wipe()
kept = bytes(data.files["DG2"]) if sys.argv[3] == "kept" else b""
data.wipe()
print(len(data.files["DG2"]), any(data.files["DG2"]), flush=True)
sys.stdin.read()
"""
BLOCK = 16
PACE_GM_AES = tlv.encode(0x31, tlv.encode(0x30, tlv.encode(0x06, encode_oid("0.4.0.127.0.7.2.2.4.2.4")) + b"\2\1\2\2\1\x0d"))


def portrait(blocks: int) -> tuple[bytes, set[bytes]]:
    """An image of random blocks that begin with the same four bytes, so that they are found quickly."""
    mark = secrets.token_bytes(4)
    parts = [mark + secrets.token_bytes(BLOCK - len(mark)) for _ in range(blocks)]
    return b"\xff\xd8\xff" + b"".join(parts), set(parts)


def serve(chip, line: socket.socket) -> None:
    with contextlib.suppress(struct.error, OSError):  # the reader has read and hung up
        while True:
            (length,) = struct.unpack(">I", line.recv(4, socket.MSG_WAITALL))
            response = chip.transceive(line.recv(length, socket.MSG_WAITALL))
            line.sendall(struct.pack(">I", len(response)) + response)


def blocks_in_memory(pid: int, blocks: set[bytes]) -> int:
    """How many of ``blocks`` stand in memory that the process may write."""
    mark, found = next(iter(blocks))[:4], set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            try:
                memory.seek(start)
                region = memory.read(end - start)
            except (OSError, OverflowError, ValueError):  # the kernel's own pages
                continue
            at = region.find(mark)
            while at >= 0:
                found.add(region[at : at + BLOCK])
                at = region.find(mark, at + 1)
    return len(found & blocks)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("kept", "card_access", "extended"),
    [
        ("wiped", {}, True),
        ("wiped", {}, False),
        ("wiped", {"EF.CardAccess": PACE_GM_AES}, True),
        ("wiped", {"EF.CardAccess": PACE_GM_AES}, False),
        ("kept", {}, True),  # the search finds what is there
    ],
    ids=["3DES, extended", "3DES, short", "AES, extended", "AES, short", "a copy that was kept"],
)
def test_no_block_of_a_wiped_portrait_is_left_in_memory(kit, kept: str, card_access: dict[str, bytes], extended: bool) -> None:
    image, blocks = portrait(1260)
    files = kit.files() | {"DG2": build_dg2(image, "jpeg")} | card_access
    chip = kit.passport(files=files, extended_length=extended)
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", READER, str(theirs.fileno()), kit.mrz_information, kept]
    with (
        ours,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[theirs.fileno()],
            cwd=Path(__file__).parents[3],
        ) as reader,
    ):
        theirs.close()
        server = threading.Thread(target=serve, args=(chip, ours))
        server.start()
        assert reader.stdout.readline() == f"{len(files['DG2'])} False\n"
        left = blocks_in_memory(reader.pid, blocks)
        reader.stdin.close()
    server.join()
    assert left == (len(blocks) if kept == "kept" else 0)


def test_wiping_takes_all_files_and_leaves_the_names(kit) -> None:
    data = kit.read(kit.passport())
    lengths = {name: len(content) for name, content in data.files.items()}
    data.wipe()
    assert {name: len(content) for name, content in data.files.items()} == lengths
    assert not any(any(content) for content in data.files.values())


def test_a_file_that_was_given_up_is_wiped_at_once(kit) -> None:
    files = kit.files() | {"DG15": kit.files()["DG15"][:-20]}
    data = kit.read(kit.passport(files=files))
    assert data.missing == {"DG15": "FILE_ENDS_EARLY"}
    assert "DG15" not in data.files


@pytest.mark.parametrize("cipher", ["3DES", "AES"])
@pytest.mark.parametrize("length", [1, 7, 8, 15, 16, 17, 223])
def test_decrypting_into_a_buffer_is_decrypting(cipher: str, length: int) -> None:
    terminal, other, chip = (session(b"secret", cipher=cipher, key_length=16) for _ in range(3))
    plain = secrets.token_bytes(length)
    sealed = chip.seal_response(ResponseApdu(data=plain))
    room = bytearray(length + 48)
    assert terminal.unprotect_into(sealed, room) == length
    assert room[:length] == plain == other.unprotect(sealed).data


def test_a_response_beyond_the_buffer_is_refused_before_it_is_decrypted() -> None:
    terminal, chip = (session(b"secret", cipher="AES", key_length=16) for _ in range(2))
    room = bytearray(64)
    with pytest.raises(SecureMessagingError, match="RESPONSE_TOO_LONG"):
        terminal.unprotect_into(chip.seal_response(ResponseApdu(data=b"x" * 100)), room)
    assert not any(room)


@pytest.mark.parametrize("data", [b"", bytes(16), b"\x80" + bytes(16), b"abc\x80\0\0\1" + bytes(9), b"\x01" * 16])
def test_padding_is_one_bit_and_less_than_a_block_of_zeros(data: bytes) -> None:
    with pytest.raises(SecureMessagingError, match="SM_PADDING"):
        unpad(data, 16)
    assert unpad(pad(data, 16), 16) == data
