"""The demonstration's officers: whoever made a key on its console's page, put into force by two people who exist only here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.console.roster import MAX_ROSTER, RosterVersions, parse_officers
from gate.console.verifier import COUNTERS_FILE, SEEN_FILE
from gate.policy.schema import PACKAGED
from gate.processes.officers import CLOSED_FILE
from gate.signer_key import public_hex
from pki.durable import read_file
from pki.signed_statement import parse_signers

AWAIT_S = 60
_BOTH = 'direction = ["arrival", "departure"]\n'
PEOPLE = ("pretend-1", "pretend-2")


def begin_anew(state: Path) -> None:
    """Forget what officers of an earlier demonstration did to this one's lane: its roster was signed by other people. Raises OSError."""
    for name in (SEEN_FILE, COUNTERS_FILE, CLOSED_FILE):
        (state / name).unlink(missing_ok=True)


@dataclass(slots=True)
class DemoConsole:
    """``port``: of its page; ``officers``: a file of those who may order, None: nobody, and one may look and make keys;
    ``supervised``: the lane serves while one of them is on watch.
    """

    port: int
    officers: Path | None
    supervised: bool = False
    _keys: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: {name: Ed25519PrivateKey.generate() for name in PEOPLE}, repr=False
    )
    _folder: Path = field(default=Path(), repr=False)

    def rules(self, folder: Path) -> Path:
        """The packaged rules, but for whom the exit's decision sends to the counter: they wait inside for an officer."""
        shutil.copytree(PACKAGED, folder, ignore=lambda _, names: [name for name in names if not name.endswith(".toml")])
        actions = folder / "lane_actions.toml"
        at_once, row = actions.read_text(encoding="utf-8"), f'outcome = "COUNTER"\nstage = "exit"\n{_BOTH}doors = '
        assert f'{row}"eject"\nawait_s = 0' in at_once
        waiting = at_once.replace(f'{row}"eject"\nawait_s = 0', f'{row}"await_officer"\nawait_s = {AWAIT_S}')
        actions.write_text(waiting, encoding="utf-8")
        return folder

    def config(self, folder: Path) -> str:
        """Sign a roster into ``folder``; the section that names it. Raises PkiError, OSError."""
        self._folder = folder
        self.sign()
        named = ", ".join(f'"{signer}"' for signer in self._signers)
        supervision = "officers" if self.supervised else "page"
        return f'\n[console]\nport = {self.port}\nroster = "{folder}"\nsigners = [{named}]\nsupervision = "{supervision}"\n'

    def sign(self) -> None:
        """Put into force whoever stands in the file now. Raises PkiError, OSError."""
        versions, now = RosterVersions(self._folder), datetime.now(UTC)
        version = versions.add(parse_officers(read_file(self.officers, MAX_ROSTER)) if self.officers else ())
        for key in self._keys.values():
            versions.sign(version, key, now=now)
        versions.activate(version, "activate", parse_signers(self._signers))

    @property
    def _signers(self) -> tuple[str, ...]:
        return tuple(f"{name}:{public_hex(key)}" for name, key in self._keys.items())
