"""Secure messaging and basic access control as targets of mutations. Octets choose the session; what follows is the message.

Most changed messages end at the MAC. So half of them get a right one: what a hostile chip that knows the keys can say.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.soak_seeds import MRZ_INFORMATION
from benchmarks.soak_targets import Target
from benchmarks.soak_trees import framed
from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import EXTENDED_NE, CommandApdu, ResponseApdu
from hardware.emrtd.bac import BacExchange, seal
from hardware.emrtd.errors import AccessError, ApduError, SecureMessagingError
from hardware.emrtd.secure_messaging import DO_MAC, MAC_LENGTH, SecureMessaging, pad, session

SESSIONS = (("3DES", 16), ("AES", 16), ("AES", 24), ("AES", 32))
MAC_OBJECT = MAC_LENGTH + 2
RESPONSES = tuple(
    ResponseApdu(data=bytes(index % 251 for index in range(length)), sw=sw)
    for length, sw in ((0, 0x9000), (4, 0x9000), (223, 0x9000), (700, 0x6282), (0, 0x6A82), (0, 0x6C11))
)
COMMANDS = tuple(
    CommandApdu(ins=ins, p1=0x9D, data=bytes(length), ne=ne)
    for ins, length, ne in ((0xB0, 0, 223), (0xB1, 4, 4096), (0xA4, 2, None), (0x86, 300, 65_536), (0x88, 8, 256))
)


def _session(which: int) -> SecureMessaging:
    cipher, length = SESSIONS[which % len(SESSIONS)]
    return session(b"everybody knows this", cipher=cipher, key_length=length)


def _mac(messaging: SecureMessaging, prefix: bytes, body: bytes) -> bytes:
    """The MAC object of a session's first message."""
    block = messaging._cipher.block
    return tlv.encode(DO_MAC, messaging._mac((1).to_bytes(block), (pad(prefix, block) if prefix else b"") + body))


def responses() -> Target:
    """To the terminal. First octet: session, and whether the message gets a right MAC (4); then objects and status."""

    def parse(data: bytes) -> str:
        which, body, status = data[:1], data[1:-2], data[-2:]
        if len(data) < 3:
            return "nothing"
        messaging, known = _session(which[0]), bool(which[0] & 4)
        message = body + _mac(messaging, b"", body) if known else body
        plain = messaging.unprotect(ResponseApdu.decode(message + status))
        assert len(plain.data) < max(len(body), 1)
        assert known or plain in RESPONSES, "a message was forged"
        return "read behind the MAC" if known else "read"

    seeds = [
        bytes([which + 4 * known]) + sealed[: -2 - MAC_OBJECT * known] + sealed[-2:]
        for which in range(len(SESSIONS))
        for known in (False, True)
        for response in RESPONSES
        for odd in (False, True)
        if (sealed := _session(which).seal_response(response, odd=odd).encode())
    ]
    return Target(seeds=tuple(seeds), parse=parse, change=framed(1, 2), errors=(SecureMessagingError, ApduError))


def commands() -> Target:
    """To the virtual chip. First octet as in :func:`responses`; then header and objects."""

    def parse(data: bytes) -> str:
        if len(data) < 6:
            return "nothing"
        messaging, known, body = _session(data[0]), bool(data[0] & 4), data[5:]
        command = CommandApdu(cla=data[1], ins=data[2], p1=data[3], p2=data[4])
        command = replace(command, data=body + _mac(messaging, command.encode(), body) if known else body)
        if len(command.data) >= EXTENDED_NE:
            return "nothing"  # longer than any command
        plain = messaging.open_command(command)
        assert known or plain in COMMANDS, "a command was forged"
        assert plain.ne is None or 1 <= plain.ne <= EXTENDED_NE, plain.ne
        return "read behind the MAC" if known else "read"

    seeds = [
        bytes([which + 4 * known, sealed.cla, sealed.ins, sealed.p1, sealed.p2])
        + (sealed.data[:-MAC_OBJECT] if known else sealed.data)
        for which in range(len(SESSIONS))
        for known in (False, True)
        for command in COMMANDS
        if (sealed := _session(which).protect(command))
    ]
    return Target(seeds=tuple(seeds), parse=parse, change=framed(5), errors=(SecureMessagingError, ApduError))


def basic_access() -> Target:
    """The chip's answer in basic access control: its own cryptogram, or AccessError."""
    cipher = AccessKey(MRZ_INFORMATION).bac_cipher()
    run = BacExchange(rnd_ic=bytes(8), rnd_ifd=b"\1" * 8, k_ifd=b"\2" * 16)
    honest = seal(cipher, run.rnd_ic + run.rnd_ifd + b"\3" * 16)
    others = seal(cipher, run.rnd_ifd + run.rnd_ic + b"\3" * 16)

    def parse(data: bytes) -> str:
        run.session(cipher, data)
        assert data == honest, "an answer was forged"
        return "read"

    return Target(seeds=(honest, others), parse=parse, errors=(AccessError,))
