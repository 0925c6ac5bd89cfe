"""``autogate-install PACKAGE… | --roll-back | --status``: the way that software takes onto a machine, as root.

A package is copied to where root alone writes, and what is looked at there is what is installed: two people signed for it, its octets are those
they signed, it is newer than what runs, and not older than the oldest that may run. What was installed is kept with its statement, so
that going back needs nobody's new signature, and passes the same examination.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gate.release.state import BACKUPS, KEPT_PACKAGES, STATE, StateError, undo
from gate.release.statement import (
    PACKAGES,
    SUFFIX,
    Release,
    ReleaseRefused,
    is_version,
    order,
    people,
    read_signers,
    read_statement,
)
from pki.durable import read_file, sync_folder, write_file
from pki.errors import PkiError

SIGNERS = Path("/etc/autogate/release-signers")
MINIMUM_FILE = "minimum-version"
KEPT = 2
"""Versions whose packages stay: the one that runs, and the one before."""
INCOMING = ".incoming"
MOST_PACKAGE = 2 << 30


class Machine(Protocol):
    """The system's package manager and service manager."""

    def installed(self, package: str) -> str:
        """The version of ``package`` that is there; empty: none."""

    def contents(self, package: Path) -> tuple[str, str]:
        """The name and the version that a package says it has. Raises OSError, subprocess.CalledProcessError."""

    def stop(self) -> None:
        """End every service of ours, in order, before the state is touched."""

    def install(self, packages: Sequence[Path]) -> None:
        """All of them at once; their scripts end and start services. Raises as above."""


