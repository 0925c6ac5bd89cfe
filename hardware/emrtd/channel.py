"""One conversation with a chip: plain until a session is set, protected ever after."""

from __future__ import annotations

from collections.abc import Callable

from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.errors import ApduError, SecureMessagingError
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.ports import Transceiver, longest_response


class Channel:
    """Sends commands through a transceiver, under the session there is.

    ``before_each`` is called before each exchange; what it raises passes through. A session that broke stays broken: until :meth:`restart`, each exchange raises instead of going on in the clear.
    """

    def __init__(self, transceiver: Transceiver, before_each: Callable[[], None] = lambda: None) -> None:
        self._transceiver, self._before_each = transceiver, before_each
        self.longest_response = longest_response(transceiver)
        """Bytes of data that the reader device carries back at most."""
        self._session: SecureMessaging | None = None
        self._broken = False

    @property
    def broken(self) -> bool:
        """Did the session break since the last restart?"""
        return self._broken

    def exchange(self, command: CommandApdu) -> ResponseApdu:
        """Send ``command``, return the authentic response. Raises ChipError; TagLost and DeviceError pass through."""
        if self._session is None:
            return self._transceive(command)
        try:
            return self._session.unprotect(self._transceive(self._session.protect(command)))
        except BaseException:
            self.abandon()
            raise

    def receive(self, command: CommandApdu, room: bytearray) -> tuple[int, int]:
        """As :meth:`exchange`, for contents that will be wiped: the data goes to the start of ``room``, which is a block longer than it
        may be. Returns its length and the status; what lies beyond in ``room`` means nothing.
        """
        if self._session is None:
            response = self._transceive(command)
            if len(response.data) > len(room):
                raise ApduError("RESPONSE_TOO_LONG", f"{len(response.data)} bytes, far more than were asked for")
            memoryview(room)[: len(response.data)] = response.data
            return len(response.data), response.sw
        try:
            response = self._transceive(self._session.protect(command))
            return self._session.unprotect_into(response, room), response.sw
        except BaseException:
            self.abandon()
            raise

    def secure(self, session: SecureMessaging) -> None:
        """Go on under ``session``."""
        self._session = session

    def restart(self) -> None:
        """Forget the session and its keys; the next command goes out plain."""
        self._session, self._broken = None, False

    def abandon(self) -> None:
        """Nobody knows under which keys the chip goes on: as after a session that broke."""
        self._session, self._broken = None, True

    def _transceive(self, command: CommandApdu) -> ResponseApdu:
        if self._broken:
            raise SecureMessagingError("SM_SESSION_OVER", "the session broke before")
        self._before_each()
        return ResponseApdu.decode(self._transceiver.transceive(command.encode()))
