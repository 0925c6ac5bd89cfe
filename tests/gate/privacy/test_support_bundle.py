"""A support bundle holds what helps, and nothing of a traveller, no key, no picture: whatever lies about, and wherever it lies."""

from __future__ import annotations

import json
import os
import stat
import threading
import tomllib
import zipfile
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import cycle
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate import support_parts
from gate.__main__ import main
from gate.audit.log import FILE_NAME, AuditLog, open_readonly
from gate.config import Config, load
from gate.demo.cast import DEFAULT_CAST, load_cast
from gate.evidence import Direction
from gate.outcome import Outcome
from gate.registries.names import TABLE
from gate.support import PART_BYTES, gathered, write
from gate.support_parts import LOG_FILE, TAIL_LINES, configuration, devices, health, log_tail
from gate.support_words import our_line, our_words, ours

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/gate.example.toml"
AT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
KEY = "c0ffee" * 11
PERSONS = ("SANTOSO", "Budi Santoso", "X1000001", "880412", "1988-04-12", "P<IDNSANTOSO<<BUDI<<<<<", "sari.wijaya@example.org")
SECRETS = (KEY, "hunter2-rahasia", "-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2VwBCIEIA", "/home/budi/kunci", "ratna:" + "ab" * 32)
PLANTED = (*PERSONS, *SECRETS)
NEEDLES = (
    "SANTOSO",
    "Santoso",
    "Budi",
    "X1000001",
    "880412",
    "1988",
    "wijaya",
    "example.org",
    "c0ffee",
    "hunter2",
    "MC4CAQ",
    "budi",
    "abab",
)


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every name of a person that this repository knows."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    families = {word for family in table["families"] for word in family}
    cast = load_cast(DEFAULT_CAST).traveller
    people = {
        word for each in cast for word in f"{each.document.primary} {each.document.secondary} {each.document.number}".split()
    }
    return {word for word in families | people if len(word) > 2}


@pytest.fixture
def gate_full_of_secrets(tmp_path: Path) -> tuple[Config, Path]:
    """A gate whose every file, and every value of whose configuration that is free text, is a person or a secret."""
    state = tmp_path / "state"
    state.mkdir()
    log = AuditLog(state / FILE_NAME, KEY.encode())
    for number, planted in enumerate(PLANTED):
        log.append("event", planted, msgspec.json.encode({"planted": planted}), AT, float(number))
    log.append("transaction", "t", ended(PLANTED), AT, 1.0)
    log.close()
    lines = [f"reader: tag lost: {planted} ({planted})" for planted in PLANTED]
    trace = [
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/gate/lane.py", line 12, in <module>',
        f"    open({PLANTED!r})",
    ]
    (state / LOG_FILE).write_text("\n".join([*lines, *trace, f"ValueError: {PLANTED!r}", *PLANTED]) + "\n", encoding="utf-8")
    for name in ("gate.key", "audit.key", "runtime", "closed", "highest-wall-time", "portrait.jp2", "notes.txt"):
        (state / name).write_text("\n".join(PLANTED), encoding="utf-8")
    return planted_config(state, PLANTED), state


def ended(planted: tuple[str, ...]):
    """A transaction in which a lying reader or a hostile registry put these words wherever there is room for one."""
    from gate.records import TransactionRecord

    return TransactionRecord(
        transaction="t",
        lane=planted[0],
        checkpoint=planted[1],
        direction=Direction.DEPARTURE,
        started=AT,
        ended=AT,
        document_class=planted[2],
        document_key=planted[3],
        outcome=Outcome.COUNTER,
        reasons=("FACE_NO_MATCH", *planted),
        stages=(),
        decisions=(),
        backends=dict.fromkeys(planted, planted[0]),
        demonstration=False,
    )


def planted_config(state: Path, words: tuple[str, ...]) -> Config:
    """The example's configuration, every free text and path of it replaced by one of ``words``."""
    given_ = cycle(words)

    def fill(value: object) -> object:
        if isinstance(value, msgspec.Struct):
            names_ = value.__struct_fields__
            return type(value)(**{name: fill(getattr(value, name)) for name in names_})
        if isinstance(value, tuple):
            return tuple(fill(each) for each in value)
        if isinstance(value, Path):
            return Path(next(given_))
        return next(given_) if type(value) is str and value not in CLOSED else value

    filled = fill(load(EXAMPLE))
    assert isinstance(filled, Config)
    return msgspec.structs.replace(filled, state_dir=state)


