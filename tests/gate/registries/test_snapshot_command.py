"""``autogate registries refresh|status`` against the reference server: what can be had is put in place, what cannot is said."""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from benchmarks.outage_gate import KEY, config_of
from benchmarks.outage_world import GATE, Centre, cast, listed
from gate import registries_command as registries_command_module
from gate.config import Config, Registries, Registry
from gate.evidence import IN_SNAPSHOT, VOCABULARY
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.crossing import FILE_NAME
from gate.registries.crossing_file import CrossingFile
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot_store import SnapshotStore
from gate.registries.wanted import FACTS
from gate.registries_command import refresh, registries_command, status

NOW = datetime(2026, 6, 19, 21, 0, tzinfo=UTC)
NAMES = ("issuance", "watchlist", "lost_and_stolen")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    centre = Centre(tmp_path_factory.mktemp("centre"), cast(NOW), listed(NOW))
    centre.tell(NOW, 1)
    centre.start()
    yield centre
    centre.stop()


@pytest.fixture
def centre(running: Centre) -> Centre:
    running.tell(NOW, 1)
    return running


@pytest.fixture
def config(centre: Centre, tmp_path: Path) -> Config:
    return config_of(tmp_path, centre, NAMES)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(folder=tmp_path / "snapshots", key=SnapshotKey.derive(KEY), gate=GATE)


def test_refresh_fetches_every_snapshot_and_status_says_how_good_they_are(
    config: Config, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(config, store, NOW) == 0
    fetched = capsys.readouterr().out
    assert all(f"{name}: version 1 of 2026-06-19" in fetched for name in NAMES)
    assert status(config, store, NOW + timedelta(hours=7)) == 0
    told = capsys.readouterr().out
    assert "watchlist: version 1, 7 h 00 min old, 5 entries" in told
    assert "PencegahanFromSnapshot (diplomatic, ordinary, service): over for 1 h 00 min" in told
    assert "IssuanceFromSnapshot (ordinary): for 17 h 00 min still" in told
    assert "crossings: 0 to be told; 0 set aside" in told


def test_one_registry_that_fails_keeps_none_of_the_others(
    config: Config, centre: Centre, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(config, store, NOW) == 0
    later = NOW + timedelta(minutes=15)
    centre.tell(later, 2, issuance={"status": 503}, watchlist={"as_of": (later + timedelta(hours=1)).isoformat()})
    capsys.readouterr()
    assert refresh(config, store, later) == 1
    out, err = capsys.readouterr()
    assert out.count("version 2") == len(NAMES) - 2
    assert "issuance: the registry answers 503" in err
    assert "watchlist: clock" in err
    assert status(config, store, later) == 0
    assert "issuance: version 1, 0 h 15 min old" in capsys.readouterr().out


def test_a_registry_that_gives_an_older_one_is_refused_by_name(
    config: Config, centre: Centre, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.tell(NOW, 5)
    assert refresh(config, store, NOW) == 0
    centre.tell(NOW, 4)
    assert refresh(config, store, NOW) == 1
    assert capsys.readouterr().err.count("rolled_back") == len(NAMES)


def test_a_snapshot_that_ended_is_said_and_found(
    config: Config, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(config, store, NOW) == 0
    assert status(config, store, NOW + timedelta(hours=72)) == 1
    assert capsys.readouterr().out.count("says nothing: expired") == len(NAMES)


def test_without_snapshots_status_says_so(config: Config, store: SnapshotStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(config, store, NOW) == 1
    assert capsys.readouterr().out.count("says nothing: malformed") == len(NAMES)


def test_a_registry_that_the_rules_want_and_nobody_named_is_told(
    config: Config, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(config, store, NOW) == 0
    assert status(msgspec.structs.replace(config, profile="trial"), store, NOW) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "not named" in line]
    assert [line.partition(":")[0] for line in told] == ["connected_one", "exit_permit", "stay_permit", "crossing"]


def test_crossings_that_wait_and_those_set_aside_are_told(
    config: Config, store: SnapshotStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(config, store, NOW) == 0
    file = CrossingFile(config.state_dir / FILE_NAME, SnapshotKey.derive(KEY), NOW)
    for transaction in ("1", "2", "3"):
        file.permitted(transaction, b"{}", NOW)
        file.ended(transaction, "passed", NOW)
    file.set_aside("1", "rejected")
    file.close()
    assert status(config, store, NOW + timedelta(hours=2)) == 1
    assert "crossings: 2 to be told, the oldest for 2 h 00 min; 1 set aside" in capsys.readouterr().out


def test_a_gate_whose_certificate_is_anothers_gets_nothing(config: Config, store: SnapshotStore, tmp_path: Path) -> None:
    other = SnapshotStore(folder=tmp_path / "other", key=store.key, gate="another")
    assert refresh(config, other, NOW) == 1
    assert not list(tmp_path.rglob("*.snapshot"))


@pytest.mark.parametrize("head", ["Content-Length: 100000", "Connection: close"])
def test_a_registry_that_drips_bytes_is_hung_up_on(
    head: str, config: Config, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registries_command_module, "FETCH_S", 0.3)
    ended, sent = threading.Event(), list[bytes]()

    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError):
            peer.recv(65536)
            peer.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
            while not ended.wait(0.02) and len(sent) < 300:
                peer.sendall(b"e")
                sent.append(b"e")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        slow = Registry(url=f"http://127.0.0.1:{listener.getsockname()[1]}", key=config.registries.named["issuance"].key)
        alone = msgspec.structs.replace(config, registries=msgspec.structs.replace(Registries(), issuance=slow))
        try:
            assert refresh(alone, store, NOW) == 1
        finally:
            ended.set()
            dripping.join(10)
    assert "issuance: malformed: it has no head" in capsys.readouterr().err
    assert len(sent) < 300, "it was waited for to the end"


def test_every_registry_that_answers_from_a_snapshot_has_its_facts() -> None:
    assert FACTS.keys() == CONTRACTS.keys() - {CROSSING}
    assert all(VOCABULARY[fact][0] + IN_SNAPSHOT in VOCABULARY[fact] for facts in FACTS.values() for fact in facts)


@pytest.mark.parametrize("order", ["refresh", "status"])
def test_a_process_that_holds_lists_and_their_key_leaves_no_core_behind(tmp_path: Path, order: str) -> None:
    code = (
        "import argparse, ctypes, pathlib, resource, sys\n"
        "from gate.registries_command import registries_command\n"
        "registries_command(argparse.Namespace(registries=sys.argv[1], config=pathlib.Path(sys.argv[2])))\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))\n"  # PR_GET_DUMPABLE
    )
    command = [sys.executable, "-c", code, order, str(tmp_path / "none.toml")]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "0 (0, 0)\n"


def test_no_configuration_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registries_command_module, "dump_nothing", lambda: None)  # this process is not only that command's
    for order in ("refresh", "status"):
        assert registries_command(argparse.Namespace(registries=order, config=tmp_path / "none.toml")) == 2
    assert capsys.readouterr().err.count("\n") == 2
