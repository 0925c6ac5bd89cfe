"""What is handed over can be checked by a stranger with the page's own few lines, and by nobody if a bit of it was changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gate.__main__ import main
from gate.audit.command import opened
from gate.audit.export import export, proof
from gate.audit.keys import VERIFIER_FILE, tell_verifier
from gate.audit.log import AuditError, open_readonly
from gate.audit.note import VerifierKey

PAGE = Path(__file__).resolve().parents[3] / "docs" / "audit.md"
KEY = b"k" * 32


@pytest.fixture(scope="module")
def exported(gate_in, tmp_path_factory):
    """Gate, its export of nine records, and the page's program."""
    folder = tmp_path_factory.mktemp("export")
    gate = gate_in(folder)
    gate.write(5, '{"words":"\u2014 kantor \\n","n":1}'.encode())
    gate.look()
    gate.write(4)
    gate.look()
    program = folder / "check_export.py"
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert code.count("\n") <= 60
    program.write_text(code, encoding="utf-8")
    with opened(gate.folder, None) as (log, tree):
        lines = list(export(log, tree, (gate.key, gate.witness_key), range(1, 10)))
    return gate, lines, program


def checked(exported, lines, tmp_path, *keys) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "export.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return subprocess.run(
        [sys.executable, exported[2], file, *map(str, keys)], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_stranger_finds_an_honest_export_good(exported, tmp_path):
    gate, lines, _ = exported
    done = checked(exported, lines, tmp_path, gate.key, gate.witness_key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("9 records of autogate/L1/")


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[3]["record"].update(body='{"words":"x"}'),
        lambda lines: lines[3]["record"].update(seq=4),
        lambda lines: lines[3]["record"].update(boot=9.5),
        lambda lines: lines[3]["record"].update(transaction=""),
        lambda lines: lines[3].update(path=lines[4]["path"]),
        lambda lines: lines[3].update(path=[]),
        lambda lines: lines[0].update(checkpoint=lines[0]["checkpoint"].replace("\n9\n", "\n8\n")),
    ],
)
def test_a_stranger_finds_a_changed_export_bad(exported, tmp_path, change):
    gate, lines, _ = exported
    changed = json.loads(json.dumps(lines))
    change(changed)
    assert checked(exported, changed, tmp_path, gate.key).returncode != 0


def test_a_stranger_believes_no_other_keys(exported, tmp_path):
    gate, lines, _ = exported
    other = VerifierKey.of(gate.witness)
    assert checked(exported, lines, tmp_path, other).returncode != 0
    assert checked(exported, lines, tmp_path, gate.key, VerifierKey(name="x", public=other.public, kind=4)).returncode != 0


def test_no_record_is_proven_that_is_not_the_one_that_was_signed_for(exported):
    gate, _, _ = exported
    with opened(gate.folder, None) as (log, tree):
        assert proof(log, tree, 9)["record"]["seq"] == 9
        for wrong in (0, 10):
            with pytest.raises(AuditError):
                proof(log, tree, wrong)


def test_a_changed_record_is_not_handed_out(gate, tmp_path):
    import sqlite3

    gate.write(3)
    gate.look()
    with sqlite3.connect(gate.log) as db:
        db.execute("UPDATE record SET kind = 'permit' WHERE seq = 2")
    db.close()
    with opened(gate.folder, None) as (log, tree):
        assert proof(log, tree, 1)["path"]
        with pytest.raises(AuditError, match="not the one that was signed for"):
            proof(log, tree, 2)


def test_the_commands(gate, tmp_path, capsys):
    """keygen, verify, prove and export, as people call them."""
    assert main(["audit", "keygen", "--name", "autogate/L1", "--key", str(tmp_path / "k")]) == 0
    assert VerifierKey.parse(capsys.readouterr().out).name == "autogate/L1"
    assert main(["audit", "keygen", "--name", "x", "--key", str(tmp_path / "k")]) == 2
    (gate.folder / "gate.key").write_text(KEY.decode())
    gate.write(6)
    state = ["--state", str(gate.folder)]
    assert main(["audit", "verify", *state]) == 0
    assert "no checkpoints" in capsys.readouterr().out
    assert main(["audit", "prove", "1", *state]) == 2
    gate.look()
    tell_verifier(gate.folder, gate.key)
    assert (gate.folder / VERIFIER_FILE).read_text() == f"{gate.key}\n"
    seen = ["--witness", str(gate.seen), "--witness-key", str(gate.witness_key)]
    assert main(["audit", "verify", *state, *seen]) == 0
    assert "witnessed up to record 6" in capsys.readouterr().out
    assert main(["audit", "verify", *state, *seen, "--gate", str(VerifierKey.of(gate.witness))]) == 1
    assert main(["audit", "prove", "3", *state]) == 0
    capsys.readouterr()
    assert main(["audit", "export", "--transaction", "t-3", *state]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["record"]["transaction"] for line in told[1:]] == ["t-3"]
    assert main(["audit", "export", "--from", "2", "--to", "4", *state]) == 0
    assert [json.loads(line)["record"]["seq"] for line in capsys.readouterr().out.splitlines()[1:]] == [2, 3, 4]
    assert main(["audit", "verify", *state, "--witness", str(tmp_path / "absent")]) == 2
    with open_readonly(gate.log) as log:
        assert log.head().seq == 6