CLOSED = ("trial", "departure", "CGK", "mantrap", "serial", "rte", "device", "pcsc", "opencv", "gate-link", "none", "onnxruntime")


def everything(parts: dict[str, bytes]) -> str:
    return b"\n".join(parts.values()).decode()


# --- nothing that was planted


def test_secrets_and_persons_are_planted_everywhere_and_none_is_in_the_bundle(gate_full_of_secrets):
    config, state = gate_full_of_secrets
    told = everything(gathered(config, state))
    assert [needle for needle in NEEDLES if needle in told] == []


def test_the_same_search_finds_what_is_let_through(gate_full_of_secrets, monkeypatch):
    config, state = gate_full_of_secrets
    monkeypatch.setattr(support_parts, "ours", lambda text: text)
    monkeypatch.setattr(support_parts, "our_line", lambda text: text)
    told = everything(gathered(config, state))
    assert [needle for needle in NEEDLES if needle not in told] == []


def test_no_name_that_this_repository_knows_is_a_word_of_ours(names):
    assert names
    assert names & our_words() == set()


def test_what_helps_is_in_the_bundle(gate_full_of_secrets):
    config, state = gate_full_of_secrets
    parts = {name: json.loads(raw) for name, raw in gathered(config, state).items() if name.endswith(".json")}
    assert parts["configuration.json"]["profile"] == "trial"
    assert parts["configuration.json"]["timeouts"]["capture_s"] == 10.0
    assert parts["configuration.json"]["lane"] == {"id": "set", "checkpoint": "CGK", "direction": "DEPARTURE", "kind": "mantrap"}
    with open_readonly(state / FILE_NAME) as log:
        assert parts["audit.json"]["head"] == {"records": log.head().seq, "hash": log.head().hash.hex()}
    assert parts["audit.json"]["kinds"] == {"event": len(PLANTED), "transaction": 1}
    assert parts["audit.json"]["reasons"]["FACE_NO_MATCH"] == 1
    assert parts["doctor.json"]["python"] == "ok"
    assert parts["versions.json"]["distributions"]["msgspec"]
    text = log_tail(state)
    assert "reader: tag lost: …" in text
    assert "File gate/lane.py, line 12" in text
    assert "ValueError: " in text


@given(st.text())
def test_of_any_text_nothing_is_left_but_our_words(text):
    left = ours(text)
    assert set(support_parts.re.findall(r"\w+", left)) <= our_words()
    assert left.isprintable()
    assert set(support_parts.re.findall(r"\w+", our_line(text))) <= our_words()


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=30))
@settings(max_examples=30)
def test_no_free_text_of_a_configuration_leaves_the_gate(secret):
    config = planted_config(Path(f"/{secret}"), (secret,))
    assert str(msgspec.to_builtins(config, enc_hook=str)).count(secret) > 20, "planted"
    assert secret not in json.dumps(configuration(config), default=str)


def test_words_of_ours_pass_and_numbers_do_not():
    assert ours("controller: device lost 12 times") == "controller: device lost # times"
    assert ours("SANTOSO 880412 tag_lost\n") == "… # tag_lost…"
    frame = '  File "/opt/x/site-packages/gate/lane.py", line 88, in step'
    assert our_line(frame) == "  File gate/lane.py, line 88"
    assert our_line(frame.replace("lane.py", "santoso.py")).count("#") == 1


# --- nothing from elsewhere


def test_no_link_is_followed(tmp_path):
    elsewhere, state = tmp_path / "elsewhere", tmp_path / "state"
    for folder in (elsewhere, state):
        folder.mkdir()
    log = AuditLog(elsewhere / FILE_NAME, KEY.encode())
    log.append("event", "", b"{}", AT, 1.0)
    log.close()
    (elsewhere / "said").write_text("reader: tag lost\n", encoding="utf-8")
    (state / FILE_NAME).symlink_to(elsewhere / FILE_NAME)
    (state / LOG_FILE).symlink_to(elsewhere / "said")
    parts = gathered(None, state)
    assert json.loads(parts["audit.json"]) == {"there": False}
    assert parts[LOG_FILE] == b""


