"""A link that proves nothing is used outside demonstrations only where somebody signed for it, and the log says who."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from types import SimpleNamespace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate import doctor
from gate.__main__ import main
from gate.audit.log import AuditLog, decode, open_readonly
from gate.config import Config, ConfigError, check_command, load
from gate.link_waiver import problem, signed_text
from gate.processes.lane import LaneProcess, heed_waiver
from gate.profiles import DEMO_MARKER
from gate.records import LinkWaived

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNTIL = date(2999, 3, 31)
FIRST, SECOND = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))
TEXT = """\
profile = "{profile}"
state_dir = "."

[lane]
id = "T3-D-07"
checkpoint = "CGK"
direction = "departure"

[scanner]
kind = "simulator"
address = "world"

[camera]
kind = "simulator"
address = "world"

[controller]
device = "controller"
link = "{link}"
baud = {baud}

[face]
pack = "demo"
packs_dir = "packs"

[trust]
store = "trust"
signers = ["first.person:{first}", "second.person:{second}"]
"""
WAIVER = '[controller.waiver]\ngranted_by = "{who}"\nreason = "{reason}"\nuntil = {until}\nsignature = "{signature}"\n'


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


@pytest.fixture
def write(tmp_path):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / DEMO_MARKER).touch()

    def write(waiver: str = "", *, profile: str = "training", link: str = "modbus", baud: int = 115200):
        path = tmp_path / "gate.toml"
        text = TEXT.format(profile=profile, link=link, baud=baud, first=public(FIRST), second=public(SECOND))
        path.write_text(text + waiver, encoding="utf-8")
        return path

    return write


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "first.key"
    path.write_bytes(FIRST.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def waived(write, key_file, capsys):
    """A waiver as the command makes it."""
    arguments = ["lane", "waive", "--config", str(write()), "--key", str(key_file), "--name", "first.person"]
    assert main([*arguments, "--because", 'sealed "cabinet"', "--until", str(UNTIL)]) == 0
    return capsys.readouterr().out


def keys(path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [finding.key for finding in caught.value.findings]


@pytest.mark.parametrize("profile", ["training", "trial"])
def test_outside_demonstrations_the_link_is_refused_without_a_waiver(write, profile):
    assert "controller.link" in keys(write(profile=profile))
    assert "controller.link" not in keys(write(profile="trial", link="gate-link"))


def test_a_demonstration_needs_none(write):
    config = load(write(profile="demo"))
    assert (config.controller.link, config.controller.unit, problem(config, NOW)) == ("modbus", 1, "")


def test_a_signed_waiver_lets_it_start(write, waived):
    config = load(write(waived))
    assert problem(config, NOW) == ""
    assert config.controller.waiver.reason == 'sealed "cabinet"'
    assert check_command(write(waived)) == 0


def test_a_trial_with_a_waiver_is_refused_for_no_reason_of_the_link(write, waived):
    assert not [key for key in keys(write(waived, profile="trial")) if key.startswith("controller.") and key not in REAL]


REAL = {"controller.device", "controller.key_file"}
"""What a trial asks of the controller besides."""


def sign(key=FIRST, lane_id="T3-D-07", checkpoint="CGK", who="first.person", reason="because", until=UNTIL) -> str:
    lane = SimpleNamespace(id=lane_id, checkpoint=checkpoint)
    return key.sign(signed_text(lane, who, reason, until)).hex()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"signature": sign(SECOND)}, "not signed by first.person"),
        ({"signature": sign(lane_id="T3-D-08")}, "not signed"),
        ({"signature": sign(checkpoint="DPS")}, "not signed"),
        ({"reason": "another"}, "not signed"),
        ({"until": date(2999, 4, 1)}, "not signed"),
        ({"who": "second.person"}, "not signed by second.person"),
        ({"who": "third.person"}, "not among trust.signers"),
        ({"signature": FIRST.sign(b"something else").hex()}, "not signed"),
        ({"until": date(2026, 11, 22), "signature": sign(until=date(2026, 11, 22))}, "ended on 2026-11-22"),
    ],
)
def test_what_was_not_signed_is_no_waiver(write, capsys, fields, says):
    values = {"who": "first.person", "reason": "because", "until": UNTIL, "signature": sign()} | fields
    path = write(WAIVER.format(**values))
    assert says in problem(load(path), NOW)
    if "ended" not in says:
        assert check_command(path) == 2
        assert says in capsys.readouterr().err


def test_the_last_day_is_the_checkpoints_own(write):
    path = write(WAIVER.format(who="first.person", reason="because", until=UNTIL, signature=sign()))
    config = load(path)
    assert problem(config, datetime(2999, 3, 31, 16, 59, tzinfo=UTC)) == ""
    assert problem(config, datetime(2999, 3, 31, 17, 0, tzinfo=UTC)) != ""  # Jakarta is seven hours ahead


@pytest.mark.parametrize(
    ("option", "value"), [("--name", "second.person"), ("--key", "/nothing"), ("--name", "nobody"), ("--config", "/nothing")]
)
def test_the_command_signs_only_for_the_person_whose_key_it_is(write, key_file, capsys, option, value):
    options = {
        "--config": str(write()),
        "--key": str(key_file),
        "--name": "first.person",
        "--because": "x",
        "--until": "2027-01-01",
    }
    arguments = [part for pair in (options | {option: value}).items() for part in pair]
    assert main(["lane", "waive", *arguments]) == 2
    assert capsys.readouterr().err.startswith("autogate lane waive: ")


def test_what_the_command_prints_can_be_read_as_it_is(write, key_file, capsys):
    arguments = [
        "lane",
        "waive",
        "--config",
        str(write()),
        "--key",
        str(key_file),
        "--name",
        "first.person",
        "--until",
        str(UNTIL),
    ]
    assert main([*arguments, "--because", "Gehäuse \\ 🔒 sealed"]) == 0
    assert problem(load(write(capsys.readouterr().out)), NOW) == ""
    for reason in ("", "two\nlines", "deleted\x7f", "x" * 121):
        assert main([*arguments, "--because", reason]) == 2
        assert capsys.readouterr().err.startswith("autogate lane waive: ")


def test_too_slow_a_line_and_a_waiver_for_nothing_are_told(write, waived):
    assert keys(write(profile="demo", baud=19200)) == ["controller.baud"]
    assert keys(write(waived, profile="demo", link="gate-link")) == ["controller.waiver"]


def finding(config):
    return doctor._check_link(config)


def test_the_doctor_says_what_the_link_lacks(write, waived, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "pymodbus" else object())
    assert (finding(load(write(waived))).ok, finding(load(write(waived))).remedy.split(",")[0]) == (False, "make setup-modbus")
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: object())
    assert "UnsafeUnauthenticatedLink, waived by first.person" in finding(load(write(waived))).what
    assert not finding(load(write(waived.replace("sealed", "open")))).ok
    assert finding(load(write(profile="demo", link="gate-link"))).ok


# --- the lane ----------------------------------------------------------------------------------------------------------------------


class Clock:
    def boot(self) -> float:
        return 1.0

    def wall(self) -> datetime:
        return NOW


@pytest.fixture
def log(tmp_path):
    log = AuditLog(tmp_path / "audit.sqlite3", b"k" * 32)
    yield log
    log.close()


def test_the_lane_puts_the_waiver_that_it_starts_under_into_its_log(write, waived, log, tmp_path):
    config: Config = load(write(waived))
    heed_waiver(config, log, Clock())
    with open_readonly(tmp_path / "audit.sqlite3", b"k" * 32) as reader:
        (record,) = reader.newest(10)
        told = decode(record, LinkWaived)
    assert (told.granted_by, told.until, told.link) == ("first.person", UNTIL, "modbus")
    assert told.signature == config.controller.waiver.signature


def test_the_lane_does_not_start_under_a_waiver_that_nobody_signed(write, waived, log, tmp_path):
    config = load(write(waived))
    forged = msgspec.structs.replace(config.controller.waiver, reason="another")
    with pytest.raises(OSError, match="not signed by first"):
        heed_waiver(
            msgspec.structs.replace(config, controller=msgspec.structs.replace(config.controller, waiver=forged)), log, Clock()
        )
    with open_readonly(tmp_path / "audit.sqlite3", b"k" * 32) as reader:
        assert list(reader.newest(10)) == []


def test_without_a_waiver_nothing_is_examined(write, log, monkeypatch):
    monkeypatch.setattr("subprocess.run", None)
    heed_waiver(load(write(profile="demo")), log, Clock())


@pytest.mark.parametrize(("now", "withdrawn"), [(NOW, False), (datetime(2999, 3, 31, 17, 0, tzinfo=UTC), True)])
async def test_a_lane_that_outlives_its_waiver_takes_nobody_any_more(write, waived, now, withdrawn):
    told: list[tuple[str, str]] = []
    actor = SimpleNamespace(withdraw=lambda cause, why: told.append((cause, why)))
    lane = SimpleNamespace(_config=load(write(waived)), _clock=SimpleNamespace(wall=lambda: now), actor=actor)
    looking = asyncio.create_task(LaneProcess._heed_last_day(lane))
    await asyncio.sleep(0)
    looking.cancel()
    assert told == [("waiver", "the waiver of first.person ended on 2999-03-31")] * withdrawn
