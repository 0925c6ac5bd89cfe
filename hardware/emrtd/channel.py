"""One conversation with a chip: plain until a session is set, protected ever after."""

from __future__ import annotations

from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.errors import SecureMessagingError
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.ports import Transceiver


class Channel:
    """Sends commands through a transceiver, under the session there is.

    A session that broke stays broken: until :meth:`restart`, each exchange raises instead of going on in the clear.
    """

    def __init__(self, transceiver: Transceiver) -> None:
        self._transceiver = transceiver
        self._session: SecureMessaging | None = None
        self._broken = False

    @property
    def broken(self) -> bool:
        """Did the session break since the last restart?"""
        return self._broken

    def exchange(self, command: CommandApdu) -> ResponseApdu:
        """Send ``command``, return the authentic response. Raises ChipError; TagLost and DeviceError pass through."""
        if self._broken:
            raise SecureMessagingError("SM_SESSION_OVER", "the session broke before")
        if self._session is None:
            return self._transceive(command)
        try:
            return self._session.unprotect(self._transceive(self._session.protect(command)))
        except BaseException:
            self._broken = True
            raise

    def secure(self, session: SecureMessaging) -> None:
        """Go on under ``session``."""
        self._session = session

    def restart(self) -> None:
        """Forget the session; the next command goes out plain."""
        self._session, self._broken = None, False

    def _transceive(self, command: CommandApdu) -> ResponseApdu:
        return ResponseApdu.decode(self._transceiver.transceive(command.encode()))