class Installer:
    """``state`` is root's but for the lanes' own folders. Every method raises ReleaseRefused, or what ``machine`` raises."""

    def __init__(self, machine: Machine, state: Path = STATE, signers: Path = SIGNERS) -> None:
        self._machine, self._state, self._signers = machine, state, signers
        self._packages = state / KEPT_PACKAGES

    def install(self, packages: Sequence[Path]) -> tuple[Release, ...]:
        """Bring a release onto this machine. Returns what was installed."""
        with self._locked(), self._incoming(packages) as (incoming, releases):
            for one in releases:
                self._refuse_not_newer(one)
            self._refuse_parts(releases)
            self._machine.install(incoming)
            self._keep(incoming, releases[0].release)
            self._raise_minimum(max((one.minimum for one in releases), key=order))
        return releases

    def roll_back(self) -> tuple[Release, ...]:
        """Go back to the version before, with its state where the format changed since. Returns what was installed."""
        with self._locked():
            now = self._machine.installed(PACKAGES[0])
            before = max((version for version in self.kept() if order(version) < order(now)), key=order, default=None)
            if before is None:
                raise ReleaseRefused("nothing_before", f"no version before {now or 'the first'} is kept in {self._packages}")
            kept = sorted((self._packages / before).glob("*.deb"))
            releases = tuple(self._examined(path, read_signers(self._signers)) for path in kept)
            self._machine.stop()
            backup = self._state / BACKUPS / f"{before}.tar"
            if backup.exists():
                undo(self._state, backup)
            self._machine.install(kept)
        return releases

    def minimum(self) -> str:
        """The oldest version that may run here; empty: any. Raises ReleaseRefused(malformed): a damaged floor lets nothing in."""
        path = self._state / MINIMUM_FILE
        if not path.exists():
            return ""
        text = read_file(path, 64).decode("ascii", "replace").strip()
        order(text)
        return text

    def kept(self) -> list[str]:
        """Versions whose packages are here."""
        return sorted((path.name for path in self._packages.glob("*") if is_version(path.name)), key=order)

    def _examined(self, package: Path, signers: Mapping[str, str]) -> Release:
        signed = read_statement(package.with_name(package.name + SUFFIX))
        people(signed, signers)
        one = signed.statement
        if digest(package) != one.store:
            raise ReleaseRefused("altered", f"{package.name} is not what was signed as {one.package} {one.release}")
        if self._machine.contents(package) != (one.package, one.release):
            raise ReleaseRefused("other_package", f"{package.name} is not {one.package} {one.release}")
        if (floor := self.minimum()) and order(one.release) < order(floor):
            raise ReleaseRefused("below_minimum", f"{one.release} is older than {floor}, the oldest that may run here")
        return one

    def _refuse_not_newer(self, one: Release) -> None:
        there = self._machine.installed(one.package)
        if there and order(one.release) <= order(there):
            raise ReleaseRefused("not_newer", f"{one.package} {there} is installed; going back is --roll-back")

    def _refuse_parts(self, releases: Sequence[Release]) -> None:
        """A machine never has parts of two releases."""
        after = {name: self._machine.installed(name) for name in PACKAGES} | {one.package: one.release for one in releases}
        if len(set(filter(None, after.values()))) > 1:
            parts = ", ".join(f"{name} {version}" for name, version in after.items() if version)
            raise ReleaseRefused("other_package", f"these would be parts of two releases: {parts}")

    @contextmanager
    def _incoming(self, packages: Sequence[Path]) -> Iterator[tuple[list[Path], tuple[Release, ...]]]:
        """Copies where root alone writes, examined there; gone afterwards."""
        folder = self._packages / INCOMING
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            signers = read_signers(self._signers)
            copies = [folder / path.name for path in packages]
            for path, copy in zip(packages, copies, strict=True):
                _copy(path, copy)
                if (statement := path.with_name(path.name + SUFFIX)).exists():
                    _copy(statement, folder / statement.name)
            yield copies, tuple(self._examined(copy, signers) for copy in copies)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, packages: Sequence[Path], version: str) -> None:
        """What was installed stays, the oldest goes."""
        folder = self._packages / version
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in packages:
            for name in (path.name, path.name + SUFFIX):
                path.with_name(name).replace(folder / name)
        sync_folder(folder)
        for old in self.kept()[:-KEPT]:
            shutil.rmtree(self._packages / old)
            (self._state / BACKUPS / f"{old}.tar").unlink(missing_ok=True)

    def _raise_minimum(self, minimum: str) -> None:
        if order(minimum) > (order(floor) if (floor := self.minimum()) else ()):
            write_file(self._state / MINIMUM_FILE, f"{minimum}\n".encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._packages.mkdir(parents=True, mode=0o700, exist_ok=True)
        descriptor = os.open(self._packages / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def digest(package: Path) -> str:
    """SHA-256, in hexadecimal. Raises OSError."""
    with package.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    if not source.is_file() or source.stat().st_size > MOST_PACKAGE:
        raise ReleaseRefused("malformed", f"{source} is no package")
    shutil.copyfile(source, target)


class Debian:
    """dpkg, and systemd where it runs."""

    def installed(self, package: str) -> str:
        asked = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", package],
            capture_output=True,
            text=True,
            check=False,
        )
        status, _, version = asked.stdout.partition(" ")
        return version if asked.returncode == 0 and status not in {"not-installed", "config-files"} else ""

    def contents(self, package: Path) -> tuple[str, str]:
        name, version = (
            subprocess.run(["dpkg-deb", "--field", package, field], capture_output=True, text=True, check=True).stdout.strip()
            for field in ("Package", "Version")
        )
        return name, version

    def stop(self) -> None:
        if Path("/run/systemd/system").is_dir():
            # What ran is written down by the package's own script, and started again by the other version's.
            subprocess.run(["/var/lib/dpkg/info/autogate.prerm", "upgrade"], check=True)

    def install(self, packages: Sequence[Path]) -> None:
        subprocess.run(["dpkg", "--force-confold", "--install", *packages], check=True, stdin=subprocess.DEVNULL)


def status(installer: Installer, machine: Machine) -> str:
    """What runs, what may, and what could be gone back to."""
    now, floor = machine.installed(PACKAGES[0]) or "nothing", installer.minimum() or "any"
    return f"installed {now}; oldest that may run here: {floor}; kept: {' '.join(installer.kept()) or 'none'}"


def main(arguments: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Returns 0, 1 where the doctor or the package manager is not content, 2 where it was refused."""
    parser = argparse.ArgumentParser(prog="autogate-install", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("packages", nargs="*", type=Path, default=[], metavar="PACKAGE", help="with its statement beside it")
    what.add_argument("--roll-back", action="store_true", help="to the version before, and its state where the format changed")
    what.add_argument("--status", action="store_true", help="what is installed, and what may be")
    options = parser.parse_args(arguments)
    machine = machine or Debian()
    installer = Installer(machine)
    does: Callable[[], tuple[Release, ...]] = (
        installer.roll_back if options.roll_back else lambda: installer.install(options.packages)
    )
    try:
        if options.status:
            print(status(installer, machine))
            return 0
        done = does()
    except (ReleaseRefused, StateError, PkiError) as refused:
        code = f" ({refused.code})" if isinstance(refused, ReleaseRefused) else ""
        print(f"autogate-install: {refused}{code}", file=sys.stderr)
        return 2
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"autogate-install: {error}", file=sys.stderr)
        return 1
    for one in done:
        print(f"{one.package} {one.release} is installed")
    return _examination()


def _examination() -> int:
    """The doctor's word on what is there now: the new software's own."""
    done = subprocess.run(["/usr/bin/autogate", "doctor"], check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        print("autogate-install: the doctor found something; --roll-back goes back", file=sys.stderr)
    return min(done.returncode, 1)


if __name__ == "__main__":
    sys.exit(main())
