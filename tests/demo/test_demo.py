"""The main job, end to end: real processes, real chips, real signatures, real faces, a real serial line; and what is left of it.

One file, so that the demonstrations run once: they are started together and every test looks at one of them.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from faceverify.packs import demo_pack
from faceverify.verifier import FaceVerifier, Reference
from gate.__main__ import main
from gate.audit.chain import AuditReader
from gate.audit.command import verify_command
from gate.audit.log import FILE_NAME, KEY_FILE, decode, open_readonly
from gate.demo.cast import DEFAULT_CAST, CastError, load_cast
from gate.demo.faces import chip_portrait, cut_faces, probe_picture
from gate.demo.stage import PORTRAIT_SEED, PROBE_SEED
from gate.privacy.inventory import inventory
from gate.records import PanelEvent
from gate.replay import replay, replay_command, rule_sets
from gate.report import trial_command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).resolve().parents[2]

EXPECTED = {
    "ordinary": ("OPEN", []),
    "service": ("OPEN", []),
    "diplomatic": ("OPEN", []),
    "service-without-permit": ("SECONDARY", ["EXIT_PERMIT_MISSING"]),
    "mononym": ("OPEN", []),
    "borrowed": ("COUNTER", ["FACE_NO_MATCH"]),
    "portrait-swapped": ("HOLD", ["PA_SIGNATURE_OR_HASH_BAD"]),
    "clone": ("HOLD", ["CHIP_NOT_GENUINE"]),
    "unknown-state": ("COUNTER", ["NO_TRUST_ANCHOR"]),
    "two-on-one": ("RETRY", ["MORE_THAN_ONE_PERSON"]),
    "unplugged": ("COUNTER", ["DEVICE_LOST"]),
    "after-the-fault": ("OPEN", []),
}

CHANGED = {
    "ordinary": ("COUNTER", ["FACE_NO_MATCH"]),  # faces permuted with the mononym
    "mononym": ("COUNTER", ["FACE_NO_MATCH"]),
    "service": ("SECONDARY", ["EXIT_PERMIT_MISSING"]),  # exit permits swapped
    "service-without-permit": ("OPEN", []),
    "diplomatic": ("HOLD", ["CHIP_NOT_GENUINE"]),  # chip keys exchanged
    "after-the-fault": ("HOLD", ["CHIP_NOT_GENUINE"]),
    "borrowed": ("OPEN", []),  # the owner came along this time
    "clone": ("OPEN", []),  # the chip has its own keys
    "two-on-one": ("OPEN", []),  # came alone
}


def test_every_traveller_gets_the_outcome_that_the_evidence_deserves(default_run):
    assert default_run.outcomes() == EXPECTED, default_run.log()


def test_a_changed_cast_changes_exactly_what_must_change(changed_run):
    assert changed_run.outcomes() == CHANGED, changed_run.log()


def test_the_readers_lamp_shows_each_traveller_what_to_do_and_every_referral_alike(changed_run, request):
    """What the device itself says that it did: over OSDP with a secure channel, where libosdp is installed."""
    went, referred = {"blue", "green blinking", "1 beep", "green", "blue blinking"}, {"blue", "amber blinking", "2 beeps"}
    for each in changed_run.result["transactions"]:
        assert set(each["panel"]) >= (went if each["outcome"] == "OPEN" else referred), each
        assert set(each["panel"]) <= went | referred | {"white blinking", "off", "red"}, each
        assert ("2 beeps" in each["panel"]) == (each["outcome"] != "OPEN"), each
        assert each["backends"]["panel"]
    with open_readonly(changed_run.state / FILE_NAME) as log:
        assert [decode(record, PanelEvent).what for record in log.records("panel")] == ["obeys"]
    if "OSDP" not in changed_run.result["transactions"][0]["backends"]["panel"]:
        plugin = request.config.pluginmanager.get_plugin(str(REPOSITORY / "tests" / "conftest.py"))
        plugin.absent("libosdp is not installed (make setup-osdp)")


@pytest.mark.parametrize("room", ["pki", "faceverify"])
def test_without_the_result_of_a_room_nobody_passes(performances, room):
    outcomes = performances[f"without_{room}"].ended().outcomes()
    assert len(outcomes) == 3
    assert all(outcome not in {"OPEN", "RETRY"} for outcome, _ in outcomes.values()), outcomes


def test_a_gate_with_a_single_door_comes_to_the_same_and_opens_on_one_permit(performances):
    """Over a serial line that turns bits and loses frames: nobody fares otherwise for it."""
    run = performances["single_door"].ended()
    assert run.result["line"]["device"]["flip"] + run.result["line"]["host"]["flip"] > 0
    assert run.outcomes() == {name: EXPECTED[name] for name in ("diplomatic", "two-on-one")}
    assert {each["lane"] for each in run.result["transactions"]} == {"single_door"}
    with open_readonly(run.state / FILE_NAME) as log:
        assert [record.kind for record in log.records()].count("permit") == 1
        assert all(result.same for result in replay(log, rule_sets(run.state)))


@pytest.mark.parametrize("key", ["outcome", "reasons", "expected"])
def test_a_cast_may_not_say_what_becomes_of_anybody(tmp_path, key):
    cast = tmp_path / "cast.toml"
    cast.write_text(DEFAULT_CAST.read_text(encoding="utf-8") + f'\n{key} = "OPEN"\n', encoding="utf-8")
    with pytest.raises(CastError, match=key):
        load_cast(cast)


def test_each_transaction_names_what_served_it_and_times_its_stages(default_run):
    for transaction in default_run.result["transactions"]:
        assert {"scanner", "pki", "face", "camera", "controller"} <= set(transaction["backends"]), transaction["traveller"]
        assert "demonstration" in transaction["backends"]["face"]
        names = {stage["name"] for stage in transaction["stages"]}
        assert {"mrz", "chip.DG2", "pki.signature", "pki.verdict", "decision.entry"} <= names, (transaction["traveller"], names)
        assert all(stage["duration_ms"] >= 0 and stage["result"] for stage in transaction["stages"])


def test_each_chip_is_opened_as_its_document_says_and_the_result_names_it(default_run):
    opened = {each["traveller"]: each["checks"]["access"].split()[0:2] for each in default_run.result["transactions"]}
    arcs = {"pace-gm": "2", "pace-im": "4", "pace-cam": "6"}
    for traveller in load_cast().traveller:
        way = traveller.document.access
        assert opened[traveller.id] == (["bac"] if way == "bac" else ["pace", f"0.4.0.127.0.7.2.2.4.{arcs[way]}.4"]), traveller.id
    assert len({tuple(way) for way in opened.values()}) == 4


def test_an_opening_names_what_it_tolerated(default_run):
    for each in default_run.result["transactions"]:
        assert ("UnsafeNoPad" in each["tolerances"]) == (each["outcome"] == "OPEN"), each["traveller"]


def test_record_of_the_proof_stands_with_every_traveller_and_tells_what_failed(default_run):
    found = {each["traveller"]: each["inspection"] for each in default_run.result["transactions"]}
    assert {len(checks) for checks in found.values()} == {15}
    failed = {who: [check["name"] for check in checks if check["result"] == "failed"] for who, checks in found.items()}
    assert {who: names for who, names in failed.items() if names} == {
        "portrait-swapped": ["hashes"],
        "clone": ["chip authenticity"],
    }


def test_whoever_went_through_is_told_to_the_registry_of_crossings_and_nobody_else(default_run):
    went = [each["transaction"] for each in default_run.result["transactions"] if each["outcome"] == "OPEN"]
    assert default_run.result["crossings"] == went
    assert len(went) == 5


def test_records_name_the_registries_and_how_they_proved_themselves(default_run):
    (told,) = {each["backends"]["registries"] for each in default_run.result["transactions"]}
    assert told.endswith("(mTLS, JWS)")
    assert all(name in told for name in ("connected_one", "issuance", "exit_permit", "watchlist", "lost_and_stolen", "crossing"))


def test_signature_checks_and_registries_hide_behind_the_chip(default_run):
    stages = {stage["name"]: stage for stage in default_run.result["transactions"][0]["stages"]}
    chip_ends = stages["chip.DG2"]["start_ms"] + stages["chip.DG2"]["duration_ms"]
    for name in ("pki.signature", "registry.issuance", "registry.watchlist"):
        assert stages[name]["start_ms"] + stages[name]["duration_ms"] < chip_ends, name


def test_a_permit_is_on_disk_before_its_door_is_commanded(default_run):
    for transaction in default_run.result["transactions"]:
        stages = {stage["name"]: stage for stage in transaction["stages"]}
        for commit, door in (("commit.entry", "controller.admit"), ("commit.exit", "controller.open_exit")):
            if door in stages:
                committed = stages[commit]["start_ms"] + stages[commit]["duration_ms"]
                assert stages[commit]["result"] == "permit"
                assert committed <= stages[door]["start_ms"] + 0.01, transaction["traveller"]


def test_readme_shows_what_the_demonstration_prints(default_run):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- demo-table -->\n```\n(.*?)```\n<!-- /demo-table -->", readme, re.DOTALL)
    assert shown, "README.md has no demo table"
    without_seconds = re.compile(r"\s+[\d.]+$|\s+seconds$", re.MULTILINE)
    table = default_run.output[default_run.output.index("traveller  ") :]
    assert without_seconds.sub("", shown[1]).strip() == without_seconds.sub("", table).strip()


# --- its records: each decision replays, each changed byte is found, the report is made from them

COLUMNS = ("seq", "at", "boot", "transaction_id", "kind", "body", "previous", "hash")


def test_every_decision_replays_to_the_same(default_run, capsys):
    with open_readonly(default_run.state / FILE_NAME) as log:
        results = replay(log, rule_sets(default_run.state))
    assert len(results) >= 20
    assert all(result.same for result in results)
    assert replay_command(default_run.state, []) == 0
    one = default_run.result["transactions"][0]["transaction"]
    assert replay_command(default_run.state, [one]) == 0
    assert "2 of 2 decisions replay to the same" in capsys.readouterr().out


def test_the_untouched_log_verifies(default_run):
    assert verify_command(default_run.state) == 0


def test_a_flipped_byte_of_any_column_is_found(default_run, tmp_path):
    """Every byte of the first permit's columns, a spread of bytes of every other record's; the log's own tests flip every byte."""
    path = tmp_path / FILE_NAME
    with sqlite3.connect(default_run.state / FILE_NAME) as kept, sqlite3.connect(path) as copy:
        kept.backup(copy)  # also of what lies in the write-ahead log
    kept.close()
    copy.close()
    key = (default_run.state / KEY_FILE).read_text(encoding="ascii").strip().encode()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.text_factory = bytes
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM record ORDER BY seq").fetchall()
        missed = [
            (row[0], column, position)
            for row in rows
            for column, value in zip(COLUMNS, row, strict=True)
            for position in positions(column, value, thorough=row is rows[0])
            if not found_when_flipped(connection, path, key, row[0], column, value, position)
        ]
    connection.close()
    assert missed == []


