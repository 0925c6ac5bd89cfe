"""``make package-test``: the packages in a Debian of their own, from the first installation to the purge, and the container made of them.

Wants root, debootstrap, buildah, strace, what building wants (gcc, swig, python3-dev, libpcsclite-dev), and a mirror for the base, which is kept.
Every row of the table is something that was done and looked at. The first that fails ends the run with status 1. Only what wants systemd-nspawn
may be left out where that is absent, and then the table says so (AUTOGATE_REQUIRE_ALL=1 fails).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import build_deb
import package_boot
import package_container
import package_notify
from environment import PYTHON
from package_rows import Rows
from package_sign import Signers
from sandbox import TOOLS, Failed, Root, base, unpack

LANE, STATE = "T1", Path("/var/lib/autogate")
OTHER_FORMAT = """
def _upper(folder: Path) -> None:
    note = folder / "note"
    if note.exists():
        note.write_text(note.read_text(encoding="utf-8").upper(), encoding="utf-8")


MIGRATIONS: tuple[Migration, ...] = (Migration(files=("note",), up=_upper),)
"""
"""What the version after has in the place of no migrations."""


class Trial:
    """One machine's life. Every step shows a row, or raises Failed."""

    def __init__(self, root: Root, rows: Rows, signers: Signers, old: list[Path], *, new: list[Path]) -> None:
        self._root, self._rows, self._signers, self._old, self._new = root, rows, signers, old, new
        (root.path / "packages").mkdir()
        (root.path / "etc/autogate").mkdir(mode=0o750)
        (root.path / "etc/autogate/release-signers").write_text(signers.public, encoding="ascii")
        shutil.copy(old[0].with_name("autogate-install.pyz"), root.path / "packages")

    def refusals(self) -> None:
        """Before anything is installed: by the installer in one file, under the system's Python."""
        packages = self._offer(self._old)
        self._refused("without a statement", packages, "unsigned")
        for package in self._old:
            self._signers.sign(package, 0)
        self._refused("signed by one person", self._offer(self._old), "unsigned")
        for package in self._old:
            self._signers.sign(package, 1)
        packages = self._offer(self._old)
        first = self._root.path / packages[0].lstrip("/")
        with first.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
        self._refused("with one bit changed", packages, "altered")

    def installed(self) -> None:
        self._install(self._old, "python3", "/packages/autogate-install.pyz")
        self._rows.add("installed", f"{self._version()}, by the installer in one file and Debian's own Python; doctor content")
        checked = self._root.run("dpkg", "--verify").stdout.strip()
        self._expect(not checked, f"dpkg --verify: {checked}")
        owner = self._root.run("stat", "--format", "%U:%G %a", "/etc/autogate", str(STATE), f"{STATE}/packages").stdout.split(
            "\n"
        )
        self._expect(owner[:3] == ["root:autogate 750", "root:root 755", "root:root 700"], f"folders: {owner}")
        self._rows.add(
            "laid out", "every file as packed; /etc/autogate root:autogate 0750, state root's but for lanes' own folders"
        )

    def travellers(self) -> None:
        """A real log, made under the rights that the unit leaves: the state that everything after must keep."""
        self._root.run("install", "-d", "-m", "0700", "-o", "autogate", "-g", "autogate", f"{STATE}/{LANE}")
        (self._root.path / "packages/cast.toml").write_text(cast(), encoding="utf-8")
        demo = ["autogate", "demo", "--headless", "--once", "--cast", "/packages/cast.toml", "--state", f"{STATE}/{LANE}"]
        self._root.run(*demo, user="autogate", strict=True, timeout=200)
        (self._root.path / f"{STATE}/{LANE}/note".lstrip("/")).write_text("as it was\n", encoding="ascii")
        self._root.run("chown", "autogate:autogate", f"{STATE}/{LANE}/note")
        self._records = self._verified()
        self._rows.add(
            "two travellers",
            f"`autogate demo` as the gate's user, no memory writable and executable, no network: {self._records} records",
        )

    def notified(self) -> None:
        self._rows.add("start, watchdog, stop", package_notify.shown(self._root, LANE))

    def calls(self) -> None:
        self._rows.add("system calls", package_notify.calls(self._root, "/packages/cast.toml"))

    def booted(self) -> None:
        self._rows.add("under systemd", package_boot.shown(self._root, LANE))

    def upgraded(self) -> None:
        for package, before in zip(self._new, self._old, strict=True):
            self._signers.sign(package, 0, after=before)
            self._signers.sign(package, 1)
        self._install(self._new, "autogate-install")
        self._expect(self._version() == self._newer, f"{self._version()} is installed")
        self._expect(self._note() == "AS IT WAS", f"the state was not migrated: {self._note()!r}")
        copied = self._root.run("tar", "-t", "-f", f"{STATE}/backups/{self._older}.tar").stdout
        self._expect(f"./{LANE}/audit.sqlite3" in copied and "audit-keys" not in copied, f"the copy holds {copied}")
        self._expect(self._verified() == self._records, "the log is another")
        self._rows.add(
            "upgraded", f"{self._newer}: log whole, state migrated, copy of before without the keys of personal fields"
        )
        self._refused("the one before, installed over it", self._offer(self._old), "not_newer")

    def rolled_back(self) -> None:
        """The log goes on under the version after; none of that may be lost."""
        demo = ["autogate", "demo", "--headless", "--once", "--cast", "/packages/cast.toml", "--state", f"{STATE}/{LANE}"]
        self._root.run(*demo, user="autogate", timeout=200)
        records = self._verified()
        self._root.run("autogate-install", "--roll-back")
        self._expect(self._version() == self._older, f"{self._version()} is installed")
        self._expect(self._note() == "as it was", f"the state did not go back: {self._note()!r}")
        self._expect(self._verified() == records, "the log went back with the software")
        self._rows.add("rolled back", f"{self._older}: the migrated file as in the copy, the log with all {records} records")

    def floor(self) -> None:
        for package in self._new:
            package.with_name(package.name + ".release").unlink()
            self._signers.sign(package, 0, minimum=self._newer)
            self._signers.sign(package, 1)
        self._install(self._new, "autogate-install")
        went = self._root.run("autogate-install", "--roll-back", check=False)
        self._expect(went.returncode == 2 and "below_minimum" in went.stdout, f"roll-back: {went.stdout}")
        raw = self._root.run("dpkg", "--install", self._offer(self._old)[0], check=False)
        self._expect(raw.returncode != 0 and "oldest that may run here" in raw.stdout, f"dpkg: {raw.stdout}")
        self._expect(self._version() == self._newer, f"{self._version()} is installed")
        self._rows.add(
            "minimum version", f"{self._newer} says that nothing older runs: roll-back refused, and dpkg's own downgrade too"
        )

    def purged(self) -> None:
        names = ["autogate-demo", "autogate-centre", "autogate"]
        self._root.run("dpkg", "--purge", *names)
        self._expect((self._root.path / f"{STATE}/{LANE}/audit.sqlite3".lstrip("/")).exists(), "the evidence is gone")
        self._expect(not (self._root.path / "usr/lib/autogate").exists(), "something of the software is left")
        self._install_again()
        self._root.run("dpkg", "--purge", *names, env={"AUTOGATE_DELETE_EVIDENCE": "yes"})
        self._expect(not (self._root.path / str(STATE).lstrip("/")).exists(), "the state is there")
        self._rows.add("purged", "the software is gone and the logs are there; with AUTOGATE_DELETE_EVIDENCE=yes they go, too")

    def _install_again(self) -> None:
        self._install(self._new, "python3", "/packages/autogate-install.pyz")

    def _install(self, packages: list[Path], *installer: str) -> None:
        done = self._root.run(*installer, *self._offer(packages))
        self._expect("FAIL" not in done.stdout, f"the doctor: {done.stdout}")

    def _refused(self, what: str, packages: list[str], code: str) -> None:
        done = self._root.run("python3", "/packages/autogate-install.pyz", *packages, check=False)
        self._expect(done.returncode == 2 and f"({code})" in done.stdout, f"{what}: {done.returncode} {done.stdout}")
        self._rows.add("refused", f"{what}: {done.stdout.strip().splitlines()[-1].partition(': ')[2]}")

    def _offer(self, packages: list[Path]) -> list[str]:
        """Copies in the root, with their statements. Returns their paths there."""
        for package in packages:
            for path in (package, package.with_name(package.name + ".release")):
                (self._root.path / "packages" / path.name).unlink(missing_ok=True)
                if path.exists():
                    shutil.copy(path, self._root.path / "packages")
        return [f"/packages/{package.name}" for package in packages]

    def _version(self) -> str:
        return self._root.run("dpkg-query", "--show", "--showformat", "${Version}", "autogate").stdout

    def _note(self) -> str:
        return (self._root.path / f"{STATE}/{LANE}/note".lstrip("/")).read_text(encoding="ascii").strip()

    def _verified(self) -> int:
        """How many records the log has, once it was proven whole."""
        said = self._root.run("autogate", "audit", "verify", "--state", f"{STATE}/{LANE}", user="autogate").stdout
        if not (found := re.search(r"(\d+) records", said)):
            raise Failed(f"audit verify: {said}")
        return int(found[1])

    @property
    def _older(self) -> str:
        return self._old[0].name.split("_")[1]

    @property
    def _newer(self) -> str:
        return self._new[0].name.split("_")[1]

    def _expect(self, right: bool, what: str) -> None:
        if not right:
            raise Failed(what)


