"""``autogate collect`` and ``autogate fleet …``: every command is there, is explained, and says what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gate.__main__ import main
from gate.fleet import command
from gate.fleet.command import COLLECT, WORDS

OPTIONS = {
    "verify": "--keys",
    "alerts": "--settle",
    "page": "--roster",
    "demo": "--minutes",
    "enrol": "--purpose",
    "revoke": "--because",
}


@pytest.mark.parametrize("word", WORDS)
def test_every_command_explains_itself(word, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fleet", word, "--help"])
    assert ended.value.code == 0
    assert OPTIONS.get(word, "usage: autogate fleet") in capsys.readouterr().out


def test_the_collector_explains_itself(capsys):
    with pytest.raises(SystemExit) as ended:
        main([COLLECT, "--help"])
    assert ended.value.code == 0
    assert "--migrate" in capsys.readouterr().out


def test_listing_the_commands_loads_none_of_them():
    program = "import sys; from gate.__main__ import _parser; _parser('fleet', ''); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "gate.fleet.command" in loaded
    assert not {"nats", "psycopg", "tuf", "gate.fleet.centre", "gate.fleet.keys", "gate.fleet.page", "starlette"} & set(loaded)


def test_a_library_that_is_not_installed_is_named(monkeypatch, capsys):
    def absent(_: str) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr(command, "import_module", absent)
    with pytest.raises(SystemExit) as ended:
        main(["fleet", "verify"])
    assert ended.value.code == 2
    assert "needs psycopg: install autogate with its extras fleet, centre" in capsys.readouterr().err