def positions(column: str, value: object, *, thorough: bool) -> range:
    """Which bytes of a value to flip."""
    if not isinstance(value, bytes):
        return range(1)
    return range(0, len(value), max(1, len(value) // (400 if thorough else 6)))


def found_when_flipped(connection, path: Path, key: bytes, seq: int, column: str, value, position: int) -> bool:
    """Change one byte, verify, put it back."""
    changed: object
    if isinstance(value, bytes):
        changed = value[:position] + bytes([value[position] ^ 0x01]) + value[position + 1 :]
        if column in {"at", "transaction_id", "kind"}:
            changed = changed.decode("latin-1")
    else:
        changed = value + 1000
    back = value.decode() if isinstance(value, bytes) and column in {"at", "transaction_id", "kind"} else value
    connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (changed, seq))
    found = bool(AuditReader(connection, path, key).verify())
    number = changed if column == "seq" else seq
    connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (back, number))
    return found


def test_a_report_is_made_from_the_records(default_run, tmp_path):
    out = tmp_path / "report.html"
    assert trial_command([default_run.state], out) == 0
    page = out.read_text(encoding="utf-8")
    for words in ("DEMONSTRATION", "EXIT_PERMIT_MISSING", "12 counted, 0 left out", "chip.DG2", "not for operation"):
        assert words in page, words
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


