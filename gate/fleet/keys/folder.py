"""What the fleet's authority keeps, in one folder of a machine of its own: only this holds the key that issues certificates.

::

    people                  NAME:KEY, a line each: who approves, or did
    keys.json               the key directory in force
    authority.pem, .key     the authority of certificates
    root.json               TUF's newest root, signed as far as it is; root.before.json, the one that it follows
    online.key              signs TUF's snapshot and timestamp
    broker.json, nats.conf  how the broker runs, and its configuration, made anew with every change of the directory
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gate.fleet.keys.authority import Authority, load_authority, new_authority
from gate.fleet.keys.directory import Directory, KeyDirectory, KeysError, read_directory, write_directory
from gate.fleet.keys.nats_config import Broker, tell_server, write_configuration
from gate.fleet.keys.roots import MOST_METADATA, keys_of, signed_by
from pki.durable import read_file, write_file
from pki.signed_statement import parse_signers

MOST_PEOPLE = 1 << 16
"""Bytes of the file of people."""


class FleetFolder:
    """Raises KeysError, PkiError or OSError where it is not as it should be; everything is then as before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys, self.root, self.root_before = folder / "keys.json", folder / "root.json", folder / "root.before.json"
        self.configuration = folder / "nats.conf"

    def make(self, name: str, people: dict[str, str], now: datetime) -> None:
        """A new fleet: nobody is listed yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.keys.exists():
            raise KeysError(f"{self.folder}: is a fleet's already")
        new_authority(name, now).save(self.folder)
        self.set_people(people)
        write_directory(self.keys, Directory(sequence=1))

    @property
    def people(self) -> dict[str, str]:
        """Public key → name: whose approvals count, also of the past."""
        return parse_signers(read_file(self.folder / "people", MOST_PEOPLE).decode(errors="replace").splitlines())

    def set_people(self, people: dict[str, str]) -> None:
        parse_signers(lines := [f"{who}:{key}" for key, who in people.items()])
        write_file(self.folder / "people", "".join(f"{line}\n" for line in lines).encode())

    def approvers(self) -> dict[str, str]:
        """Who may approve now: whom the root in force lets say what is allowed."""
        root, people = self.roots()[0], self.people
        return {key: people[key] for key in keys_of(root, "targets") if key in people}

    def roots(self) -> tuple[bytes, bytes | None]:
        """The root in force, and the one drafted after it. Raises KeysError where there is none yet that counts."""
        newest = read_file(self.root, MOST_METADATA)
        before = read_file(self.root_before, MOST_METADATA) if self.root_before.exists() else None
        if signed_by(newest, {}, before)[0]:
            return newest, None
        if before is None:
            raise KeysError(f"{self.root}: is still to be signed (autogate fleet keys sign)")
        return before, newest

    def directory(self) -> KeyDirectory:
        return KeyDirectory(read_directory(self.keys), people=self.people)

    def authority(self) -> Authority:
        return load_authority(self.folder)

    def put(self, directory: Directory) -> bool:
        """In force from now on, here and at the broker. Returns whether a server runs here and was told."""
        before, after = self.directory(), KeyDirectory(directory, people=self.people)
        after.check_follows(before)
        write_directory(self.keys, directory)
        return self.tell_broker()

    def set_broker(self, broker: Broker) -> bool:
        """How the broker runs; as :meth:`put`."""
        write_file(self.folder / "broker.json", msgspec.json.encode(broker))
        return self.tell_broker()

    def tell_broker(self) -> bool:
        """Make its configuration anew, which leaves out whose certificate of keys has ended, too."""
        if not (self.folder / "broker.json").exists():
            return False
        try:
            broker = msgspec.json.decode(read_file(self.folder / "broker.json", MOST_PEOPLE), type=Broker)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise KeysError(f"broker.json: {error}") from None
        write_configuration(self.configuration, broker, self.directory())
        return tell_server(Path(broker.pid_file))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time. Raises KeysError."""
        if not self.keys.exists():
            raise KeysError(f"{self.folder}: no fleet's folder: autogate fleet keys init makes one")
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise KeysError(f"{self.folder}: is being changed by another command") from None
        finally:
            os.close(descriptor)


def utc_now() -> datetime:
    return datetime.now(UTC)
