"""The way of software onto a machine: by two signatures, never below the floor, and back without losing a record."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import gate.release.state as state_module
from gate.release.command import drafted
from gate.release.install import INCOMING, Installer, main
from gate.release.state import Migration
from gate.release.statement import SUFFIX, Release, ReleaseRefused
from gate.signer_key import public_hex
from pki.signed_statement import SignedStatement

ANA, BUDI = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


class Pretend:
    """A machine that installs what a package says it is. Its packages are texts: a name and a version."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.there: dict[str, str] = {}
        self.fails = False
        self.did: list[str] = []

    def installed(self, package: str) -> str:
        return self.there.get(package, "")

    def contents(self, package: Path) -> tuple[str, str]:
        name, version = package.read_text(encoding="ascii").split()[:2]
        return name, version

    def stop(self) -> None:
        self.did.append("stop")

    def install(self, packages: Sequence[Path]) -> None:
        if self.fails:
            raise subprocess.CalledProcessError(1, "dpkg")
        before = self.installed("autogate")
        if before:  # as the package's script does
            (self._state / "backups").mkdir(exist_ok=True)
            with tarfile.open(self._state / f"backups/{before}.tar", "w") as copy:
                for path in sorted(self._state.rglob("*")):
                    if path.is_file() and path.relative_to(self._state).parts[0] not in {"packages", "backups"}:
                        copy.add(path, f"./{path.relative_to(self._state)}")
        self.there |= dict(self.contents(package) for package in packages)
        self.did.append("install")