# --- what is left: no frame, no portrait, no feature vector, no name, on disk or in shared memory

NEEDLE = 20
"""Bytes: short enough to lie within a page of a database, long enough not to occur by chance."""
STEP = 401
"""A needle is taken from every so many bytes of a marker."""
MAGIC = {
    "JPEG 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "JPEG 2000 codestream": b"\xff\x4f\xff\x51\x00",
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
}
"""How pictures begin, whoever made them."""


@pytest.fixture(scope="module")
def markers(tmp_path_factory) -> dict[str, bytes]:
    """What must not be found: portraits and probes of everybody in the cast, and the features of the portraits."""
    cast, faces, found = load_cast(DEFAULT_CAST), cut_faces(), {}
    names = {traveller.face for traveller in cast.traveller} | {traveller.document.portrait for traveller in cast.traveller} - {
        ""
    }
    with FaceVerifier(demo_pack(tmp_path_factory.mktemp("packs"))) as verifier:
        for name in sorted(names):
            portrait = chip_portrait(faces[name], seed=PORTRAIT_SEED)
            found[f"portrait {name}"] = portrait
            found[f"probe {name}"] = probe_picture(faces[name], seed=PROBE_SEED).tobytes()
            reference = verifier.reference(portrait)
            assert isinstance(reference, Reference), name
            found[f"features {name}"] = reference.features.tobytes()
    return found