def cast() -> str:
    """The demonstration's first two travellers."""
    text = (build_deb.REPOSITORY / "gate/demo/cast.toml").read_text(encoding="utf-8")
    head, *travellers = text.split("[[traveller]]")
    return "[[traveller]]".join([head, *travellers[:2]])


def newer(source: Path, folder: Path) -> Path:
    """The sources of a version after, which keeps one file of the state in another form."""
    shutil.copytree(source, folder)
    project, state = folder / "pyproject.toml", folder / "gate/release/state.py"
    version = build_deb.version_of(source)
    after = version.rpartition(".")[0] + f".{int(version.rpartition('.')[2]) + 1}"
    project.write_text(
        project.read_text(encoding="utf-8").replace(f'version = "{version}"', f'version = "{after}"'), encoding="utf-8"
    )
    text = state.read_text(encoding="utf-8")
    changed = text.replace("\nMIGRATIONS: tuple[Migration, ...] = ()\n", OTHER_FORMAT)
    if changed == text:
        raise Failed("gate/release/state.py has migrations by now: this run makes one where there are none")
    state.write_text(changed, encoding="utf-8")
    return folder


def packages(work: Path, rows: Rows, out: Path, tool: Path | None, *, twice: bool) -> tuple[list[Path], list[Path]]:
    """Those of what is committed, and those of a version after."""
    source = work / "source"
    epoch = build_deb.export("HEAD", source)
    old = build_deb.build(source, out, epoch, tool=tool)
    sizes = ", ".join(f"{path.name.split('_')[0]} {path.stat().st_size / (1 << 20):.0f} MiB" for path in old)
    rows.add("built", sizes)
    if twice:
        again = build_deb.build(source, work / "again", epoch, tool=tool)
        wrong = [one.name for one, other in zip(old, again, strict=True) if one.read_bytes() != other.read_bytes()]
        if wrong:
            raise Failed(f"built twice, and not the same: {', '.join(wrong)} (kept in {out}; diffoscope tells)")
        rows.add("built again", "the same octets")
    return old, build_deb.build(newer(source, work / "newer"), work / "new", epoch)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=build_deb.REPOSITORY / "build/packages", help="where packages and the base stay"
    )
    parser.add_argument("--bill-tool", type=Path, metavar="PYTHON")
    parser.add_argument("--mirror", default="", help="for the base; apt's own where none is named")
    parser.add_argument("--once", action="store_true", help="do not build again to compare")
    options = parser.parse_args()
    lacking = [name for name in (*TOOLS, "buildah", "strace", "systemd-analyze") if shutil.which(name) is None]
    if os.geteuid() != 0 or lacking:
        print(f"package-test wants root{', and these: ' + ', '.join(lacking) if lacking else ''}", file=sys.stderr)
        return 2
    rows, begun = Rows(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="autogate-package-test-") as scratch:
        work = Path(scratch)
        try:
            archive = base(options.out, work, options.mirror)
            rows.add("base", f"{archive.name}, {archive.stat().st_size / (1 << 20):.0f} MiB, of {PYTHON.resolve().name}")
            old, new = packages(work, rows, options.out, options.bill_tool, twice=not options.once)
            trial = Trial(unpack(archive, work / "root"), rows, Signers(work), old, new=new)
            steps: list[Callable[[], None]] = [
                trial.refusals,
                trial.installed,
                trial.travellers,
                trial.notified,
                trial.calls,
                trial.booted,
                trial.upgraded,
                trial.rolled_back,
                trial.floor,
                trial.purged,
            ]
            for step in steps:
                step()
            rows.add("container", package_container.shown(work, archive, old, cast()))
        except (Failed, OSError, subprocess.SubprocessError, ValueError) as error:
            print(rows.table(), f"\nFAILED after {time.monotonic() - begun:.0f} s: {error}", sep="\n", file=sys.stderr)
            return 1
    table = rows.table()
    shown = "all but what says otherwise shown" if package_boot.ABSENT in table else "all shown"
    print(table, f"\n{shown} in {time.monotonic() - begun:.0f} s", sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