class World:
    """A machine, its folders, and two people who sign."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.state.mkdir()
        self.machine = Pretend(self.state)
        signers = folder / "signers"
        signers.write_text(f"ana:{public_hex(ANA)}\nbudi:{public_hex(BUDI)}\n", encoding="ascii")
        self.installer = Installer(self.machine, self.state, signers)

    def package(
        self, version: str, minimum: str = "0.1", name: str = "autogate", *, keys: Sequence[Ed25519PrivateKey] = (ANA, BUDI)
    ) -> Path:
        path = self.folder / f"{name}_{version}_amd64.deb"
        path.write_text(f"{name} {version} and what it holds", encoding="ascii")
        signed: SignedStatement[Release] = SignedStatement(statement=drafted(path, name, version, minimum=minimum))
        for key in keys:
            signed = signed.signed_with(key)
        path.with_name(path.name + SUFFIX).write_bytes(signed.encoded)
        return path

    def refused(self, *packages: Path) -> str:
        before = dict(self.machine.there)
        with pytest.raises(ReleaseRefused) as caught:
            self.installer.install(packages)
        assert self.machine.there == before
        assert not (self.state / "packages" / INCOMING).exists()
        return caught.value.code


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_what_two_people_signed_is_installed_and_kept(world):
    world.installer.install([world.package("0.2")])
    assert world.machine.there == {"autogate": "0.2"}
    assert world.installer.kept() == ["0.2"]
    assert world.installer.minimum() == "0.1"


def test_a_package_without_a_statement_is_refused(world):
    package = world.package("0.2")
    package.with_name(package.name + SUFFIX).unlink()
    assert world.refused(package) == "unsigned"


@pytest.mark.parametrize("keys", [(), (ANA,), (ANA, Ed25519PrivateKey.generate())])
def test_fewer_than_two_of_the_signers_are_refused(world, keys):
    assert world.refused(world.package("0.2", keys=keys)) == "unsigned"


def test_one_octet_more_is_refused(world):
    package = world.package("0.2")
    package.write_text(package.read_text(encoding="ascii") + "!", encoding="ascii")
    assert world.refused(package) == "altered"


def test_a_package_that_calls_itself_otherwise_than_its_statement_is_refused(world):
    package = world.folder / "autogate_0.3_amd64.deb"
    package.write_text("autogate 0.2", encoding="ascii")
    signed = SignedStatement(statement=drafted(package, "autogate", "0.3", minimum="0.1"))
    package.with_name(package.name + SUFFIX).write_bytes(signed.signed_with(ANA).signed_with(BUDI).encoded)
    assert world.refused(package) == "other_package"


def test_an_older_version_and_the_same_again_are_refused(world):
    world.installer.install([world.package("0.2")])
    assert world.refused(world.package("0.1")) == "not_newer"
    assert world.refused(world.package("0.2")) == "not_newer"


def test_nothing_below_the_oldest_that_may_run_comes_in_not_even_on_an_empty_machine(world):
    world.installer.install([world.package("0.5", minimum="0.4")])
    world.machine.there.clear()
    assert world.refused(world.package("0.3")) == "below_minimum"
    world.installer.install([world.package("0.4")])


def test_the_oldest_that_may_run_never_falls(world):
    world.installer.install([world.package("0.5", minimum="0.4")])
    world.installer.install([world.package("0.6", minimum="0.2")])
    assert world.installer.minimum() == "0.4"


def test_a_floor_that_cannot_be_read_lets_nothing_in(world):
    (world.state / "minimum-version").write_text("whatever\n", encoding="ascii")
    assert world.refused(world.package("0.5")) == "malformed"


def test_parts_of_two_releases_never_meet(world):
    world.installer.install([world.package("0.2"), world.package("0.2", name="autogate-centre")])
    assert world.refused(world.package("0.3")) == "other_package"
    assert world.refused(world.package("0.3"), world.package("0.4", name="autogate-centre")) == "other_package"
    world.installer.install([world.package("0.3"), world.package("0.3", name="autogate-centre")])


def test_a_part_may_be_added_later(world):
    world.installer.install([world.package("0.2")])
    world.installer.install([world.package("0.2", name="autogate-demo")])
    assert world.machine.there == {"autogate": "0.2", "autogate-demo": "0.2"}
    assert len(list((world.state / "packages/0.2").glob("*.deb"))) == 2


def test_what_is_installed_is_what_was_looked_at_however_the_file_changes_meanwhile(world):
    package, seen = world.package("0.2"), []
    looking = world.machine.contents

    def look(path: Path) -> tuple[str, str]:
        package.write_text("autogate 0.2 and something else", encoding="ascii")
        seen.append(path)
        return looking(path)

    world.machine.contents = look
    world.installer.install([package])
    assert all(path.parent.name == INCOMING for path in seen)
    assert "what it holds" in (world.state / "packages/0.2" / package.name).read_text(encoding="ascii")


def test_an_installation_that_fails_leaves_floor_and_kept_packages_as_they_were(world):
    world.installer.install([world.package("0.2")])
    world.machine.fails = True
    with pytest.raises(subprocess.CalledProcessError):
        world.installer.install([world.package("0.3", minimum="0.3")])
    assert (world.installer.minimum(), world.installer.kept()) == ("0.1", ["0.2"])


def test_two_versions_are_kept_and_no_more(world):
    for version in ("0.2", "0.3", "0.4"):
        world.installer.install([world.package(version)])
    assert world.installer.kept() == ["0.3", "0.4"]
    assert sorted(path.name for path in (world.state / "backups").iterdir()) == ["0.3.tar"]


def test_going_back_takes_the_version_before_and_ends_services_first(world):
    world.installer.install([world.package("0.2")])
    world.installer.install([world.package("0.3")])
    world.machine.did.clear()
    world.installer.roll_back()
    assert world.machine.there == {"autogate": "0.2"}
    assert world.machine.did == ["stop", "install"]


def test_there_is_no_way_back_below_the_oldest_that_may_run(world):
    world.installer.install([world.package("0.2")])
    world.installer.install([world.package("0.3", minimum="0.3")])
    with pytest.raises(ReleaseRefused) as refused:
        world.installer.roll_back()
    assert refused.value.code == "below_minimum"
    assert world.machine.there == {"autogate": "0.3"}


def test_without_a_version_before_there_is_no_way_back(world):
    world.installer.install([world.package("0.2")])
    with pytest.raises(ReleaseRefused) as refused:
        world.installer.roll_back()
    assert refused.value.code == "nothing_before"


def test_a_kept_package_that_somebody_changed_is_not_gone_back_to(world):
    world.installer.install([world.package("0.2")])
    world.installer.install([world.package("0.3")])
    (kept,) = (world.state / "packages/0.2").glob("*.deb")
    kept.write_text("autogate 0.2 with a door in it", encoding="ascii")
    with pytest.raises(ReleaseRefused) as refused:
        world.installer.roll_back()
    assert refused.value.code == "altered"


def test_going_back_puts_migrated_files_back_and_never_shortens_the_log(world, monkeypatch):
    lane = world.state / "T1"
    lane.mkdir()
    (lane / "note").write_text("as it was", encoding="ascii")
    (lane / "audit.sqlite3").write_text("one record", encoding="ascii")
    monkeypatch.setattr(state_module, "_as_owner", in_this_process)
    world.installer.install([world.package("0.2")])
    state_module.migrate(world.state)
    world.installer.install([world.package("0.3")])
    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("note", "new-*"), up=forth),))
    assert state_module.migrate(world.state) == 1
    assert (lane / "note").read_text(encoding="ascii") == "AS IT WAS"
    (lane / "audit.sqlite3").write_text("one record and another", encoding="ascii")
    world.installer.roll_back()
    assert (lane / "note").read_text(encoding="ascii") == "as it was"
    assert not (lane / "new-file").exists()
    assert (lane / "audit.sqlite3").read_text(encoding="ascii") == "one record and another"
    assert state_module.format_of(world.state) == 0


def forth(lane: Path) -> None:
    (lane / "note").write_text((lane / "note").read_text(encoding="ascii").upper(), encoding="ascii")
    (lane / "new-file").touch()


def in_this_process(lane: Path, what: list[str], given: Path | None = None) -> None:
    """What a process of the lane's user does; that one knows only the migrations that are shipped."""
    if what[0] == "up":
        state_module.MIGRATIONS[int(what[1]) - 1].up(lane)
    else:
        assert given is not None
        with tarfile.open(given) as copy:
            state_module._back(lane, what[2:], copy)


def test_the_command_says_why_it_refuses(world, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("gate.release.install.STATE", world.state)
    monkeypatch.setattr(Installer.__init__, "__defaults__", (world.state, tmp_path / "signers"))
    package = world.package("0.2", keys=(ANA,))
    assert main([str(package)], world.machine) == 2
    assert "signed by 1 of 2 people (ana) (unsigned)" in capsys.readouterr().err
    assert main(["--status"], world.machine) == 0
    assert "installed nothing; oldest that may run here: any; kept: none" in capsys.readouterr().out
