"""The service starts the fleet's process where a centre is named, with no secret but its own, and does without it."""

from __future__ import annotations

from pathlib import Path

from gate.config import Camera, Config, Controller, Face, Fleet, Lane, Scanner, Trust
from gate.evidence import Direction
from gate.processes.channel import role_secret
from gate.runtime import Runtime
from gate.service import DISPENSABLE, commands

FLEET = Fleet(url="nats://127.0.0.1:4222", signing_key=Path("fleet.key"), keys=Path("keys.json"))


def started(folder: Path, fleet: Fleet | None) -> dict[str, list[str]]:
    config = Config(
        profile="demo",
        state_dir=folder,
        lane=Lane(id="D07", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="simulator", address="x"),
        camera=Camera(kind="simulator", address="x"),
        controller=Controller(device="x"),
        face=Face(pack="demo", packs_dir=folder),
        trust=Trust(store=folder),
        fleet=fleet,
    )
    runtime = Runtime(folder)
    runtime.secret_file.write_text("5e" * 32)
    return commands(folder / "gate.toml", config, runtime)


def test_without_a_centre_nothing_of_it_is_started(tmp_path):
    assert "fleet" not in started(tmp_path, None)
    assert not (tmp_path / "fleet.secret").exists()


def test_the_fleets_process_knows_its_own_secret_alone_and_ends_no_service(tmp_path):
    command = started(tmp_path, FLEET)["fleet"]
    assert command[2] == "gate.processes.fleet"
    assert str(tmp_path / "secret") not in command
    assert Path(command[-1]).read_text() == role_secret("5e" * 32, "fleet")
    assert "fleet" in DISPENSABLE
