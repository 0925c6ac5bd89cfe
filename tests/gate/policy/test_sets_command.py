"""``autogate policy import | sign | activate | rollback | list``, as the people who keep the rules use it."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

import gate.policy.sets_command
from gate.__main__ import main
from gate.policy.schema import PACKAGED

AT = "2026-01-20T10:00+07:00"
FROM = "2026-02-01T00:00+07:00"
pytestmark = pytest.mark.usefixtures("remembered")


class Desk:
    """Where the rules' keepers sit."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.store, self._capsys = folder, folder / "store", capsys
        self.signers: dict[str, str] = {}

    def run(self, command: str, *arguments: object, status: int = 0) -> str:
        """What the command says, and complains of."""
        got = main(["policy", command, *map(str, arguments), "--store", str(self.store), "--at", AT])
        out, complaints = self._capsys.readouterr()
        assert got == status, out + complaints
        return out + complaints

    def hire(self, *names: str) -> None:
        for name in names:
            key = self.folder / f"{name}.key"
            assert main(["trust", "keygen", "--name", name, "--key", str(key), "--json"]) == 0
            self.signers[name] = json.loads(self._capsys.readouterr().out)["signer"]

    def sign(self, version: int, name: str, *more: str) -> str:
        return self.run("sign", version, "--key", self.folder / f"{name}.key", "--name", name, *self.known, *more)

    @property
    def known(self) -> list[str]:
        return [part for signer in self.signers.values() for part in ("--signer", signer)]

    def rules(self, name: str, change: tuple[str, str] = ("", "")) -> Path:
        """The packaged rules with a change in rules.toml."""
        folder = self.folder / name
        shutil.copytree(PACKAGED, folder)
        path = folder / "rules.toml"
        path.write_text(path.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
        return folder


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


@pytest.fixture
def unsurveyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the survey finds, and at what cost, is the business of its own tests."""
    monkeypatch.setattr(gate.policy.sets_command, "check_command", lambda *_: 0)
    monkeypatch.setattr("gate.policy_command._diff", lambda *_: print("whose outcome changes"))


@pytest.mark.usefixtures("unsurveyed")
def test_two_people_bring_a_set_into_force_from_a_set_time(desk: Desk) -> None:
    desk.hire("siti", "budi")
    assert "no rule set is in force in this store yet" in (told := desk.run("import", desk.rules("one")))
    assert "next: 2 people sign it (autogate policy sign 1 --from TIME)" in told
    desk.sign(1, "siti")
    assert "signed by 1 of 2 people" in desk.run("activate", 1, *desk.known, status=2)
    assert "2 signatures by budi, siti" in desk.sign(1, "budi")
    desk.run("activate", 1, *desk.known)
    told = desk.run("import", desk.rules("two", ('"SECONDARY"', '"HOLD"')))
    assert "against version 1, which is in force from 2026-01-20T10:00:00+07:00" in told
    assert "whose outcome changes" in told
    desk.sign(2, "siti", "--from", FROM)
    assert "another instant" in desk.run(
        "sign", 2, "--key", desk.folder / "budi.key", "--name", "budi", "--from", "2026-02-02T00:00+07:00", status=2
    )
    desk.sign(2, "budi", "--from", FROM)
    desk.run("activate", 2, *desk.known)
    listed = desk.run("list", *desk.known).splitlines()
    assert [line[0] for line in listed[1:3]] == ["*", " "]
    assert any(line.startswith("to begin: statement 2 ") and "2026-02-01T00:00:00+07:00" in line for line in listed)
    assert any(line.startswith("in force: statement 1 ") for line in listed)


@pytest.mark.usefixtures("unsurveyed")
def test_going_back_wants_a_reason_and_says_what_then_never_begins(desk: Desk) -> None:
    desk.hire("siti", "budi")
    for number, more in ((1, ()), (2, ("--from", FROM))):
        desk.run("import", desk.rules(f"set-{number}", ("# ", f"# {number} ")))
        for name in desk.signers:
            desk.sign(number, name, *more)
        desk.run("activate", number, *desk.known)
    key = ("--key", desk.folder / "siti.key", "--name", "siti")
    assert "--because" in desk.run("sign", 1, *key, status=2)
    assert "statement 2, of version 2, then never begins" in desk.sign(1, "siti", "--because", "put off")
    desk.sign(1, "budi")
    assert "to rollback, not to activate" in desk.run("activate", 1, *desk.known, status=2)
    desk.run("rollback", 1, *desk.known)
    told = desk.run("list", *desk.known)
    assert "because put off" in told
    assert "to begin" not in told


@pytest.mark.usefixtures("unsurveyed")
def test_rules_of_an_earlier_release_that_are_in_force_do_not_keep_new_ones_out(desk: Desk) -> None:
    """After an update nobody can read what is in force any more; people must be able to bring in what can be read."""
    desk.hire("siti", "budi")
    desk.run("import", desk.rules("one"))
    for name in desk.signers:
        desk.sign(1, name)
    desk.run("activate", 1, *desk.known)
    (version,) = (desk.store / "versions").iterdir()
    (version / "of_an_earlier_release.toml").write_text("")
    told = desk.run("import", desk.rules("two", ("# ", "# another ")))
    assert "cannot be compared: " in told
    assert "this release refuses it: of_an_earlier_release.toml" in told
    assert "version 2, sha256 " in told
    assert "2 signatures by budi, siti" in desk.sign(2, "siti") + desk.sign(2, "budi")


def test_a_set_with_faults_is_not_kept_and_every_fault_is_said(desk: Desk) -> None:
    told = desk.run("import", desk.rules("bad", ('outcome = "', 'outcoem = "')), status=2)
    assert "outcoem" in told
    assert "outcome is missing" in told
    assert not desk.store.exists()


def test_a_set_that_check_finds_wrong_as_a_whole_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate.policy.sets_command, "check_command", lambda *_: 1)
    assert "not kept" in desk.run("import", desk.rules("odd"), status=1)
    assert not desk.store.exists()


@pytest.mark.usefixtures("unsurveyed")
def test_folder_and_signers_may_come_from_the_configuration(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.hire("siti", "budi")
    desk.run("import", desk.rules("one"))
    for name in desk.signers:
        desk.sign(1, name)
    path = desk.folder / "gate.toml"
    path.write_text(f'[rules]\nstore = "store"\nsigners = {json.dumps(list(desk.signers.values()))}\n')
    assert main(["policy", "activate", "1", "--config", str(path)]) == 0
    assert "2 signatures by budi, siti" in capsys.readouterr().out
    path.write_text('[rules]\nstore = "store"\nsigners = ["siti"]\n')
    assert main(["policy", "list", "--config", str(path)]) == 2
    assert f"{path}:3: rules.signers" in capsys.readouterr().err
    assert main(["policy", "list"]) == 2
    assert "--store DIR" in capsys.readouterr().err
    assert main(["policy", "list", "--store", str(desk.folder / "absent")]) == 2
    assert "autogate policy import" in capsys.readouterr().err


@pytest.mark.usefixtures("unsurveyed")
def test_nobody_signs_under_the_name_of_another_or_for_a_version_that_is_not_there(desk: Desk) -> None:
    desk.hire("siti", "budi")
    desk.run("import", desk.rules("one"))
    key = ("--key", desk.folder / "siti.key", *desk.known)
    assert "not the one of budi" in desk.run("sign", 1, *key, "--name", "budi", status=2)
    assert "no version 2" in desk.run("sign", 2, *key, "--name", "siti", status=2)
    (next((desk.store / "versions").iterdir()) / "rules.toml").write_text("")
    assert "was changed" in desk.run("sign", 1, *key, "--name", "siti", status=2)
    assert "not usable" in desk.run("list")


def test_what_was_checked_is_what_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are read once: whoever changes them while they are being checked changes nothing of what is kept."""
    folder = desk.rules("one")
    checked: dict[str, bytes] = {}

    def check(scratch: Path, _: datetime) -> int:
        checked.update({path.name: path.read_bytes() for path in scratch.iterdir()})
        (folder / "grants.toml").write_text("")
        return 0

    monkeypatch.setattr(gate.policy.sets_command, "check_command", check)
    assert "version 1, sha256 " in desk.run("import", folder)
    (version,) = (desk.store / "versions").iterdir()
    assert {path.name: path.read_bytes() for path in version.iterdir() if path.name != "manifest.json"} == checked
    assert checked["grants.toml"] == (PACKAGED / "grants.toml").read_bytes()