def test_a_pipe_in_place_of_a_log_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / LOG_FILE)
    os.mkfifo(tmp_path / FILE_NAME)
    assert log_tail(tmp_path) == ""
    assert json.loads(gathered(None, tmp_path)["audit.json"]) == {"there": False}


def test_a_huge_log_of_huge_lines_makes_a_small_bundle(tmp_path):
    with (tmp_path / LOG_FILE).open("wb") as log:
        log.write(b"reader: tag lost\n" * 200_000 + b"lane " * 400_000 + b"\n")
        log.truncate(1 << 30)
    with (tmp_path / LOG_FILE).open("ab") as log:
        log.write(b"\n" + b"lane: lost\n" * 5000)
    parts = gathered(None, tmp_path)
    assert len(parts[LOG_FILE].splitlines()) == TAIL_LINES
    assert all(len(raw) <= PART_BYTES for raw in parts.values())


def test_a_part_that_grew_too_long_is_left_out_and_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr("gate.support.devices", lambda config: {"usb": ["0000:0000"] * PART_BYTES})
    assert gathered(None, tmp_path)["devices.json"] == b"too long, left out\n"


@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\0" + b"\xff" * 4096, b"no database"])
def test_a_damaged_log_is_said_to_be_and_the_rest_is_there(tmp_path, damage):
    (tmp_path / FILE_NAME).write_bytes(damage)
    parts = gathered(None, tmp_path)
    assert "error" in json.loads(parts["audit.json"])
    assert json.loads(parts["versions.json"])["python"]


def test_devices_are_told_by_number_alone(tmp_path, monkeypatch):
    for name, vendor in (("1-1", "0403"), ("1-2", "SANTOSO"), ("1-3", "04038")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "idVendor").write_text(f"{vendor}\n")
        (tmp_path / name / "idProduct").write_text("6001\n")
        (tmp_path / name / "serial").write_text("X1000001\n")
    monkeypatch.setattr(support_parts, "USB", tmp_path)
    assert devices(None)["usb"] == ["0403:6001"]


@pytest.mark.parametrize("status", [503, 302])
def test_a_listener_that_answers_anything_in_place_of_health_is_not_repeated(gate_full_of_secrets, status):
    class Anything(BaseHTTPRequestHandler):
        def do_GET(self):
            lines = [
                "autogate_up 1",
                'autogate_stage_seconds_count{stage="mrz"} 4',
                f'autogate_up{{stage="{PERSONS[0]}"}} 1',
                *PLANTED,
            ]
            self.send_response(status if "ready" in self.path else 200)
            self.send_header("Location", f"http://127.0.0.1:{server.server_address[1]}/elsewhere")
            self.end_headers()
            self.wfile.write("\n".join(lines).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Anything)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        config, _ = gate_full_of_secrets
        health_ = msgspec.structs.replace(config.health, port=server.server_address[1])
        told = health(msgspec.structs.replace(config, health=health_))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert told["readyz"] == status, "what it names instead is not asked"
    assert told["metrics"] == ["autogate_up 1", 'autogate_stage_seconds_count{stage="mrz"} 4']
    assert [needle for needle in NEEDLES if needle in json.dumps(told)] == []


# --- the file


def test_the_bundle_is_a_new_file_for_its_user_alone(tmp_path, capsys):
    out = tmp_path / "bundle.zip"
    assert main(["support-bundle", str(out), "--state", str(tmp_path)]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "before you hand them over" in capsys.readouterr().out
    with zipfile.ZipFile(out) as bundle:
        assert bundle.testzip() is None
        assert set(bundle.namelist()) == set(gathered(None, tmp_path))
        assert {each.external_attr >> 16 for each in bundle.infolist()} == {0o600}
    assert main(["support-bundle", str(out), "--state", str(tmp_path)]) == 2, "nothing is written over"
    (tmp_path / "link.zip").symlink_to(tmp_path / "target")
    with pytest.raises(OSError):
        write({}, tmp_path / "link.zip")
    assert not (tmp_path / "target").exists()


def test_a_configuration_that_cannot_be_used_is_told_without_its_values(tmp_path, capsys):
    (tmp_path / "gate.toml").write_text(f'profile = "{PERSONS[0]}"\n', encoding="utf-8")
    assert main(["support-bundle", str(tmp_path / "b.zip"), "--config", str(tmp_path / "gate.toml")]) == 2
    assert PERSONS[0] not in capsys.readouterr().err
