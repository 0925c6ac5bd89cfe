"""What a virtual passport proves and asks to be proven: BAC, PACE, chip authentication, active authentication, as commands."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.active_authentication import CHALLENGE
from hardware.emrtd.apdu import CONDITIONS_OF_USE, KEY_NOT_FOUND, CommandApdu, ResponseApdu
from hardware.emrtd.chip_authentication import SET_AUTHENTICATION, SET_KEY_AGREEMENT
from hardware.emrtd.elliptic_curve import EcKey
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import PrivateKey, Random
from hardware.emrtd.pace import CHAINED, SET_MUTUAL_AUTHENTICATION
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import parse_security_infos
from hardware.sim.chip_files import WRONG_DATA, WRONG_PARAMETERS, Access, FileSystem
from hardware.sim.chip_pace import STATUSES, PaceChip
from hardware.sim.chip_protocols import BasicAccessControl, ChipAuthentication, active_signature, chip_authentication_key

NOT_VERIFIED = 0x6300
CARD_ACCESS = "EF.CardAccess"

ActiveKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
AgreementKey = ec.EllipticCurvePrivateKey | PrivateKey


class AccessCommands(FileSystem):
    """The commands that open a session or prove a key. PACE is offered where ``files`` holds EF.CardAccess."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        mrz_information: str,
        active_key: ActiveKey | None,
        chip_key: AgreementKey | None,
        *,
        can: str,
        cam_key: AgreementKey | None,
        chip_keys: Mapping[int, AgreementKey],
        chip_version: int,
        bac: bool,
        active_hash: hashes.HashAlgorithm | None,
        extended_length: bool,
        random: Random = secrets.token_bytes,
    ) -> None:
        super().__init__(files, extended_length=extended_length, bac=bac)
        self.active_key, self.active_hash = active_key, active_hash or hashes.SHA256()
        self.clone = False
        """A copy of the files: the private keys did not come with them."""
        self._passwords = {1: AccessKey(mrz_information).pace_secret()}
        if can:
            self._passwords[2] = AccessKey.from_can(can).pace_secret()
        keys = {number: chip_authentication_key(key) for number, key in chip_keys.items()}
        first = next(iter(keys.values()), None) if chip_key is None else chip_authentication_key(chip_key)
        self._random = random
        self._bac = BasicAccessControl(mrz_information, random=random)
        self._chip_authentication = (
            None if first is None else ChipAuthentication(first, version=chip_version, keys=keys, random=random)
        )
        cam = None if cam_key is None else chip_authentication_key(cam_key)
        self._cam_key = cam if isinstance(cam, EcKey) else None
        self._pace: PaceChip | None = None
        self._next_session: SecureMessaging | None = None

    def _power_on(self) -> None:
        """Forget what protocols were under way, and select the master file."""
        self._pace, self._bac.rnd_ic = None, b""
        self._enter(application=False)

    def _begin(self, session: SecureMessaging, access: Access) -> None:
        """Go on under ``session`` once the answer is out."""
        self._next_session, self._access = session, access

    # --- basic access control ---

    def _get_challenge(self, _command: CommandApdu) -> ResponseApdu:
        return ResponseApdu(data=self._bac.challenge()) if self._selected else ResponseApdu(sw=CONDITIONS_OF_USE)

    def _external_authenticate(self, command: CommandApdu) -> ResponseApdu:
        agreed = self._bac.authenticate(command.data) if self.bac else None
        if agreed is None or not self._selected:
            return ResponseApdu(sw=NOT_VERIFIED)
        answer, session = agreed
        self._begin(session, "bac")
        return ResponseApdu(data=answer)

    # --- PACE in the clear, chip authentication under secure messaging: they share their instructions ---

    def _manage_security_environment(self, command: CommandApdu) -> ResponseApdu:
        parameters = command.p1, command.p2
        if parameters == SET_MUTUAL_AUTHENTICATION and not self._protected:
            return _answer(lambda: self._new_pace(command.data))
        if parameters not in {SET_KEY_AGREEMENT, SET_AUTHENTICATION}:
            return ResponseApdu(sw=WRONG_PARAMETERS)
        chip = self._chip_authentication
        if chip is None or self.clone or not self._protected:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        if parameters == SET_AUTHENTICATION:
            return _answer(lambda: chip.set_authentication(command.data))
        return _answer(lambda: self._begin(chip.set_key_agreement(command.data), self._access))

    def _new_pace(self, data: bytes) -> None:
        self._pace = None
        content = self.files.get(CARD_ACCESS, b"")
        infos = parse_security_infos(
            content[: tlv.read_tlv(content).end], CARD_ACCESS
        ).pace  # a file may be longer than its contents
        pace = PaceChip(infos, self._passwords, None if self.clone else self._cam_key, self._random)
        pace.set_authentication(data)
        self._pace = pace

    def _general_authenticate(self, command: CommandApdu) -> ResponseApdu:
        if not self._protected:
            return _answer(lambda: self._pace_step(command))
        chip = self._chip_authentication
        if chip is None or self.clone:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        return _answer(lambda: self._agree(chip, command.data))

    def _pace_step(self, command: CommandApdu) -> bytes:
        pace, self._pace = self._pace, None
        if pace is None:
            raise ChipError("PACE_ORDER", "no protocol was set")
        data, session = pace.general_authenticate(command.data, last=not command.cla & CHAINED)
        if session is not None:
            self._begin(session, "pace")
        self._pace = pace
        return data

    def _agree(self, chip: ChipAuthentication, data: bytes) -> bytes:
        answer, session = chip.authenticate(data)
        self._begin(session, self._access)
        return answer

    # --- active authentication ---

    def _internal_authenticate(self, command: CommandApdu) -> ResponseApdu:
        if self.active_key is None or self.clone or not self._protected:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        if len(command.data) != CHALLENGE:
            return ResponseApdu(sw=WRONG_DATA)
        return ResponseApdu(data=active_signature(self.active_key, command.data, self.active_hash))


def _answer(step: Callable[[], bytes | None]) -> ResponseApdu:
    """What ``step`` returns, or the status for what it raises."""
    try:
        return ResponseApdu(data=step() or b"")
    except ChipError as error:
        return ResponseApdu(sw=KEY_NOT_FOUND if error.code == "KEY_NOT_FOUND" else STATUSES.get(error.code, WRONG_DATA))
