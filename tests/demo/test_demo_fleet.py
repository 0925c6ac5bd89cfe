"""``autogate fleet demo`` as a user runs it, without its two real gates: twenty gates enrol, are seen on the page, and all they told is there in the end."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

for name in ("nats", "psycopg", "tuf"):
    pytest.importorskip(name)

from gate.config import load_fleet  # noqa: E402 - what is absent is skipped first
from gate.config_sections import Fleet, Rules  # noqa: E402
from gate.demo import run, stage  # noqa: E402
from gate.fleet import demo  # noqa: E402
from gate.fleet.demo_airport import Present, PresentLoop, scenario  # noqa: E402
from gate.fleet.demo_children import Children  # noqa: E402
from gate.fleet.engines import missing  # noqa: E402

LIMIT_S = 50


@pytest.fixture(scope="module")
def played(request, tmp_path_factory):
    """What it printed, and the page as it stood meanwhile."""
    if what := missing():
        request.config.pluginmanager.get_plugin(str(request.config.rootpath / "tests/conftest.py")).absent(what)
    port = demo.free_port()
    command = ["fleet", "demo", "--real", "0", "--minutes", "3", "--before", "0.3", "--port", str(port)]
    command += ["--state", str(tmp_path_factory.mktemp("fleet") / "state")]
    process = subprocess.Popen(
        [sys.executable, "-m", "gate", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        told = ""
        while "Ctrl-C" not in told:
            told += (line := process.stdout.readline())
            assert line, told
        page = look(port, re.search(r"password (\S+)", told)[1], process)
        process.terminate()  # as Ctrl-C
        rest, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.terminate()  # it ends what it started
        process.wait(LIMIT_S)
        process.stdout.close()
    return process.returncode, told + rest, page


def look(port: int, password: str, process) -> str:
    """The newest page on which gates stand, before the demonstration ends."""
    origin, until = f"http://localhost:{port}", time.monotonic() + LIMIT_S
    body = json.dumps({"name": demo.VIEWER, "password": password}).encode()
    headers = {"Origin": origin, "Content-Type": "application/json"}
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{origin}/signin", body, headers)) as answer:
                cookie = answer.headers["Set-Cookie"].partition(";")[0]
            break
        except urllib.error.URLError:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.2)
    while True:
        with urllib.request.urlopen(urllib.request.Request(f"{origin}/", headers={"Cookie": cookie})) as answer:
            page = answer.read().decode()
        if page.count('class="tile good') > 10 and page.count('class="tile ') == 20:
            return page
        assert time.monotonic() < until, page
        assert process.poll() is None
        time.sleep(0.2)


@pytest.mark.fleet
@pytest.mark.timeout(120)
def test_twenty_gates_tell_the_centre_everything_and_nothing_twice(played):
    status, told, _ = played
    assert status == 0, told
    events = re.search(r"gates 20, events (\d+), gaps 0, forks 0", told)
    assert events, told
    assert int(events[1]) >= 20
    assert "together" in told
    assert "roll-out: none: there is no real gate here, and simulated ones take nothing from the centre\n" in told
    log = Path(re.search(r"everything lies in (\S+)", told)[1], "processes.log").read_text(encoding="utf-8")
    assert "directing over tls://" in log


@pytest.mark.fleet
@pytest.mark.timeout(120)
def test_meanwhile_they_stand_on_the_page_in_four_banks(played):
    page = played[2]
    assert page.count('class="tile ') == 20
    assert [page.count(f'data-key="{airport}.') for airport in demo.AIRPORTS] == [10, 10]
    assert page.count('class="bank"') == 4


def test_what_has_to_be_installed_is_said(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(demo, "missing", lambda: "nats-server is not installed")
    assert demo.run("demo", None) == 2
    assert "apt-get install nats-server postgresql" in capsys.readouterr().err


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "letters").touch()
    with pytest.raises(OSError, match="something else"):
        demo._begin_anew(tmp_path)
    assert (tmp_path / "letters").exists()


def test_a_configuration_says_what_the_section_says(tmp_path):
    section = Fleet(
        url="tls://127.0.0.1:1", signing_key=tmp_path / "k", keys=tmp_path / "j", ca=tmp_path / "a", signers=("a:b", "c:d")
    )
    told = tomllib.loads(demo.as_toml("fleet", section))["fleet"]
    assert told["signers"] == ["a:b", "c:d"]
    assert told["keys"] == str(tmp_path / "j")
    assert "certificate" not in told


def test_a_real_gate_tells_and_goes_by_what_its_file_says(tmp_path):
    signers = tuple(f"{name}:{digit * 64}" for name, digit in (("one", "3"), ("two", "4")))
    fleet = Fleet(
        url="nats://127.0.0.1:1", signing_key=tmp_path / "k", keys=tmp_path / "j", updates=tmp_path, updates_every_s=2.0
    )
    rules, file = Rules(store=tmp_path / "rules", signers=signers), tmp_path / "fleet.toml"
    file.write_text(demo.as_toml("fleet", fleet) + demo.as_toml("rules", rules))
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    assert load_fleet(file) == fleet
    assert run._rules(parser.parse_args(["--fleet", str(file)])) == rules
    assert tomllib.loads(stage._table("rules", rules))["rules"] == {"store": str(rules.store), "signers": list(signers)}
    assert run._rules(parser.parse_args(["--rules", str(tmp_path)])) == Rules(folder=tmp_path)
    file.write_text(demo.as_toml("fleet", fleet))
    assert run._rules(parser.parse_args(["--fleet", str(file)])) is None, "those that come with the software"


def test_time_jumps_until_it_is_now_and_then_goes_with_the_clock():
    began = datetime.now(UTC) - timedelta(hours=5)
    present = Present(began)
    loop, ticks = PresentLoop(0.0, present), []

    async def hours():
        while loop.time() < 5 * 3600 + 0.1:
            await asyncio.sleep(600 if loop.time() < 4.8 * 3600 else 0.05)
            ticks.append(loop.time() - present())

    loop.run_until_complete(hours())
    loop.close()
    assert min(ticks) < -3600, "it jumped over hours that are past"
    assert max(ticks) <= 0, "and never ahead of the clock"


def test_time_that_was_stopped_stands():
    present = Present(datetime.now(UTC) - timedelta(seconds=10))
    present.stop()
    assert present() == present()


def test_the_demonstrations_travellers_began_yesterday_by_the_airports_own_calendar():
    late = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)  # already the 24th in Jakarta
    assert scenario("CGK", {"departure": 5, "arrival": 4}, late).begins.isoformat() == "2026-11-23"
    assert [bank.lanes for bank in scenario("DPS", {"departure": 5, "arrival": 4}, late).bank] == [5, 4]


def test_processes_are_ended_by_their_ids_and_one_that_ends_by_itself_is_told_of_once(tmp_path):
    children = Children(tmp_path / "log", {"WORD": "said"})
    children.start("stays", "-c", "import time; time.sleep(60)")
    children.start("goes", "-c", "import os; print(os.environ['WORD'])")
    until = time.monotonic() + LIMIT_S
    while not (lost := children.lost()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert (lost, children.lost()) == (["goes"], [])
    assert (tmp_path / "log").read_text() == "said\n"
    assert children.use()["stays"].memory > 1 << 20
    children.end_all()
    assert children.use() == {}
