"""Where somebody may stand between a chip and what it means to say: the places at which attacks change what passes."""

from __future__ import annotations

from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.secure_messaging import SecureMessaging


class Attack:
    """None at all: each place lets pass what comes. One instance belongs to one chip and may remember."""

    def heard(self, command: CommandApdu) -> CommandApdu:
        """What the chip takes a command for."""
        return command

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:  # noqa: ARG002 - for subclasses
        """What it answers, before any protection."""
        return response

    def seal(self, session: SecureMessaging, response: ResponseApdu, *, odd: bool) -> ResponseApdu:
        """How it protects an answer."""
        return session.seal_response(response, odd=odd)

    def unheard(self, session: SecureMessaging) -> ResponseApdu | None:  # noqa: ARG002 - for subclasses
        """What it answers to a command that is not authentic; None for the status that ends the session."""
        return None

    def said(self, command: bytes, response: bytes) -> bytes:  # noqa: ARG002 - for subclasses
        """What goes on the air."""
        return response

    def drawn(self, octets: bytes) -> bytes:
        """What the chip takes for a nonce or an ephemeral key: ``octets`` came out of its random number generator."""
        return octets


HONEST = Attack()


def flip_last(value: bytes) -> bytes:
    """Change the last bit."""
    return value[:-1] + bytes([value[-1] ^ 1]) if value else b""