def needles(markers: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, content in markers.items():
        step = NEEDLE if name.startswith("features") else STEP
        for offset in range(0, len(content) - NEEDLE, step):
            needle = content[offset : offset + NEEDLE]
            if len(set(needle)) > 8:  # flat background occurs anywhere
                yield name, needle


def search(folders: list[Path], markers: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which marker was found in which file."""
    found: set[tuple[str, str]] = set()
    wanted = list(needles(markers)) + list(MAGIC.items())
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and "packs" not in path.parts:  # weights are no traveller's
                content = path.read_bytes()
                found |= {(path.name, name) for name, needle in wanted if needle in content}
    return found


def test_nothing_of_a_face_is_left_behind(default_run, performances, markers):
    folder = performances["default"].folder
    assert sum(file.stat().st_size for file in (folder / "state").glob("audit.sqlite3*")) > 50_000, (
        "the search would look at nothing"
    )
    assert search([folder, Path("/dev/shm")], markers) == set()


def test_no_temporary_folder_is_left_behind(default_run, performances):
    left = {path.name for path in performances["default"].folder.iterdir()}
    assert left == {"cast.toml", "out.json", "output", "state"}


@pytest.mark.parametrize("kind", ["portrait", "probe", "features"])
def test_the_search_finds_what_is_planted(default_run, tmp_path, markers, kind):
    name, content = next((name, content) for name, content in markers.items() if name.startswith(kind))
    copy = tmp_path / "state"
    shutil.copytree(default_run.state, copy)
    with sqlite3.connect(copy / "audit.sqlite3") as connection:
        connection.execute("CREATE TABLE planted (content BLOB)")
        connection.execute("INSERT INTO planted VALUES (?)", (content,))
    connection.close()
    assert name in {marker for _, marker in search([copy], markers)}


def test_no_name_and_no_number_is_on_disk_either(default_run, performances):
    cast = load_cast(DEFAULT_CAST)
    words = {word.encode() for traveller in cast.traveller for word in (traveller.document.number, traveller.document.primary)}
    state = performances["default"].folder / "state"
    found = {
        (path.name, word)
        for path in state.rglob("*")
        if path.is_file() and "packs" not in path.parts
        for word in words
        if word in path.read_bytes()
    }
    assert found == set()


# --- papers that are made of what is left


def test_the_notice_of_a_breach_counts_whoever_went_through_the_gate_and_names_nobody(default_run, tmp_path):
    out = tmp_path / "notice.html"
    with open_readonly(default_run.state / FILE_NAME) as log:
        records = list(log.transactions())
    when = ["--from", records[0].started.isoformat(), "--to", (records[-1].ended + timedelta(seconds=1)).isoformat()]
    assert main(["privacy", "breach-notice", "--state", str(default_run.state), *when, "--out", str(out)]) == 0
    text = out.with_suffix(".txt").read_text(encoding="utf-8")
    books = len({record.document_key for record in records if record.document_key})
    assert f"Distinct travel documents: {books}\n" in text
    assert f"Crossings: {len(records)} (" in text
    assert f"DEMONSTRATION: {len(records)} of {len(records)}" in text
    assert [word for word in identifying(records) if word in text] == []


def test_a_support_bundle_of_a_gate_that_worked_names_nobody(default_run, tmp_path):
    assert main(["support-bundle", str(tmp_path / "bundle.zip"), "--state", str(default_run.state)]) == 0
    with open_readonly(default_run.state / FILE_NAME) as log:
        records = list(log.transactions())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        told = "".join(bundle.read(name).decode() for name in bundle.namelist())
    assert f'"transaction": {len(records)}' in told
    assert [word for word in identifying(records) if word in told] == []


def identifying(records) -> set[str]:
    """Whatever would tell who somebody was, or which crossing was theirs."""
    cast = load_cast(DEFAULT_CAST).traveller
    people = {word for each in cast for word in (each.document.number, each.document.primary, each.document.birth)}
    return (
        people | {record.transaction for record in records} | {record.document_key for record in records if record.document_key}
    )


def test_every_file_that_a_gate_leaves_is_in_the_inventory(default_run):
    left = sorted(path.name for path in default_run.state.iterdir())
    assert len(left) > 3
    assert [name for name in left if len(inventory().file_places(name)) != 1] == [], (
        "gate/privacy/inventory.toml says what each holds"
    )
